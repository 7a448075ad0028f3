/* Fuzzes decoder and validator: hostile bytes are refused with a message or accepted, never anything else. What is accepted
 * must also read through to its end with the immediates' reader alone, as the compilers will. The first byte of the
 * input chooses the features. */
#include "engine/body.h"
#include "engine/dump.h"
#include "engine/feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct module m;
    struct err err = {0};
    uint32_t features = FEATURES_ALL, func;
    int rc;

    if (size != 0 && data[0] != 0) { /* a module begins with 0 */
        features = 1u << (data[0] % 14);
        data++;
        size--;
    }
    rc = module_decode(&m, data, size, features, &err);
    if (rc == 0) {
        struct buf text = {0};
        dump_module(&m, &text);
        buf_done(&text);
    }
    if (rc == 0)
        rc = module_validate(&m, features, &err);
    assert(rc == 0 || ((rc == -EINVAL || rc == -ENOTSUP) && err.code == -rc && err.text[0] != 0));
    for (func = m.imported_func_count; rc == 0 && func < m.func_count; func++)
        walk_body(&m, func);
    module_free(&m);
    return 0;
}
