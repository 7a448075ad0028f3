/* See wasm_detect.h; the rules are those of docs/ARCHITECTURE.md, "Detection". */
#include "oci/wasm_detect.h"
#include "wherry/engine.h"

static bool is_sandbox(const struct config *config)
{
    static const char *const keys[] = {"io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = config_annotation(config, keys[i]);
        if (value != NULL && strcmp(value, "sandbox") == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int decide_wasm(const struct config *config, const char *path, struct wasm_decision *out, struct err *e)
{
    /* executing it would be up to binfmt_misc of the host: whatever is registered there */
    if (is_sandbox(config))
        return err_set(e, ENOEXEC, "exec: \"%s\": exec format error: the container of a pod's sandbox is never Wasm",
                       path);
    out->is_wasm = true;
    out->rule = "Wasm: the file begins as a core module";
    return 0;
}

int wasm_detect(const struct config *config, const char *path, const void *bytes, long len, struct wasm_decision *out,
                struct err *e)
{
    out->is_wasm = false;
    if (len < 0) {
        out->rule = "native: the file cannot be read, only executed";
        return 0;
    }
    switch (engine_detect(bytes, (size_t)len)) {
    case ENGINE_MODULE: return decide_wasm(config, path, out, e);
    case ENGINE_COMPONENT: return err_set(e, ENOTSUP, "exec: \"%s\": a Wasm component is not supported yet", path);
    case ENGINE_UNKNOWN_VERSION:
        return err_set(e, ENOEXEC, "exec: \"%s\": exec format error: Wasm of a version that is not known", path);
    case ENGINE_NOT_WASM: break;
    }
    if (len >= 4 && memcmp(bytes, "\177ELF", 4) == 0)
        out->rule = "native: the file begins as an ELF program";
    else if (len >= 2 && memcmp(bytes, "#!", 2) == 0)
        out->rule = "native: the file begins as a script";
    else if (ends_with(path, ".wasm"))
        return err_set(e, ENOEXEC, "exec: \"%s\": exec format error: it is named .wasm, but its content is not Wasm",
                       path);
    else
        return err_set(e, ENOEXEC, "exec: \"%s\": exec format error: it is neither ELF nor a script nor Wasm", path);
    return 0;
}
