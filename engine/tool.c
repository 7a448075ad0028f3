/* `wherry wasm ...`: modules without containers, for people at a terminal. */
#include "wherry/tool.h"
#include "base/fd.h"
#include "engine/digest.h"
#include "engine/dump.h"
#include "engine/opt/passes.h"
#include "engine/feature.h"
#include "engine/gen/artifact.h"
#include "engine/module.h"
#include "engine/text.h"
#include "wherry/cache.h"
#include "wherry/engine.h"
#include "wherry/worker.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
    STATUS_USAGE = 2,
    STATUS_FAILED = 1,
    MODULE_BYTES_MAX = 1 << 30,
};

static const char usage_text[] =
    "usage: wherry wasm run [--compiler=NAME] [--cache=DIR|--no-cache] [--confined] [--env NAME=VALUE]...\n"
    "           [--dir HOST[::GUEST][:ro]]... MODULE [ARGUMENT...]\n"
    "       wherry wasm compile [--compiler=NAME] [--no-opt=PASS]... [-o FILE] [-d LETTERS] [-f FUNCTION] MODULE\n"
    "           -d prints stages: d the decoded module, m the machine code; of the optimizing compiler i the IR as\n"
    "           it is built, p after each pass, o after all, t the time of each; -f of one function only\n"
    "       wherry wasm inspect MODULE\n"
    "       wherry wasm validate MODULE...\n";

static int usage(const char *format, const char *what)
{
    if (format != NULL) {
        fputs("wherry: ", stderr);
        fprintf(stderr, format, what);
        fputc('\n', stderr);
    }
    fputs(usage_text, stderr);
    return STATUS_USAGE;
}

static int complain(const struct err *err)
{
    fprintf(stderr, "wherry: %s\n", err->text);
    return STATUS_FAILED;
}

/* --- options -------------------------------------------------------------------------------------------------- */

struct tool_options {
    struct engine_options engine;
    struct cache_settings cache;
    const char *out, *dumps;
    bool confined;
    VEC(const char *) environment;
    VEC(struct grant_path) paths;
    char **rest; /* what follows the options */
    int rest_count;
};

/* The value of the option NAME at argv[*at]: "--name=value" or "--name value". NULL: another option, or (*MISSING)
 * no value. */
static const char *option_value(char **argv, int *at, const char *name, bool *missing)
{
    size_t len = strlen(name);

    if (strncmp(argv[*at], name, len) != 0 || (argv[*at][len] != 0 && argv[*at][len] != '='))
        return NULL;
    if (argv[*at][len] == '=')
        return argv[*at] + len + 1;
    if (argv[*at + 1] == NULL) {
        *missing = true;
        return NULL;
    }
    return argv[++*at];
}

static int parse_compiler(const char *name, enum engine_compiler *out, struct err *err)
{
    if (strcmp(name, "baseline") == 0)
        *out = ENGINE_BASELINE;
    else if (strcmp(name, "optimizing") == 0)
        *out = ENGINE_OPTIMIZING;
    else
        return err_set(err, EINVAL, "--compiler=%s: there are baseline and optimizing", name);
    return 0;
}

static int parse_func(const char *text, uint32_t *dump_func, struct err *err)
{
    char *end;
    unsigned long func = strtoul(text, &end, 10);

    if (*end != 0 || end == text || func >= UINT32_MAX)
        return err_set(err, EINVAL, "-f %s: a function's number is wanted", text);
    *dump_func = (uint32_t)func + 1;
    return 0;
}

static int parse_pass(const char *name, uint64_t *off, struct err *err)
{
    for (unsigned n = 0; n < OPT_COUNT; n++)
        if (strcmp(name, opt_names[n]) == 0) {
            *off |= UINT64_C(1) << n;
            return 0;
        }
    return err_set(err, EINVAL, "--no-opt=%s: there is no such pass (engine/opt/passes.h)", name);
}

