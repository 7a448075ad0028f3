/* The socket on which containerd reaches a shim: who can talk to it could run containers. */
#include "base/fd.h"
#include "shim/address.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>

static void cve_2020_15257_a_path_of_the_owners_never_abstract(void **state)
{
    char top[] = "/tmp/wherry-address-XXXXXX", directory[64], address[ADDRESS_MAX];
    struct sockaddr_un bound;
    socklen_t len = sizeof bound;
    struct err e;
    struct stat st;

    assert_non_null(mkdtemp(top));
    snprintf(directory, sizeof directory, "%s/s", top);
    assert_int_equal(address_make(directory, "/run/containerd/containerd.sock", "k8s.io", "pod", address, &e), 0);
    assert_int_equal(strncmp(address, "unix:///tmp/", 12), 0);
    umask(0);
    cleanup_fd int fd = address_listen(address, &e);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    assert_int_equal(bound.sun_path[0], '/');
    assert_int_equal(stat(address_path(address), &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    unlink(address_path(address));
    rmdir(directory);
    rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cve_2020_15257_a_path_of_the_owners_never_abstract)};
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
