/* wherry cache: what operators see of the cache of compiled modules, and can do about it. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/image_modules.h"
#include "oci/json_write.h"
#include "wherry/cache.h"
#include <time.h>

struct cache_command {
    struct cmd *cmd;
    struct cache_settings settings;
    bool json, optimize;
    struct buf text;
    struct json_writer writer;
    unsigned bad, good;
    bool on_terminal, line_open; /* progress: whether anybody sees it, and a line of it is unfinished */
    const char *name;            /* of what is being compiled */
};

static void put_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    buf_printf(out, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void finish(struct cache_command *c)
{
    if (c->json)
        buf_put_str(&c->text, "\n");
    fd_write_all(1, c->text.data, c->text.len);
    buf_done(&c->text);
}

static void json_number(struct cache_command *c, const char *key, uint64_t value)
{
    json_key(&c->writer, key);
    json_put_int(&c->writer, (int64_t)value);
}

static void json_text(struct cache_command *c, const char *key, const char *value)
{
    json_key(&c->writer, key);
    json_put_string(&c->writer, value);
}

static int fail(struct cache_command *c)
{
    buf_done(&c->text);
    return cmd_fail(c->cmd, 1);
}

/* --- list and verify ------------------------------------------------------------------------------------------- */

static const char *state_name(enum cache_item_state state)
{
    static const char *const names[] = {"current", "other build", "other CPU", "damaged"};
    return names[state];
}

static void print_time(int64_t seconds, const char *format, char *out, size_t out_bytes)
{
    time_t time = (time_t)seconds;
    struct tm parts;

    if (seconds == 0 || gmtime_r(&time, &parts) == NULL)
        snprintf(out, out_bytes, "unknown");
    else
        strftime(out, out_bytes, format, &parts);
}

static void print_digest(const struct cache_item *item, char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", item->module_digest[i]);
}

static void list_json(struct cache_command *c, const struct cache_item *item, const char *digest)
{
    char used[32];

    print_time(item->last_used_s, "%Y-%m-%dT%H:%M:%SZ", used, sizeof used);
    json_open(&c->writer, '{');
    json_text(c, "name", item->name);
    json_text(c, "state", state_name(item->state));
    if (item->reason[0] != 0)
        json_text(c, "reason", item->reason);
    if (item->module_bytes != 0) {
        json_text(c, "moduleDigest", digest);
        json_number(c, "moduleBytes", item->module_bytes);
        json_text(c, "compiler", item->options.compiler == ENGINE_OPTIMIZING ? "optimizing" : "baseline");
        json_key(&c->writer, "boundsChecks");
        json_put_bool(&c->writer, item->options.explicit_bounds_checks);
    }
    json_number(c, "sizeBytes", item->size_bytes);
    json_text(c, "lastUsed", used);
    json_close(&c->writer, '}');
}

static void list_item(void *context, const struct cache_item *item)
{
    struct cache_command *c = context;
    struct buf size = {0}, module = {0};
    char digest[72] = "-", used[32];

    if (item->module_bytes != 0) {
        memcpy(digest, "sha256:", 7);
        print_digest(item, digest + 7);
    }
    if (c->json) {
        list_json(c, item, digest);
        return;
    }
    put_size(&size, item->size_bytes);
    put_size(&module, item->module_bytes);
    print_time(item->last_used_s, "%Y-%m-%d %H:%M", used, sizeof used);
    buf_printf(&c->text, "%.12s  %-19.19s  %9s  %9s  %-10s  %-16s  %s\n", item->name, digest,
               item->module_bytes != 0 ? buf_cstr(&module) : "-", buf_cstr(&size),
               item->module_bytes == 0                       ? "-"
               : item->options.compiler == ENGINE_OPTIMIZING ? "optimizing"
               : item->options.explicit_bounds_checks        ? "baseline+b"
                                                             : "baseline",
               used, item->reason[0] != 0 ? item->reason : state_name(item->state));
    buf_done(&size);
    buf_done(&module);
}

/* A cache that is not there yet is an empty one. */
static int each_item(struct cache_command *c, bool bodies, void (*each)(void *, const struct cache_item *))
{
    int ret = cache_list(&c->settings, bodies, each, c, &c->cmd->err);
    return ret == -ENOENT ? 0 : ret;
}

static int list(struct cache_command *c, int words, char **argv)
{
    if (c->json)
        json_open(&c->writer, '[');
    else
        buf_printf(&c->text, "%-12s  %-19s  %9s  %9s  %-10s  %-16s  %s\n", "NAME", "MODULE", "OF", "SIZE", "COMPILER",
                   "LAST USED (UTC)", "STATE");
    if (each_item(c, false, list_item) < 0)
        return fail(c);
    if (c->json)
        json_close(&c->writer, ']');
    finish(c);
    return 0;
}

static void progress_line(struct cache_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void progress_line(struct cache_command *c, const char *format, ...)
{
    va_list ap;

    if (!c->on_terminal)
        return;
    fputs("\r\033[K", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    c->line_open = true;
}

static void progress_end(struct cache_command *c)
{
    if (c->line_open)
        fputs("\r\033[K", stderr);
    c->line_open = false;
}

static void verify_item(void *context, const struct cache_item *item)
{
    struct cache_command *c = context;

    progress_line(c, "%u looked at, %u damaged", c->good + c->bad, c->bad);
    if (item->state != CACHE_DAMAGED) {
        c->good++;
        return;
    }
    c->bad++;
    if (cache_remove(&c->settings, item->name, &c->cmd->err) < 0)
        cmd_fail(c->cmd, 1);
    if (c->json)
        list_json(c, item, "");
    else
        buf_printf(&c->text, "%s: %s; removed\n", item->name, item->reason);
}

static int verify(struct cache_command *c, int words, char **argv)
{
    int ret;

    if (c->json) {
        json_open(&c->writer, '{');
        json_key(&c->writer, "damaged");
        json_open(&c->writer, '[');
    }
    ret = each_item(c, true, verify_item);
    progress_end(c);
    if (ret < 0)
        return fail(c);
    if (c->json) {
        json_close(&c->writer, ']');
        json_number(c, "intact", c->good);
        json_close(&c->writer, '}');
    } else
        buf_printf(&c->text, "%u intact, %u damaged and removed\n", c->good, c->bad);
    finish(c);
    return c->bad != 0;
}

/* --- add -------------------------------------------------------------------------------------------------------- */

static void show_progress(void *context, enum cache_phase phase, uint64_t done, uint64_t total)
{
    struct cache_command *c = context;
    unsigned percent = total != 0 ? (unsigned)(done * 100 / total) : 0;

    switch (phase) {
    case CACHE_WAITING: progress_line(c, "%s: compiled by another process, %u %%", c->name, percent); break;
    case CACHE_QUEUED: progress_line(c, "%s: waiting for others to be compiled", c->name); break;
    case CACHE_COMPILING: progress_line(c, "%s: %u %%", c->name, percent); break;
    }
}

static void add_result(struct cache_command *c, const char *result, const char *reason)
{
    progress_end(c);
    if (c->json) {
        json_open(&c->writer, '{');
        json_text(c, "module", c->name);
        json_text(c, "result", result);
        if (reason != NULL)
            json_text(c, "reason", reason);
        json_close(&c->writer, '}');
    } else if (reason != NULL)
        fprintf(stderr, "wherry: %s: %s\n", c->name, reason);
    else
        buf_printf(&c->text, "%s: %s\n", c->name, result);
}

/* One module; one that cannot be compiled is told of, and the others are gone on with. */
static int add_module(void *context, const char *name, int fd, struct err *e)
{
    struct cache_command *c = context;
    const struct engine_options options = {.compiler = c->optimize ? ENGINE_OPTIMIZING : 0};
    struct err why = {0};
    bool was_cached = false;
    int artifact = -1, ret;

    c->name = name;
    ret = cache_open_artifact(fd, &options, &c->settings, &artifact, &was_cached, &why);
    if (ret == 0 && !cache_holds(artifact))
        ret = err_set(&why, EROFS, "compiled, but the cache cannot be written");
    fd_close(&artifact);
    if (ret < 0)
        c->bad++;
    else
        c->good++;
    add_result(c, ret < 0 ? "failed" : was_cached ? "already there" : "added", ret < 0 ? why.text : NULL);
    return 0;
}

/* What concerns a whole argument; image_modules names it, and so does the result. */
static void add_failed(struct cache_command *c, const char *path)
{
    const char *reason = c->cmd->err.text;
    size_t len = strlen(path);

    c->name = path;
    c->bad++;
    add_result(c, "failed", strncmp(reason, path, len) == 0 && reason[len] == ':' ? reason + len + 2 : reason);
}

static int add(struct cache_command *c, int words, char **argv)
{
    c->settings.kept_private = true;
    c->settings.progress = show_progress;
    c->settings.progress_context = c;
    if (c->json)
        json_open(&c->writer, '[');
    for (int i = 1; i <= words; i++) {
        unsigned before = c->good + c->bad;
        int ret = image_modules(argv[i], add_module, c, &c->cmd->err);
        if (ret == 0 && c->good + c->bad == before)
            ret = err_set(&c->cmd->err, ENOENT, "there is no Wasm module in it");
        if (ret < 0)
            add_failed(c, argv[i]);
    }
    if (c->json)
        json_close(&c->writer, ']');
    finish(c);
    return c->bad != 0;
}

/* --- optimize --------------------------------------------------------------------------------------------------- */

/* What starts have asked for, now and in this process. */
static int optimize(struct cache_command *c, int words, char **argv)
{
    unsigned made = 0;
    int ret;

    c->settings.kept_private = true;
    ret = cache_optimize(&c->settings, &made, &c->cmd->err);
    if (ret < 0 && ret != -ENOENT)
        return fail(c);
    if (c->json) {
        json_open(&c->writer, '{');
        json_number(c, "optimized", made);
        json_close(&c->writer, '}');
    } else
        buf_printf(&c->text, "%u optimized\n", made);
    finish(c);
    return 0;
}

/* --- prune and stat --------------------------------------------------------------------------------------------- */

/* "500M", "2G", "1073741824". Returns false for anything else. */
static bool parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    const char *units = "KMGT", *unit;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (end == text || errno != 0 || text[0] < '0' || text[0] > '9')
        return false;
    *bytes = number;
    if (*end == 0)
        return true;
    unit = strchr(units, *end);
    if (unit == NULL || (end[1] != 0 && strcmp(end + 1, "iB") != 0))
        return false;
    return !__builtin_mul_overflow((uint64_t)number, UINT64_C(1) << (10 * (unit - units + 1)), bytes);
}

static int prune(struct cache_command *c, const char *limit, bool all)
{
    struct cache_prune request = {.limit_bytes = UINT64_MAX, .all = all};
    int ret;

    if (limit != NULL && !parse_size(limit, &request.limit_bytes)) {
        err_set(&c->cmd->err, EINVAL, "--limit %s: a number of bytes is wanted, or one with K, M, G or T behind it",
                limit);
        return fail(c);
    }
    ret = cache_prune(&c->settings, &request, &c->cmd->err);
    if (ret < 0 && (ret != -ENOENT || limit != NULL))
        return fail(c);
    if (c->json) {
        json_open(&c->writer, '{');
        json_number(c, "removed", request.removed);
        json_number(c, "removedBytes", request.removed_bytes);
        json_close(&c->writer, '}');
    } else {
        buf_printf(&c->text, "%u removed, ", request.removed);
        put_size(&c->text, request.removed_bytes);
        buf_put_str(&c->text, "\n");
    }
    finish(c);
    return 0;
}

static void stat_json(struct cache_command *c, const struct cache_totals *t)
{
    json_open(&c->writer, '{');
    json_text(c, "path", t->path);
    json_number(c, "artifacts", t->count);
    json_number(c, "otherBuild", t->other_build);
    json_number(c, "sizeBytes", t->size_bytes);
    json_number(c, "limitBytes", t->limit_bytes);
    json_key(&c->writer, "limitSet");
    json_put_bool(&c->writer, t->limit_is_set);
    json_number(c, "freeBytes", t->free_bytes);
    json_number(c, "slots", t->slots);
    json_number(c, "compiling", t->busy);
    json_number(c, "toOptimize", t->wanted);
    json_key(&c->writer, "optimizing");
    json_put_bool(&c->writer, t->optimizing);
    json_text(c, "workerCgroup", t->worker_cgroup);
    json_number(c, "workerMemoryBytes", t->worker_memory_bytes);
    json_text(c, "build", engine_build_id);
    json_close(&c->writer, '}');
}

static void stat_text(struct buf *out, const struct cache_totals *t)
{
    buf_printf(out, "directory   %s\nartifacts   %u, of which %u were made by another build\nsize        ", t->path,
               t->count, t->other_build);
    put_size(out, t->size_bytes);
    buf_put_str(out, " of at most ");
    put_size(out, t->limit_bytes);
    buf_put_str(out, t->limit_is_set ? " (set)" : " (default)");
    buf_put_str(out, "\ndisk        ");
    put_size(out, t->free_bytes);
    buf_printf(out, " free\ncompiling   %u of at most %u at once\noptimizing  %s, %u to do\nworker      ", t->busy,
               t->slots, t->optimizing ? "one" : "none", t->wanted);
    if (t->worker_cgroup[0] == 0)
        buf_put_str(out, "no cgroup of its own: its rlimits bound it");
    else {
        buf_printf(out, "%s, ", t->worker_cgroup);
        put_size(out, t->worker_memory_bytes);
    }
    buf_printf(out, "\nbuild       %s\n", engine_build_id);
}

static int statistics(struct cache_command *c, int words, char **argv)
{
    struct cache_totals totals;

    if (cache_stat(&c->settings, &totals, &c->cmd->err) < 0)
        return fail(c);
    if (c->json)
        stat_json(c, &totals);
    else
        stat_text(&c->text, &totals);
    finish(c);
    return 0;
}

/* --- the verbs -------------------------------------------------------------------------------------------------- */

static const struct verb {
    const char *name, *usage;
    int words_min, words_max;
    int (*run)(struct cache_command *c, int words, char **argv); /* NULL: prune, which has options of its own */
} verbs[] = {
    {"list", "cache list [--json]", 0, 0, list},
    {"add", "cache add [--optimize] [--json] IMAGE-OR-FILE...", 1, 1024, add},
    {"optimize", "cache optimize [--json]", 0, 0, optimize},
    {"verify", "cache verify [--json]", 0, 0, verify},
    {"prune", "cache prune [--limit SIZE] [--all] [--json]", 0, 0, NULL},
    {"stat", "cache stat [--json]", 0, 0, statistics},
};

static int run_verb(struct cache_command *c, const struct verb *verb, int argc, char **argv)
{
    const char *limit = NULL;
    bool all = false;
    const struct option_spec common[] = {
        {"json", 0, OPTION_FLAG, &c->json, "print JSON"},
        {"cache", 0, OPTION_TEXT, &c->settings.directory, "another cache directory"},
        {0},
    };
    const struct option_spec of_add[] = {
        common[0],
        common[1],
        {"optimize", 0, OPTION_FLAG, &c->optimize, "optimized code at once, not behind the first start"},
        {0},
    };
    const struct option_spec of_prune[] = {
        common[0],
        common[1],
        {"limit", 0, OPTION_TEXT, &limit, "the size to keep to from now on: 500M, 2G"},
        {"all", 0, OPTION_FLAG, &all, "remove every artifact"},
        {0},
    };
    int status, words = cmd_options(c->cmd, argc, argv,
                                    verb->run == NULL  ? of_prune
                                    : verb->run == add ? of_add
                                                       : common,
                                    verb->usage, verb->words_min, verb->words_max, &status);

    if (words < 0)
        return status;
    return verb->run != NULL ? verb->run(c, words, argv) : prune(c, limit, all);
}

int cmd_cache(struct cmd *cmd, int argc, char **argv)
{
    struct cache_command c = {.cmd = cmd, .on_terminal = isatty(2) == 1};

    c.writer = (struct json_writer){.out = &c.text, .indent = 2};
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return run_verb(&c, &verbs[i], argc - 1, argv + 1);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
            printf("%s wherry %s\n", i == 0 ? "usage:" : "      ", verbs[i].usage);
        return 0;
    }
    err_set(&cmd->err, EINVAL, "cache: list, add, optimize, verify, prune or stat is wanted%s%s",
            argc > 1 ? ", not " : "", argc > 1 ? argv[1] : "");
    return cmd_fail(cmd, 1);
}
