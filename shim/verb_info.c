/* -info: what containerd 2.x asks of every runtime it does not know yet. */
#include "shim/verb.h"
#include "base/fd.h"
#include "oci/features.h"
#include "shim/bootstrap.pb-c.h"
#include "shim/version.h"

int verb_info(void)
{
    Bootstrap__RuntimeInfo info = BOOTSTRAP__RUNTIME_INFO__INIT;
    Bootstrap__RuntimeVersion version = BOOTSTRAP__RUNTIME_VERSION__INIT;
    Rpc__Any features = RPC__ANY__INIT;
    struct buf document = {0}, out = {0};

    features_write(&document, 0);
    features.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/features/Features";
    features.value.data = document.data;
    features.value.len = document.len;
    version.version = (char *)SHIM_VERSION;
    info.name = (char *)"io.containerd.wherry.v1";
    info.version = &version;
    info.features = &features;
    bootstrap__runtime_info__pack(&info, buf_extend(&out, bootstrap__runtime_info__get_packed_size(&info)));
    return fd_write_all(1, out.data, out.len) != 0;
}
