/* The talk between the runtime and the container's init: whole messages, or an error. */
#include "tests/unit/oci/private.h"
#include "oci/channel.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct err e;

static void carries_a_message(void **state)
{
    struct message sent = {.kind = MESSAGE_SOURCE, .fds = {-1, -1}, .number = 7}, got;
    int ends[2];

    assert_int_equal(channel_open(ends, &e), 0);
    assert_int_equal(channel_send(ends[0], &sent, &e), 0);
    assert_int_equal(channel_receive(ends[1], &got, &e), 1);
    assert_int_equal(got.kind, MESSAGE_SOURCE);
    assert_int_equal(got.number, 7);
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], &got, &e), 0);
    close(ends[1]);
}

/* CVE-2021-43784: a length that wrapped made runc read namespaces out of another field. Ours must agree with what came: what is
 * not exactly one message is refused. */
static void cve_2021_43784_only_whole_messages(void **state)
{
    static const size_t lengths[] = {1, 4, sizeof(struct message) - 1, sizeof(struct message) + 1, 65536 + 8};
    static char bytes[65536 + 8];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct message got;
        int ends[2];
        assert_int_equal(channel_open(ends, &e), 0);
        memcpy(bytes, &(struct message){.kind = MESSAGE_GO}, sizeof(struct message));
        assert_int_equal(send(ends[0], bytes, lengths[i], 0), (ssize_t)lengths[i]);
        assert_true(channel_receive(ends[1], &got, &e) < 0);
        close(ends[0]);
        close(ends[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_a_message),
        cmocka_unit_test(cve_2021_43784_only_whole_messages),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
