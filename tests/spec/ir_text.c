/* IR to text and back: of every function of the modules below the folders (or files) given, as it is built and after the passes,
 * what is read from its text prints the same and holds the IR's invariants. Bodies that the optimizing compiler leaves alone, and
 * modules that are none, are left out. Prints TAP. */
#include "base/fd.h"
#include "engine/feature.h"
#include "engine/opt/pass.h"
#include <ftw.h>
#include <stdlib.h>

static struct ir_func built, again;
static unsigned modules, functions, failures;

static void compare(const char *path, const char *after)
{
    struct buf text = {0}, text_again = {0};
    struct err err = {0};

    ir_put_text(&built, &text);
    if (ir_parse(&again, built.module, buf_cstr(&text), &err) != 0) {
        printf("# %s, function %u after %s: %s\n", path, built.index, after, err.text);
        failures++;
    } else {
        ir_put_text(&again, &text_again);
        if (strcmp(buf_cstr(&text), buf_cstr(&text_again)) != 0) {
            printf("# %s, function %u after %s: comes back as\n%s", path, built.index, after, buf_cstr(&text_again));
            failures++;
        }
    }
    buf_done(&text);
    buf_done(&text_again);
}

static void compare_module(const char *path, const struct module *m)
{
    const char *unsupported;

    modules++;
    for (uint32_t func = m->imported_func_count; func < m->func_count; func++) {
        ir_func_init(&built, m, func);
        built.explicit_bounds_checks = func % 4 == 3;
        if (!ir_build(&built, &unsupported))
            continue;
        functions++;
        compare(path, "building");
        passes_run(&built, NULL);
        compare(path, "the passes");
    }
}

static void compare_file(const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf bytes = {0};
    struct module m = {0};
    struct err err;

    if (fd < 0 || fd_read_to_end(fd, &bytes, 1 << 28) != 0)
        failures++;
    else if (module_decode(&m, bytes.data, bytes.len, FEATURES_ALL, &err) == 0 &&
             module_validate(&m, FEATURES_ALL, &err) == 0)
        compare_module(path, &m);
    built.module = again.module = NULL; /* the next one may lie where this one did */
    module_free(&m);
    buf_done(&bytes);
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    const char *extension = strrchr(path, '.');

    (void)st;
    (void)place;
    if (kind == FTW_F && extension != NULL && strcmp(extension, ".wasm") == 0)
        compare_file(path);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0)
            failures++;
    printf("# %u functions of %u modules\n", functions, modules);
    printf("%sok 1 - IR comes back from its text\n1..1\n", failures == 0 && functions != 0 ? "" : "not ");
    ir_func_done(&built);
    ir_func_done(&again);
    return failures != 0 || functions == 0;
}
