/* Fuzzes decoder and validator: hostile bytes are refused with a message or accepted, never anything else; the validator's
 * fast loop and its general rules must agree to the letter; and what is accepted must read through to its end with the
 * immediates' reader alone, as the compilers will. The first byte of the input chooses the features. */
#include "engine/body.h"
#include "engine/dump.h"
#include "engine/feature.h"
#include "tests/fuzz/fuzz.h"

static void walk_body(const struct module *m, uint32_t func)
{
    struct rd r = body_of(m, func);
    uint32_t groups = body_u32(&r);
    enum opcode op = OP_ILLEGAL;

    while (groups-- != 0 && r.fault == NULL) {
        body_u32(&r);
        body_valtype(&r);
    }
    while (!rd_done(&r)) {
        op = body_opcode(&r);
        assert(op != OP_ILLEGAL);
        body_skip_immediate(&r, op);
    }
    assert(r.fault == NULL && (op == OP_END || op == OP_DELEGATE));
}

static int decode_and_validate(struct module *m, const uint8_t *data, size_t size, uint32_t features, bool fast,
                               struct err *err)
{
    int rc = module_decode(m, data, size, features, err);

    if (!fast)
        m->len = 0; /* no margin behind any body: the fast loop takes nothing (validate_body.c) */
    return rc == 0 ? module_validate(m, features, err) : rc;
}

static void dump(const struct module *m)
{
    struct buf text = {0};
    dump_module(m, &text);
    buf_done(&text);
}

/* The general rules alone must say the same as the fast loop. */
static void check_general(const struct module *m, int rc, const struct err *err, uint32_t features, const uint8_t *data,
                          size_t size)
{
    struct module general;
    struct err general_err = {0};

    assert(decode_and_validate(&general, data, size, features, false, &general_err) == rc);
    assert(strcmp(err->text, general_err.text) == 0);
    assert(rc != 0 || m->features_used == general.features_used); /* of a module that is refused they say nothing */
    module_free(&general);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool thorough = size == 0 || data[size / 2] % 4 == 0; /* the other things cost more than what is to be tried */
    struct module m;
    struct err err = {0};
    uint32_t features = FEATURES_ALL, func;
    int rc;

    if (size != 0 && data[0] != 0) { /* a module begins with 0 */
        features = 1u << (data[0] % 14);
        data++;
        size--;
    }
    rc = decode_and_validate(&m, data, size, features, true, &err);
    assert(rc == 0 || ((rc == -EINVAL || rc == -ENOTSUP) && err.code == -rc && err.text[0] != 0));
    if (thorough)
        check_general(&m, rc, &err, features, data, size);
    for (func = m.imported_func_count; rc == 0 && func < m.func_count; func++)
        walk_body(&m, func);
    if (rc == 0 && thorough)
        dump(&m);
    module_free(&m);
    return 0;
}
