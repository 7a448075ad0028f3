/* command [-b] [-o] [-d DIRECTORY] MODULE [ARGUMENT...]: compiles a WASI command and runs it, in one process and with
 * nothing but the engine, so that it can be built for another architecture and run there. DIRECTORY becomes its root; -b: with
 * explicit bounds checks, -o: by the optimizing compiler. */
#include "base/fd.h"
#include "wherry/engine.h"
#include <stdlib.h>
#include <sys/mman.h>

static int compile(const char *path, const struct engine_options *options, int *artifact_fd, struct err *err)
{
    static const uint8_t key[32];
    struct buf bytes = {0}, artifact = {0};
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status;

    if (fd < 0 || fd_read_to_end(fd, &bytes, 1 << 30) != 0)
        return err_sys(err, "%s", path);
    status = engine_compile(bytes.data, bytes.len, key, options, &artifact, err);
    if (status != 0)
        return status;
    *artifact_fd = memfd_create("artifact", MFD_CLOEXEC);
    if (*artifact_fd < 0 || fd_write_all(*artifact_fd, artifact.data, artifact.len) != 0)
        return err_sys(err, "cannot store the artifact");
    return 0;
}

int main(int argc, char **argv)
{
    struct engine_options options = {0};
    struct grant_path root = {.kind = GRANT_DIRECTORY, .guest_path = "/", .fd = -1, .writable = true};
    struct grant grant = {.paths = &root};
    struct err err = {0};
    int option, artifact_fd = -1, status;

    while ((option = getopt(argc, argv, "+bd:o")) != -1) {
        if (option == 'b')
            options.explicit_bounds_checks = true;
        else if (option == 'o')
            options.compiler = ENGINE_OPTIMIZING;
        else if (option == 'd')
            grant.path_count = (root.fd = open(optarg, O_PATH | O_DIRECTORY)) >= 0;
        else
            return 2;
    }
    if (optind == argc)
        return 2;
    grant.args = (const char *const *)argv + optind;
    grant.arg_count = (uint32_t)(argc - optind);
    status = compile(argv[optind], &options, &artifact_fd, &err);
    if (status == 0)
        status = engine_run(artifact_fd, -1, &grant, false, &err);
    if (status < 0)
        fprintf(stderr, "command: %s\n", err.text);
    return status < 0 ? 126 : status;
}
