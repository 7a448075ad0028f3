/* See bootstrap.h. */
#include "shim/bootstrap.h"
#include "shim/bootstrap.pb-c.h"

static bool is_params(const Bootstrap__Params *p, const char *id)
{
    return strcmp(p->instance_id, id) == 0 &&
           (p->log_level != 0 || p->containerd_version[0] != 0 || p->containerd_ttrpc_address[0] != 0 ||
            p->containerd_grpc_address[0] != 0 || p->containerd_binary[0] != 0 || p->n_extensions != 0);
}

static bool is_options(const Rpc__Any *any)
{
    return any != NULL && strstr(any->type_url, "Options") != NULL;
}

static int params_read(const Bootstrap__Params *params, struct bootstrap *out, struct err *e)
{
    out->has_params = true;
    out->debug = params->log_level < 0;
    if ((size_t)snprintf(out->socket_dir, sizeof out->socket_dir, "%s", params->socket_dir) >= sizeof out->socket_dir)
        return err_set(e, EINVAL, "start: socket_dir is longer than a socket's path can be");
    for (size_t i = 0; i < params->n_extensions; i++)
        if (is_options(params->extensions[i]->value))
            return shim_options_read(params->extensions[i]->value, &out->options, e);
    return 0;
}

int bootstrap_read(const uint8_t *input, size_t len, const char *id, struct bootstrap *out, struct err *e)
{
    Bootstrap__Params *params = bootstrap__params__unpack(NULL, len, input);
    Rpc__Any *any;
    int error;

    *out = (struct bootstrap){0};
    if (len == 0) {
        if (params != NULL)
            bootstrap__params__free_unpacked(params, NULL);
        return 0;
    }
    if (params != NULL) {
        bool found = is_params(params, id);
        error = found ? params_read(params, out, e) : 0;
        bootstrap__params__free_unpacked(params, NULL);
        if (found)
            return error;
    }
    any = rpc__any__unpack(NULL, len, input);
    if (any == NULL)
        return err_set(e, EINVAL, "start: standard input is neither BootstrapParams for %s nor an Any of options", id);
    error =
        any->base.n_unknown_fields != 0
            ? err_set(e, EINVAL, "start: standard input is neither BootstrapParams for %s nor an Any of options", id)
            : shim_options_read(any, &out->options, e);
    rpc__any__free_unpacked(any, NULL);
    return error;
}

void bootstrap_answer(const struct bootstrap *b, const char *max_shim_version, const char *address, struct buf *out)
{
    Bootstrap__Result result = BOOTSTRAP__RESULT__INIT;

    if (b->has_params) {
        result.version = 3;
        result.address = (char *)address;
        result.protocol = (char *)"ttrpc";
        bootstrap__result__pack(&result, buf_extend(out, bootstrap__result__get_packed_size(&result)));
    } else if (max_shim_version != NULL) {
        buf_printf(out, "{\"version\":2,\"address\":\"%s\",\"protocol\":\"ttrpc\"}", address);
    } else {
        buf_put_str(out, address);
    }
}
