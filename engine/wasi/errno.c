/* Linux errno → WASI errno, as one table. See errno.h. */
#include "engine/wasi/errno.h"
#include <errno.h>
#include <stddef.h>

/* Both lists are POSIX's, so the names agree but for the prefix. */
/* clang-format off */
#define SAME_NAMES(X) \
    X(2BIG) X(ACCES) X(ADDRINUSE) X(ADDRNOTAVAIL) X(AFNOSUPPORT) X(AGAIN) X(ALREADY) X(BADF) X(BADMSG) X(BUSY) \
    X(CHILD) X(CONNABORTED) X(CONNREFUSED) X(CONNRESET) X(DEADLK) X(DESTADDRREQ) X(DOM) X(DQUOT) X(EXIST) X(FAULT) \
    X(FBIG) X(HOSTUNREACH) X(IDRM) X(ILSEQ) X(INPROGRESS) X(INTR) X(INVAL) X(IO) X(ISCONN) X(ISDIR) X(LOOP) \
    X(MFILE) X(MLINK) X(MSGSIZE) X(MULTIHOP) X(NAMETOOLONG) X(NETDOWN) X(NETRESET) X(NETUNREACH) X(NFILE) X(NOBUFS) \
    X(NODEV) X(NOENT) X(NOEXEC) X(NOLCK) X(NOLINK) X(NOMEM) X(NOMSG) X(NOPROTOOPT) X(NOSPC) X(NOSYS) X(NOTCONN) \
    X(NOTDIR) X(NOTEMPTY) X(NOTRECOVERABLE) X(NOTSOCK) X(NOTTY) X(NXIO) X(OVERFLOW) X(OWNERDEAD) X(PERM) X(PIPE) \
    X(PROTO) X(PROTONOSUPPORT) X(PROTOTYPE) X(RANGE) X(ROFS) X(SPIPE) X(SRCH) X(STALE) X(TIMEDOUT) X(TXTBSY) \
    X(XDEV)
/* clang-format on */

static const uint8_t by_linux[] = {
#define X(name) [E##name] = WASI_##name,
    SAME_NAMES(X)
#undef X
        [ECANCELED] = WASI_CANCELED,
    [EOPNOTSUPP] = WASI_NOTSUP,
};

_Static_assert(WASI_NOTCAPABLE == 76, "the list of the witx ends with 76");

enum wasi_errno wasi_errno(int code)
{
    if (code == 0)
        return WASI_SUCCESS;
    if (code < 0 || (size_t)code >= sizeof by_linux || by_linux[code] == 0)
        return WASI_IO;
    return (enum wasi_errno)by_linux[code];
}
