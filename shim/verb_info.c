/* -info: what containerd 2.x asks of every runtime it does not know yet. */
#include "shim/verb.h"
#include "base/fd.h"
#include "shim/bootstrap.pb-c.h"
#include "shim/version.h"

int verb_info(void)
{
    Bootstrap__RuntimeInfo info = BOOTSTRAP__RUNTIME_INFO__INIT;
    Bootstrap__RuntimeVersion version = BOOTSTRAP__RUNTIME_VERSION__INIT;
    struct buf out = {0};

    version.version = (char *)SHIM_VERSION;
    info.name = (char *)"io.containerd.wherry.v1";
    info.version = &version;
    bootstrap__runtime_info__pack(&info, buf_extend(&out, bootstrap__runtime_info__get_packed_size(&info)));
    return fd_write_all(1, out.data, out.len) != 0;
}
