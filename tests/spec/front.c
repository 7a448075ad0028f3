/* The WebAssembly specification's suite through decoder and validator alone: every binary module must be accepted, and
 * every one that the suite calls malformed or invalid refused. Nothing is run.
 *
 * usage: front [-v] FOLDER...: walks each folder for the .json files of wast2json, with all features on. Prints what
 * failed and the sum; with -v also every refusal beside the text that the suite expects. Skipped: what needs a parser
 * of the text format, and assertions that a later part of the language has overtaken. Proposals that are not ours are
 * left out. */
#include "base/fd.h"
#include "base/vec.h"
#include "engine/feature.h"
#include "engine/module.h"
#include "tests/spec/json.h"
#include "tests/spec/overtaken.h"
#include <ftw.h>
#include <limits.h>

static unsigned long passed, failed, skipped;
static bool verbose;

static void report(bool ok, const char *json, long long line, const char *what, const char *detail)
{
    if (ok)
        passed++;
    else
        failed++;
    if (!ok)
        printf("not ok - %s:%lld %s: %s\n", json, line, what, detail);
}

static const char *text_of(const struct json *object, const char *key)
{
    const char *text = json_string(object, key);
    return text == NULL ? "" : text;
}

static bool read_file(const char *path, struct buf *out)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fd_read_to_end(fd, out, 1 << 30) == 0;
}

static int check_module(const char *json, const char *file, struct err *err)
{
    char path[PATH_MAX];
    struct buf bytes = {0};
    struct module m;
    int rc;

    snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(json, '/') - json), json, file);
    if (!read_file(path, &bytes))
        return err_sys(err, "read %s", path);
    rc = module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, err);
    if (rc == 0)
        rc = module_validate(&m, FEATURES_ALL, err);
    module_free(&m);
    buf_done(&bytes);
    return rc;
}

static bool is_one_of(const char *type, const char *const *names)
{
    while (*names != NULL && strcmp(type, *names) != 0)
        names++;
    return *names != NULL;
}

static void run_command(const char *json, const struct json *command)
{
    static const char *const valid[] = {"module", "module_definition", "assert_unlinkable", "assert_uninstantiable",
                                        NULL};
    static const char *const invalid[] = {"assert_malformed", "assert_invalid", NULL};
    const char *type = text_of(command, "type"), *file = text_of(command, "filename");
    bool accept = is_one_of(type, valid);
    const char *extension = strrchr(file, '.');
    struct err err = {0};
    int rc;

    if (!accept && !is_one_of(type, invalid))
        return;
    if (extension == NULL || strcmp(extension, ".wasm") != 0 || is_overtaken(json, text_of(command, "text"))) {
        skipped++;
        return;
    }
    rc = check_module(json, file, &err);
    report((rc == 0) == accept, json, json_line(command), file, accept ? err.text : text_of(command, "text"));
    if (verbose && !accept)
        printf("# %s => %s\n", text_of(command, "text"), err.text);
}

static void run_json(const char *path)
{
    struct buf text = {0};
    const struct json *commands = NULL;

    if (read_file(path, &text)) {
        buf_put_u8(&text, 0);
        commands = json_array(json_parse((char *)text.data), "commands");
    }
    if (commands == NULL)
        report(false, path, 0, "no commands", "unreadable");
    for (size_t i = 0; commands != NULL && i < commands->count; i++)
        run_command(path, &commands->items[i]);
    buf_done(&text);
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    const char *extension = strrchr(path, '.');

    (void)status;
    (void)where;
    if (kind == FTW_F && extension != NULL && strcmp(extension, ".json") == 0 &&
        strstr(path, "/custom-descriptors/") == NULL)
        run_json(path);
    return 0;
}

int main(int argc, char **argv)
{
    int i;

    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    for (i = 1 + verbose; i < argc; i++)
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0)
            report(false, argv[i], 0, "cannot be walked", strerror(errno));
    printf("%lu passed, %lu failed, %lu skipped\n", passed, failed, skipped);
    return failed != 0 || passed == 0;
}
