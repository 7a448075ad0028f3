/* The dialects of `start`, and runtime options of both kinds. */
#include "shim/bootstrap.h"
#include "shim/bootstrap.pb-c.h"
#include "shim/options.pb-c.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct buf pack(const ProtobufCMessage *message)
{
    struct buf out = {0};
    protobuf_c_message_pack(message, buf_extend(&out, protobuf_c_message_get_packed_size(message)));
    return out;
}

static struct buf any_of_toml(const char *toml)
{
    Options__Generic generic = OPTIONS__GENERIC__INIT;
    Rpc__Any any = RPC__ANY__INIT;
    struct buf body, out;

    generic.config_body.data = (uint8_t *)toml;
    generic.config_body.len = strlen(toml);
    body = pack(&generic.base);
    any.type_url = (char *)"runtimeoptions.v1.Options";
    any.value.data = body.data;
    any.value.len = body.len;
    out = pack(&any.base);
    buf_done(&body);
    return out;
}

static void expect_answer(const struct bootstrap *b, const char *max, const char *wanted)
{
    struct buf out = {0};
    bootstrap_answer(b, max, "unix:///run/s/1", &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_done(&out);
}

static void nothing_on_input(void **state)
{
    struct bootstrap b;
    struct err e;

    assert_int_equal(bootstrap_read(NULL, 0, "c1", &b, &e), 0);
    assert_false(b.has_params);
    expect_answer(&b, NULL, "unix:///run/s/1");
    expect_answer(&b, "2", "{\"version\":2,\"address\":\"unix:///run/s/1\",\"protocol\":\"ttrpc\"}");
    (void)state;
}

static void any_with_toml(void **state)
{
    struct buf in =
        any_of_toml("BinaryName = \"\"\nSystemdCgroup = true\nRoot = '/run/x'\n  IoUid=12\n[section]\nOther = [1]\n");
    struct bootstrap b;
    struct err e;

    assert_int_equal(bootstrap_read(in.data, in.len, "c1", &b, &e), 0);
    assert_false(b.has_params);
    assert_true(b.options.systemd_cgroup);
    assert_string_equal(b.options.root, "/run/x");
    assert_int_equal(b.options.io_uid, 12);
    buf_done(&in);
    (void)state;
}

static void toml_of_the_wrong_type(void **state)
{
    struct buf in = any_of_toml("SystemdCgroup = \"yes\"\n");
    struct bootstrap b;
    struct err e;

    assert_int_equal(bootstrap_read(in.data, in.len, "c1", &b, &e), -EINVAL);
    assert_non_null(strstr(e.text, "SystemdCgroup"));
    buf_done(&in);
    (void)state;
}

static void params_of_2_3(void **state)
{
    Bootstrap__Params params = BOOTSTRAP__PARAMS__INIT;
    Bootstrap__Extension extension = BOOTSTRAP__EXTENSION__INIT, *extensions[] = {&extension};
    Options__Runc runc = OPTIONS__RUNC__INIT;
    Rpc__Any any = RPC__ANY__INIT;
    Bootstrap__Result *result;
    struct buf in, body, out = {0};
    struct bootstrap b;
    struct err e;

    runc.systemd_cgroup = 1;
    body = pack(&runc.base);
    any.type_url = (char *)"containerd.runc.v1.Options";
    any.value.data = body.data;
    any.value.len = body.len;
    extension.value = &any;
    params.instance_id = (char *)"c1";
    params.containerd_version = (char *)"v2.3.4";
    params.log_level = -4;
    params.socket_dir = (char *)"/run/s";
    params.n_extensions = 1;
    params.extensions = extensions;
    in = pack(&params.base);
    assert_int_equal(bootstrap_read(in.data, in.len, "c1", &b, &e), 0);
    assert_true(b.has_params && b.debug && b.options.systemd_cgroup);
    assert_string_equal(b.socket_dir, "/run/s");
    bootstrap_answer(&b, "2", "unix:///run/s/1", &out);
    result = bootstrap__result__unpack(NULL, out.len, out.data);
    assert_int_equal(result->version, 3);
    assert_string_equal(result->address, "unix:///run/s/1");
    assert_string_equal(result->protocol, "ttrpc");
    bootstrap__result__free_unpacked(result, NULL);
    /* the same bytes for another container are neither params for it nor options */
    assert_int_equal(bootstrap_read(in.data, in.len, "c2", &b, &e), -EINVAL);
    buf_done(&in);
    buf_done(&body);
    buf_done(&out);
    (void)state;
}

/* An Any whose type happens to be the container's id has no further fields, so it is no BootstrapParams. */
static void any_that_looks_like_params(void **state)
{
    Rpc__Any any = RPC__ANY__INIT;
    struct bootstrap b;
    struct err e;
    struct buf in;

    any.type_url = (char *)"c1";
    in = pack(&any.base);
    assert_int_equal(bootstrap_read(in.data, in.len, "c1", &b, &e), -EINVAL);
    assert_non_null(strstr(e.text, "type c1"));
    buf_done(&in);
    (void)state;
}

static void garbage(void **state)
{
    struct bootstrap b;
    struct err e;

    assert_int_equal(bootstrap_read((const uint8_t *)"\xff\xff\xff", 3, "c1", &b, &e), -EINVAL);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_on_input),           cmocka_unit_test(any_with_toml),
        cmocka_unit_test(toml_of_the_wrong_type),     cmocka_unit_test(params_of_2_3),
        cmocka_unit_test(any_that_looks_like_params), cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