/* HOST, HOST::GUEST, either with :ro at the end. Without GUEST the guest sees the directory as it is named on the
 * host. */
static int parse_directory(const char *text, struct grant_path *out, struct err *err)
{
    size_t len = strlen(text);
    bool read_only = len > 3 && strcmp(text + len - 3, ":ro") == 0;
    const char *end = text + len - (read_only ? 3 : 0), *colons = memmem(text, (size_t)(end - text), "::", 2);
    const char *guest = colons != NULL ? colons + 2 : text;
    char *host = strndup(text, (size_t)((colons != NULL ? colons : end) - text)), *path = NULL;

    *out = (struct grant_path){.kind = GRANT_DIRECTORY, .writable = !read_only};
    out->fd = open(host, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->fd < 0)
        err_sys(err, "--dir %s", host);
    free(host);
    if (out->fd < 0)
        return -err->code;
    out->preopen_name = strndup(guest, (size_t)(end - guest));
    out->guest_path = out->preopen_name;
    if (guest[0] != '/' && asprintf(&path, "/%s", strcmp(out->preopen_name, ".") == 0 ? "" : out->preopen_name) < 0)
        out_of_memory();
    if (path != NULL)
        out->guest_path = path;
    return 0;
}

static int parse_one(struct tool_options *o, char **argv, int *at, struct err *err)
{
    bool missing = false;
    const char *value;
    struct grant_path path;
    int status;

    if ((value = option_value(argv, at, "--compiler", &missing)) != NULL)
        return parse_compiler(value, &o->engine.compiler, err);
    if ((value = option_value(argv, at, "--cache", &missing)) != NULL) {
        o->cache.directory = value;
    } else if (strcmp(argv[*at], "--no-cache") == 0) {
        o->cache.disabled = true;
    } else if (strcmp(argv[*at], "--confined") == 0) {
        o->confined = true;
    } else if ((value = option_value(argv, at, "--env", &missing)) != NULL) {
        if (strchr(value, '=') == NULL)
            return err_set(err, EINVAL, "--env %s: NAME=VALUE is wanted", value);
        vec_push(&o->environment, value);
    } else if ((value = option_value(argv, at, "--dir", &missing)) != NULL) {
        if ((status = parse_directory(value, &path, err)) != 0)
            return status;
        vec_push(&o->paths, path);
    } else if ((value = option_value(argv, at, "-o", &missing)) != NULL) {
        o->out = value;
    } else if ((value = option_value(argv, at, "-d", &missing)) != NULL) {
        if (value[strspn(value, "diptom")] != 0)
            return err_set(err, EINVAL, "-d %s: the stages are d, i, p, o, m and t (see wherry wasm)", value);
        o->dumps = value;
    } else if ((value = option_value(argv, at, "-f", &missing)) != NULL) {
        return parse_func(value, &o->engine.dump_func, err);
    } else if ((value = option_value(argv, at, "--no-opt", &missing)) != NULL) {
        return parse_pass(value, &o->engine.passes_off, err);
    } else if (missing) {
        return err_set(err, EINVAL, "%s: a value is missing", argv[*at]);
    } else {
        return err_set(err, EINVAL, "unknown option %s", argv[*at]);
    }
    return 0;
}

static int parse_options(struct tool_options *o, int argc, char **argv, struct err *err)
{
    int at = 1;

    for (; at < argc && argv[at][0] == '-' && argv[at][1] != 0; at++) {
        int status;
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if ((status = parse_one(o, argv, &at, err)) != 0)
            return status;
    }
    o->rest = argv + at;
    o->rest_count = argc - at;
    return 0;
}

