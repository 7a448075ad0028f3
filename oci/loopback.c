/* See loopback.h. */
#include "oci/loopback.h"
#include "base/fd.h"
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int loopback_up(struct err *e)
{
    struct ifreq request = {.ifr_name = "lo"};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 && errno == EAFNOSUPPORT) /* a kernel without IPv4 */
        return 0;
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return err_sys(e, "cannot look at the loopback interface");
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? err_sys(e, "cannot set the loopback interface up") : 0;
}
