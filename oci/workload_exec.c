/* A native program: found, looked at, executed. */
#include "base/fd.h"
#include "oci/workload.h"
#include <linux/capability.h>
#include <sys/stat.h>

static const char *find_env(const struct strings *env, const char *name)
{
    size_t len = strlen(name);

    for (uint32_t i = 0; i < env->count; i++)
        if (strncmp(env->data[i], name, len) == 0 && env->data[i][len] == '=')
            return env->data[i] + len + 1;
    return NULL;
}

/* 0 if PATH is a regular file. */
static int check_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
}

/* Whether execve will let the process have PATH, a regular file. access(2) answers for a user without capabilities. */
static bool is_executable(const struct config *config, const char *path)
{
    struct stat st;

    if (access(path, X_OK) == 0)
        return true;
    return (config->process.capabilities.effective >> CAP_DAC_OVERRIDE & 1) != 0 && stat(path, &st) == 0 &&
           (st.st_mode & 0111) != 0;
}

/* The first file of that name in PATH which may be executed, or, for modules without the x bit, the first at all. */
static int search(const struct config *config, const char *name, const char *path, char out[PATH_MAX])
{
    char found[PATH_MAX] = "";

    for (const char *end; *path != 0; path = *end != 0 ? end + 1 : end) {
        end = path + strcspn(path, ":");
        int len = snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - path), end == path ? "." : path, name);
        if (end == path)
            len = snprintf(out, PATH_MAX, "./%s", name);
        if (len >= PATH_MAX || check_file(out) < 0)
            continue;
        if (is_executable(config, out))
            return 0;
        if (found[0] == 0)
            memcpy(found, out, sizeof found);
    }
    memcpy(out, found, sizeof found);
    return found[0] != 0 ? 0 : -ENOENT;
}

static int locate(const struct config *config, char out[PATH_MAX], struct err *e)
{
    static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const char *name = config->process.args.data[0];
    const char *path = find_env(&config->process.env, "PATH");
    int ret;

    if (strchr(name, '/') == NULL) {
        if (search(config, name, path != NULL ? path : default_path, out) < 0)
            return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
        return 0;
    }
    if (snprintf(out, PATH_MAX, "%s", name) >= PATH_MAX)
        return err_set(e, ENAMETOOLONG, "exec: the path of the program is too long");
    ret = check_file(out);
    if (ret == -ENOENT || ret == -ENOTDIR)
        return err_set(e, -ret, "exec: \"%s\": stat %s: %s", name, name,
                       ret == -ENOENT ? "no such file or directory" : "not a directory");
    if (ret == -EISDIR)
        return err_set(e, EACCES, "exec: \"%s\": is a directory: permission denied", name);
    return ret < 0 ? err_set(e, -ret, "exec: \"%s\": %s", name, ret == -EACCES ? "permission denied" : strerror(-ret))
                   : 0;
}

int workload_find(const struct config *config, struct workload *out, struct err *e)
{
    unsigned char head[WASM_DETECT_BYTES];
    bool executable, wasm_bytes;
    ssize_t len = -1;
    int ret;

    out->module = out->artifact = out->live = out->engine = out->block = -1;
    out->mounts[0] = out->mounts[1] = -1;
    ret = locate(config, out->path, e);
    if (ret < 0)
        return ret;
    /* NONBLOCK: whoever shares a volume may put a FIFO there after the look above */
    cleanup_fd int fd = open(out->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        len = fd_read_full(fd, head, sizeof head);
    executable = is_executable(config, out->path);
    wasm_bytes = len >= 4 && memcmp(head, "\0asm", 4) == 0;
    if (!executable && !wasm_bytes) {
        size_t name_len = strlen(out->path);
        if (len < 0 || name_len < 5 || strcmp(out->path + name_len - 5, ".wasm") != 0)
            return err_set(e, EACCES, "exec: \"%s\": permission denied", config->process.args.data[0]);
    }
    ret = wasm_detect(config, out->path, head, len, &out->decision, e);
    if (ret == 0 && out->decision.is_wasm)
        out->module = fd_take(&fd);
    return ret;
}

int workload_take(const struct config *config, int module, struct workload *out, struct err *e)
{
    unsigned char head[WASM_DETECT_BYTES];
    ssize_t len = pread(module, head, sizeof head, 0);
    int ret;

    out->module = out->artifact = out->live = out->engine = out->block = -1;
    out->mounts[0] = out->mounts[1] = -1;
    snprintf(out->path, sizeof out->path, "%s", config->process.args.data[0]);
    ret = wasm_detect(config, out->path, head, len, &out->decision, e);
    if (ret == 0 && !out->decision.is_wasm)
        return err_set(e, ENOEXEC, "exec: \"%s\": the image's Wasm layer holds no Wasm module", out->path);
    if (ret == 0)
        out->module = fcntl(module, F_DUPFD_CLOEXEC, 3);
    return ret == 0 && out->module < 0 ? err_sys(e, "cannot keep the module open") : ret;
}

int workload_exec(const struct config *config, const struct workload *workload, char **environment, struct err *e)
{
    execve(workload->path, config->process.args.data, environment);
    if (errno == EACCES)
        return err_set(e, EACCES, "exec: \"%s\": permission denied", workload->path);
    /* the file is there, so it is what it names: the loader of an ELF file, the first line of a script */
    if (errno == ENOENT)
        return err_set(e, ENOENT, "exec %s: no such file or directory: its interpreter is missing", workload->path);
    return err_sys(e, "exec: \"%s\"", workload->path);
}