static int open_module(const char *path, struct err *err)
{
    uint8_t head[8];
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s: not a regular file", path);
    n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return err_sys(err, "%s", path);
    switch (engine_detect(head, (size_t)n)) {
    case ENGINE_MODULE: return fd_take(&fd);
    case ENGINE_COMPONENT:
        return err_set(err, ENOTSUP, "%s: this is a component, and components are not supported yet (core modules are)",
                       path);
    case ENGINE_UNKNOWN_VERSION:
        return err_set(err, EINVAL, "%s: a Wasm file of an unknown version, or a truncated one", path);
    case ENGINE_NOT_WASM: break;
    }
    return err_set(err, ENOEXEC, "%s: not a Wasm module: it does not begin with \\0asm", path);
}

/* --- run ------------------------------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Under a limit on the address space there is no room for guard regions: the code must compare. */
static bool address_space_is_small(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           engine_needs_explicit_checks(limit.rlim_cur);
}

static int run(int argc, char **argv)
{
    struct tool_options o = {0};
    struct err err = {0};
    struct grant grant = {0};
    int module_fd, artifact_fd, live_fd = -1, status;

    if (parse_options(&o, argc, argv, &err) != 0)
        return usage("%s", err.text);
    if (o.rest_count == 0)
        return usage("no module given", "");
    if ((module_fd = open_module(o.rest[0], &err)) < 0)
        return complain(&err);
    o.cache.kept_private = o.cache.optimizes = true;
    o.engine.explicit_bounds_checks = address_space_is_small();
    status = cache_open_live(module_fd, &o.engine, &o.cache, &artifact_fd, &live_fd, NULL, &err);
    close(module_fd);
    if (status != 0) {
        err_prefix(&err, "%s", o.rest[0]);
        return complain(&err);
    }
    grant.module_name = base_name(o.rest[0]);
    grant.args = (const char *const *)o.rest;
    grant.arg_count = (uint32_t)o.rest_count;
    grant.environment = o.environment.data;
    grant.environment_count = (uint32_t)o.environment.len;
    grant.paths = o.paths.data;
    grant.path_count = (uint32_t)o.paths.len;
    status = engine_run(artifact_fd, live_fd, &grant, o.confined, &err);
    return status < 0 ? complain(&err) : status;
}

/* --- compile -------------------------------------------------------------------------------------------------- */

static int load_module(const char *path, struct module *m, struct buf *bytes, struct err *err)
{
    cleanup_fd int fd = open_module(path, err);
    int status;

    if (fd < 0)
        return fd;
    if (fd_read_to_end(fd, bytes, MODULE_BYTES_MAX) != 0)
        return err_sys(err, "%s", path);
    if ((status = module_decode(m, bytes->data, bytes->len, engine_default_features(), err)) != 0 ||
        (status = module_validate(m, engine_default_features(), err)) != 0)
        err_prefix(err, "%s", path);
    return status;
}

static int compile_to(const struct tool_options *o, int module_fd, int out_fd, struct err *err)
{
    uint8_t key[DIGEST_BYTES];
    const struct compile_request request = {.key = key, .options = &o->engine, .libexec = o->cache.libexec};
    uint64_t size_bytes;
    int status = digest_file(module_fd, -1, key, &size_bytes);

    if (status != 0)
        return err_set(err, -status, "cannot read the module: %s", strerror(-status));
    return compile_artifact(&request, module_fd, out_fd, err);
}

/* What the compile worker makes, in memory. */
static int compile_to_memory(const struct tool_options *o, int module_fd, struct buf *bytes, struct err *err)
{
    cleanup_fd int fd = memfd_create("artifact", MFD_CLOEXEC);
    int status;

    if (fd < 0)
        return err_sys(err, "cannot make a file for the artifact");
    status = compile_to(o, module_fd, fd, err);
    if (status == 0 && (lseek(fd, 0, SEEK_SET) != 0 || fd_read_to_end(fd, bytes, MODULE_BYTES_MAX) != 0))
        status = err_sys(err, "cannot read the artifact");
    return status;
}

