/* What may be asked of an artifact without mapping it: only its fixed header is read. */
#include "engine/gen/artifact.h"
#include "wherry/engine.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_header(int fd, union artifact_page *page, uint64_t *file_bytes, struct err *err)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "cannot look at the artifact");
    *file_bytes = (uint64_t)st.st_size;
    n = pread(fd, page, sizeof *page, 0);
    if (n < 0)
        return err_sys(err, "cannot read the artifact");
    return n == (ssize_t)sizeof *page ? 0 : err_set(err, ESTALE, "the artifact is truncated");
}

int engine_artifact_check(int fd, const uint8_t key[32], const struct engine_options *options, struct err *err)
{
    struct engine_options o = engine_options_resolved(options);
    struct artifact_identity identity = {
        .key = key,
        .compiler = o.compiler,
        .features = o.features,
        .cpu_features = engine_cpu_features(o.compiler),
        .explicit_bounds_checks = o.explicit_bounds_checks,
    };
    union artifact_page page;
    uint64_t file_bytes;
    int status = read_header(fd, &page, &file_bytes, err);

    return status != 0 ? status : artifact_check_header(&page.header, file_bytes, &identity, err);
}

int engine_artifact_check_imports(int fd, const struct grant *grant, struct err *err)
{
    union artifact_page page;
    uint64_t file_bytes;
    int status = read_header(fd, &page, &file_bytes, err);

    /* Every function of preview 1 is there whatever is granted: without a grant it fails in the guest, with an
     * errno. */
    if (status == 0 && page.header.unknown_import[0] != 0)
        status = err_set(err, ENOENT, "%.*s", (int)sizeof page.header.unknown_import, page.header.unknown_import);
    if (status == 0 && page.header.not_a_command[0] != 0)
        status = err_set(err, ENOEXEC, "%.*s", (int)sizeof page.header.not_a_command, page.header.not_a_command);
    return status;
}
