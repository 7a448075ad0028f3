/* Frames: what is whole, what is not yet, what is refused. */
#include "shim/ttrpc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t known[] = {0, 0, 0, 3, 0, 0, 1, 5, TTRPC_REQUEST, 2, 'a', 'b', 'c', 'd'};

static void frame_byte_by_byte(void **state)
{
    struct ttrpc_frame frame;

    for (size_t len = 0; len < 13; len++)
        assert_int_equal(ttrpc_parse(known, len, &frame), TTRPC_MORE);
    assert_int_equal(ttrpc_parse(known, sizeof known, &frame), TTRPC_FRAME);
    assert_int_equal(frame.len, 3);
    assert_int_equal(frame.stream, 261);
    assert_int_equal(frame.type, TTRPC_REQUEST);
    assert_int_equal(frame.flags, 2);
    assert_memory_equal(frame.payload, "abc", 3);
    (void)state;
}

static void length_limit(void **state)
{
    uint8_t header[] = {0, 0x40, 0, 0, 0, 0, 0, 1, TTRPC_REQUEST, 0};
    struct ttrpc_frame frame;

    assert_int_equal(ttrpc_parse(header, sizeof header, &frame), TTRPC_MORE);
    header[3] = 1; /* 4 MiB and one byte */
    assert_int_equal(ttrpc_parse(header, sizeof header, &frame), TTRPC_TOO_LARGE);
    assert_int_equal(frame.stream, 1);
    assert_int_equal(frame.len, TTRPC_PAYLOAD_MAX + 1);
    (void)state;
}

static void request_there_and_back(void **state)
{
    Rpc__Timestamp arguments = RPC__TIMESTAMP__INIT;
    struct bytes out = {0};
    struct ttrpc_frame frame;
    Rpc__Request *request;

    arguments.seconds = 77;
    assert_true(ttrpc_put_request(&out, 9, "a.Service", "Method", &arguments.base));
    assert_int_equal(ttrpc_parse(out.data, out.len, &frame), TTRPC_FRAME);
    assert_int_equal(frame.len + TTRPC_HEADER_BYTES, out.len);
    assert_int_equal(frame.type, TTRPC_REQUEST);
    assert_int_equal(frame.stream, 9);
    request = rpc__request__unpack(NULL, frame.len, frame.payload);
    assert_string_equal(request->service, "a.Service");
    assert_string_equal(request->method, "Method");
    assert_int_equal(request->payload.len, 2);
    assert_memory_equal(request->payload.data, "\x08\x4d", 2);
    rpc__request__free_unpacked(request, NULL);
    bytes_done(&out);
    (void)state;
}

static void failure_carries_code_and_text(void **state)
{
    struct bytes out = {0};
    struct ttrpc_frame frame;
    Rpc__Response *response;

    assert_true(ttrpc_put_response(&out, 1, NULL));
    bytes_drop(&out, out.len);
    assert_true(ttrpc_put_failure(&out, 3, TTRPC_NOT_FOUND, "no such thing"));
    assert_int_equal(ttrpc_parse(out.data, out.len, &frame), TTRPC_FRAME);
    response = rpc__response__unpack(NULL, frame.len, frame.payload);
    assert_int_equal(response->status->code, 5);
    assert_string_equal(response->status->message, "no such thing");
    rpc__response__free_unpacked(response, NULL);
    bytes_done(&out);
    (void)state;
}

static void message_too_large_to_send(void **state)
{
    Rpc__Any any = RPC__ANY__INIT;
    struct bytes out = {0};

    any.value.len = TTRPC_PAYLOAD_MAX;
    any.value.data = calloc(1, any.value.len);
    assert_false(ttrpc_put_response(&out, 1, &any.base));
    assert_int_equal(out.len, 0);
    free(any.value.data);
    bytes_done(&out);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_byte_by_byte),        cmocka_unit_test(length_limit),
        cmocka_unit_test(request_there_and_back),    cmocka_unit_test(failure_carries_code_and_text),
        cmocka_unit_test(message_too_large_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