static int compile_to_file(const struct tool_options *o, int module_fd, const char *out, struct err *err)
{
    cleanup_fd int out_fd = -1;
    char *temporary;
    int status;

    if (asprintf(&temporary, "%s.%d", out, (int)getpid()) < 0)
        out_of_memory();
    out_fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out_fd < 0)
        return err_sys(err, "%s", temporary);
    status = compile_to(o, module_fd, out_fd, err);
    if (status == 0 && rename(temporary, out) != 0)
        status = err_sys(err, "%s", out);
    if (status != 0)
        unlink(temporary);
    free(temporary);
    return status;
}

/* To what exists and is no file, such as /dev/null: it is written to, not replaced. */
static int compile_to_device(const struct tool_options *o, int module_fd, const char *out, struct err *err)
{
    struct buf bytes = {0};
    cleanup_fd int fd = open(out, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    int status = fd < 0 ? err_sys(err, "%s", out) : compile_to_memory(o, module_fd, &bytes, err);

    if (status == 0 && fd_write_all(fd, bytes.data, bytes.len) != 0)
        status = err_sys(err, "%s", out);
    buf_done(&bytes);
    return status;
}

static int compile_file(const struct tool_options *o, int module_fd, const char *out, struct err *err)
{
    struct stat st;

    if (stat(out, &st) == 0 && !S_ISREG(st.st_mode))
        return compile_to_device(o, module_fd, out, err);
    return compile_to_file(o, module_fd, out, err);
}

/* One stage of the optimizing compiler. */
static int append_ir(const struct tool_options *o, char letter, int module_fd, struct buf *text, struct err *err)
{
    struct tool_options with = *o;

    with.engine.compiler = ENGINE_OPTIMIZING;
    with.engine.dumps[0] = letter;
    return compile_to_memory(&with, module_fd, text, err);
}

static int append_code(const struct tool_options *o, int module_fd, struct buf *text, struct err *err)
{
    const struct artifact_identity any = {0};
    struct artifact a;
    struct buf bytes = {0};
    int status = compile_to_memory(o, module_fd, &bytes, err);

    if (status == 0 && (status = artifact_check_header((const void *)bytes.data, bytes.len, &any, err)) == 0 &&
        (status = artifact_open(&a, bytes.data, bytes.len, err)) == 0)
        dump_code(&a, o->engine.dump_func, text);
    buf_done(&bytes);
    return status;
}

/* Only prints: nothing is left but by -o. */
static int print_stages(const struct tool_options *o, int module_fd, const char *path, struct err *err)
{
    struct buf text = {0};
    int status = 0;

    for (const char *letter = o->dumps; *letter != 0 && status == 0; letter++) {
        struct module m = {0};
        struct buf bytes = {0};
        if (*letter == 'm')
            status = append_code(o, module_fd, &text, err);
        else if (*letter != 'd')
            status = append_ir(o, *letter, module_fd, &text, err);
        else if ((status = load_module(path, &m, &bytes, err)) == 0)
            dump_module(&m, &text);
        module_free(&m);
        buf_done(&bytes);
    }
    if (status == 0 && fd_write_all(1, text.data, text.len) != 0)
        status = err_sys(err, "cannot write");
    buf_done(&text);
    return status;
}

static int compile(int argc, char **argv)
{
    struct tool_options o = {0};
    struct err err = {0};
    char *out = NULL;
    cleanup_fd int module_fd = -1;

    if (parse_options(&o, argc, argv, &err) != 0)
        return usage("%s", err.text);
    if (o.rest_count != 1)
        return usage("one module is wanted", "");
    if (o.out == NULL && asprintf(&out, "%s.artifact", o.rest[0]) < 0)
        out_of_memory();
    module_fd = open_module(o.rest[0], &err);
    if (module_fd < 0 || (o.dumps != NULL && print_stages(&o, module_fd, o.rest[0], &err) != 0))
        return complain(&err);
    if ((o.dumps != NULL && o.out == NULL) || compile_file(&o, module_fd, o.out != NULL ? o.out : out, &err) == 0)
        return 0;
    err_prefix(&err, "%s", o.rest[0]);
    return complain(&err);
}

/* --- validate and inspect ------------------------------------------------------------------------------------- */

/* Decodes and validates PATH. The caller releases M and BYTES also after a failure. */
static int validate(int argc, char **argv)
{
    int result = 0;

    if (argc < 2)
        return usage("no module given", "");
    for (int i = 1; i < argc; i++) {
        struct module m = {0};
        struct buf bytes = {0};
        struct err err = {0};
        if (load_module(argv[i], &m, &bytes, &err) != 0)
            result = complain(&err);
        module_free(&m);
        buf_done(&bytes);
    }
    return result;
}

static void put_external(struct buf *out, const struct module *m, enum external_kind kind, uint32_t index)
{
    const struct type_def *type;

    buf_printf(out, "%s ", text_external_kind(kind));
    if (kind == EXTERNAL_FUNC) {
        struct buf types = {0};
        type = &m->types[m->funcs[index].type];
        buf_put(&types, type->params, type->param_count * sizeof(valtype));
        buf_put(&types, type->results, type->result_count * sizeof(valtype));
        text_func_type(out, (const valtype *)types.data, type->param_count, type->result_count);
        buf_done(&types);
    } else if (kind == EXTERNAL_GLOBAL) {
        buf_put_str(out, m->globals[index].mutable ? "mutable " : "");
        text_valtype(out, m->globals[index].type);
    } else if (kind == EXTERNAL_TABLE) {
        text_valtype(out, m->tables[index].type);
        buf_printf(out, ", at least %llu", (unsigned long long)m->tables[index].limits.min);
    } else if (kind == EXTERNAL_MEMORY) {
        buf_printf(out, "of at least %llu pages", (unsigned long long)m->memories[index].limits.min);
    }
}

static void put_module(struct buf *out, const struct module *m)
{
    buf_printf(out, "%zu bytes, %u functions, %u globals, %u tables, %u memories, %u data segments\n", m->len,
               m->func_count - m->imported_func_count, m->global_count, m->table_count, m->memory_count, m->data_count);
    for (uint32_t features = m->features_used; features != 0; features &= features - 1)
        buf_printf(out, "uses %s\n", feature_name(features));
    for (uint32_t i = 0; i < m->import_count; i++) {
        buf_put_str(out, "import ");
        text_name(out, m->imports[i].module);
        buf_put_str(out, " ");
        text_name(out, m->imports[i].field);
        buf_put_str(out, " ");
        put_external(out, m, m->imports[i].kind, m->imports[i].index);
        buf_put_str(out, "\n");
    }
    for (uint32_t i = 0; i < m->export_count; i++) {
        buf_put_str(out, "export ");
        text_name(out, m->exports[i].name);
        buf_put_str(out, " ");
        put_external(out, m, m->exports[i].kind, m->exports[i].index);
        buf_put_str(out, "\n");
    }
    for (uint32_t i = 0; i < m->custom_count; i++) {
        buf_put_str(out, "custom section ");
        text_name(out, m->customs[i].name);
        buf_printf(out, " of %u bytes\n", m->customs[i].bytes.len);
    }
}

static int inspect(int argc, char **argv)
{
    struct module m = {0};
    struct buf bytes = {0}, text = {0};
    struct err err = {0};
    int result = 0;

    if (argc != 2)
        return usage("one module is wanted", "");
    if (load_module(argv[1], &m, &bytes, &err) != 0)
        return complain(&err);
    put_module(&text, &m);
    if (fd_write_all(1, text.data, text.len) != 0)
        result = STATUS_FAILED;
    buf_done(&text);
    module_free(&m);
    buf_done(&bytes);
    return result;
}

int tool_wasm(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"run", run}, {"compile", compile}, {"inspect", inspect}, {"validate", validate}};

    if (argc < 2)
        return usage(NULL, NULL);
    for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return usage("unknown command: wasm %s", argv[1]);
}
