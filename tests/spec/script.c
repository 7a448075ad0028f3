/* The commands of one test script, in order, against one store. */
#include "base/fd.h"
#include "tests/spec/spec.h"
#include <stdlib.h>
#include <sys/mman.h>

struct entry { /* a module of the script that was instantiated, or why it was not */
    char *name;
    struct instance *instance;
    char *skipped; /* the reason that everything which needs it is left out */
};

struct definition {
    char *name;
    struct code *code;
    int fd;
};

struct script {
    struct store *store;
    struct linker linker;
    const char *directory;
    struct engine_options options;
    VEC(struct entry) entries; /* the last one is the current module */
    VEC(struct definition) definitions;
    char *latest_skip; /* reason of the newest skipped module: what links to it by name fails for that reason */
};

static int read_module(const struct script *s, const struct json *command, struct buf *out, struct err *err)
{
    const char *file = json_string(command, "binary_filename");
    char path[4096];
    cleanup_fd int fd = -1;

    if (file == NULL)
        file = json_string(command, "filename");
    snprintf(path, sizeof path, "%s/%s", s->directory, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_to_end(fd, out, 1 << 30) != 0)
        return err_sys(err, "%s", path);
    return 0;
}

static int compile_bytes(const struct script *s, const struct buf *bytes, struct definition *out, struct err *err)
{
    static const uint8_t key[32];
    struct artifact_identity identity = {0};
    struct buf artifact = {0};
    cleanup_fd int fd = -1;
    int status = engine_compile(bytes->data, bytes->len, key, &s->options, &artifact, err);

    if (status == 0) {
        fd = memfd_create("artifact", MFD_CLOEXEC);
        status = fd < 0 || fd_write_all(fd, artifact.data, artifact.len) != 0
                     ? err_sys(err, "cannot store the artifact")
                     : 0;
    }
    buf_done(&artifact);
    if (status == 0)
        status = code_map(fd, &identity, &out->code, err);
    if (status == 0)
        out->fd = fd_take(&fd);
    return status;
}

static int compile_command(const struct script *s, const struct json *command, struct definition *out, struct err *err)
{
    struct buf bytes = {0};
    int status = read_module(s, command, &bytes, err);

    if (status == 0)
        status = compile_bytes(s, &bytes, out, err);
    buf_done(&bytes);
    return status;
}

static int instantiate(struct script *s, const struct definition *d, struct instance **out, enum trap_kind *trap,
                       struct err *err)
{
    uint64_t count = d->code->artifact.imports_count;
    struct external *imports = calloc(count + 1, sizeof *imports);
    int status = link_imports(&s->linker, d->code, imports, err);

    *trap = TRAP_NONE;
    if (status == 0)
        status = instance_new(s->store, d->code, d->fd, imports, out, err);
    free(imports);
    if (status == 0)
        *trap = instance_initialize(*out);
    return status;
}

static bool is_text(const struct json *command)
{
    const char *type = json_string(command, "module_type");
    return type != NULL && strcmp(type, "text") == 0 && json_string(command, "binary_filename") == NULL;
}

static void add_entry(struct script *s, const struct json *command, const char *key, struct instance *instance,
                      const char *skipped)
{
    const char *name = json_string(command, key);
    struct entry e = {name != NULL ? strdup(name) : NULL, instance, skipped != NULL ? strdup(skipped) : NULL};
    if (skipped != NULL)
        s->latest_skip = e.skipped;
    vec_push(&s->entries, e);
}

static struct entry *find_entry(struct script *s, const char *name)
{
    for (size_t i = s->entries.len; i-- != 0;)
        if (name == NULL || (s->entries.data[i].name != NULL && strcmp(s->entries.data[i].name, name) == 0))
            return &s->entries.data[i];
    return NULL;
}

/* A module that could not be made: left out when a feature is missing, or when it wants what a left out one exports. */
static void module_failed(struct script *s, const struct json *command, const char *key, int status,
                          const struct err *err)
{
    long line = json_line(command);
    const char *reason = status == -ENOTSUP ? err->text : status == -ENOENT ? s->latest_skip : NULL;

    if (reason != NULL)
        report(SKIPPED, line, "%s", reason);
    else
        report(FAILED, line, "%s", err->text);
    add_entry(s, command, key, NULL, reason != NULL ? reason : "its module could not be instantiated");
}

static void run_module(struct script *s, const struct json *command)
{
    struct definition d = {.fd = -1};
    struct err err = {0};
    struct instance *instance;
    enum trap_kind trap = TRAP_NONE;
    int status;

    if (is_text(command)) {
        report(SKIPPED, json_line(command), "module in the text format");
        add_entry(s, command, "name", NULL, "module in the text format");
        return;
    }
    status = compile_command(s, command, &d, &err);
    if (status == 0)
        status = instantiate(s, &d, &instance, &trap, &err);
    fd_close(&d.fd);
    if (status == 0 && trap != TRAP_NONE)
        status = err_set(&err, EINVAL, "trap: %s", trap_text(trap));
    if (status != 0) {
        module_failed(s, command, "name", status, &err);
        return;
    }
    report(PASSED, json_line(command), "module");
    add_entry(s, command, "name", instance, NULL);
}

static void run_module_definition(struct script *s, const struct json *command)
{
    struct definition d = {.fd = -1};
    struct err err = {0};
    const char *name = json_string(command, "name");
    int status =
        is_text(command) ? err_set(&err, ENOTSUP, "module in the text format") : compile_command(s, command, &d, &err);

    if (status != 0) {
        report(status == -ENOTSUP ? SKIPPED : FAILED, json_line(command), "%s", err.text);
        return;
    }
    d.name = name != NULL ? strdup(name) : NULL;
    vec_push(&s->definitions, d);
    report(PASSED, json_line(command), "module definition");
}

static const struct definition *find_definition(const struct script *s, const char *name)
{
    for (size_t i = s->definitions.len; i-- != 0;)
        if (name == NULL || (s->definitions.data[i].name != NULL && strcmp(s->definitions.data[i].name, name) == 0))
            return &s->definitions.data[i];
    return NULL;
}

static void run_module_instance(struct script *s, const struct json *command)
{
    const struct definition *d = find_definition(s, json_string(command, "module"));
    struct err err = {0};
    struct instance *instance;
    enum trap_kind trap = TRAP_NONE;
    int status =
        d == NULL ? err_set(&err, ENOTSUP, "its definition was left out") : instantiate(s, d, &instance, &trap, &err);

    if (status == 0 && trap != TRAP_NONE)
        status = err_set(&err, EINVAL, "trap: %s", trap_text(trap));
    if (status != 0) {
        module_failed(s, command, "instance", status, &err);
        return;
    }
    report(PASSED, json_line(command), "module instance");
    add_entry(s, command, "instance", instance, NULL);
}

static void run_register(struct script *s, const struct json *command)
{
    const struct entry *e = find_entry(s, json_string(command, "name"));

    if (e == NULL || e->instance == NULL) {
        report(SKIPPED, json_line(command), "%s", e != NULL ? e->skipped : "no module");
        return;
    }
    vec_push(&s->linker.sources, ((struct link_source){.module = json_name(command, "as"), .instance = e->instance}));
    report(PASSED, json_line(command), "register");
}

/* --- actions -------------------------------------------------------------------------------------------------- */

struct outcome {
    enum trap_kind trap;
    union vm_value values[1024];
    valtype types[1024];
    uint32_t count;
};

static const char *invoke(struct script *s, const struct json *action, uint32_t func, struct outcome *out)
{
    const struct store_type *type = types_get(&s->store->types, store_func(s->store, func)->type_id);
    const struct json *args = json_array(action, "args");
    size_t count = args != NULL ? args->count : 0;

    if (count != type->param_count || type->param_count > 1024 || type->result_count > 1024)
        return "number of arguments";
    for (size_t i = 0; i < count; i++)
        if (!value_parse(s->store, &args->items[i], &out->values[i]))
            return "an argument of an unknown form";
    out->count = type->result_count;
    memcpy(out->types, type->types + type->param_count, type->result_count * sizeof out->types[0]);
    out->trap = call_func(s->store, func, out->values);
    return NULL;
}

/* Carries out ACTION. Returns NULL, or what prevented it; SKIPPED_BY then says why it was left out, if it was. */
static const char *act(struct script *s, const struct json *action, struct outcome *out, const char **skipped_by)
{
    struct name field = json_name(action, "field");
    const char *type = json_string(action, "type");
    const struct entry *e = find_entry(s, json_string(action, "module"));
    struct external external;

    *skipped_by = e == NULL ? "no module" : e->skipped;
    if (*skipped_by != NULL)
        return *skipped_by;
    if (field.data == NULL || type == NULL || !instance_export(e->instance, field, &external))
        return "no such export";
    out->trap = TRAP_NONE;
    if (strcmp(type, "invoke") == 0 && external.kind == EXTERNAL_FUNC)
        return invoke(s, action, external.func, out);
    if (strcmp(type, "get") != 0 || external.kind != EXTERNAL_GLOBAL)
        return "an action of an unknown form";
    out->count = 1;
    out->types[0] = external.global->type;
    out->values[0] = external.global->value;
    return NULL;
}

static void check_results(struct script *s, const struct json *command, const struct outcome *outcome)
{
    const struct json *expected = json_array(command, "expected");
    size_t count = expected != NULL ? expected->count : 0;
    long line = json_line(command);

    if (count != outcome->count) {
        report(FAILED, line, "%u results instead of %zu", outcome->count, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct buf text = {0};
        if (value_matches(s->store, &expected->items[i], &outcome->values[i], outcome->types[i]))
            continue;
        value_print(&text, &outcome->values[i], outcome->types[i]);
        report(FAILED, line, "%s: result %zu is %s", json_string(json_object(command, "action"), "field"), i,
               buf_cstr(&text));
        buf_done(&text);
        return;
    }
    report(PASSED, line, "return");
}

/* The suite's words for a trap where they differ from the specification's own, or say more. */
static bool trap_fits(enum trap_kind trap, const char *text)
{
    const char *ours = trap_text(trap);

    if (strncmp(text, ours, strlen(ours)) == 0)
        return true;
    switch (trap) {
    case TRAP_TABLE_OUT_OF_BOUNDS: return strncmp(text, "undefined element", 17) == 0;
    case TRAP_NULL_REFERENCE: return strncmp(text, "null ", 5) == 0;
    default: return false;
    }
}

static void run_action(struct script *s, const struct json *command, const char *type)
{
    static struct outcome outcome;
    const char *skipped = NULL, *text = json_string(command, "text");
    const char *problem = act(s, json_object(command, "action"), &outcome, &skipped);
    long line = json_line(command);

    if (problem != NULL) {
        report(skipped != NULL ? SKIPPED : FAILED, line, "%s", problem);
        return;
    }
    if (strcmp(type, "assert_trap") == 0 || strcmp(type, "assert_exhaustion") == 0) {
        if (outcome.trap == TRAP_NONE)
            report(FAILED, line, "no trap, expected: %s", text);
        else
            report(trap_fits(outcome.trap, text) ? PASSED : FAILED, line, "trap \"%s\", expected \"%s\"",
                   trap_text(outcome.trap), text);
    } else if (strcmp(type, "assert_exception") == 0) {
        report(outcome.trap == TRAP_UNCAUGHT_EXCEPTION ? PASSED : FAILED, line, "an exception was expected");
    } else if (outcome.trap != TRAP_NONE) {
        report(FAILED, line, "%s: trap: %s", json_string(json_object(command, "action"), "field"),
               trap_text(outcome.trap));
    } else if (strcmp(type, "assert_return") == 0) {
        check_results(s, command, &outcome);
    } else {
        report(PASSED, line, "action");
    }
}

/* --- modules that must be refused ----------------------------------------------------------------------------- */

static void run_refused(struct script *s, const struct json *command, const char *type)
{
    struct definition d = {.fd = -1};
    struct err err = {0};
    struct instance *instance;
    enum trap_kind trap = TRAP_NONE;
    const char *text = json_string(command, "text");
    long line = json_line(command);
    bool at_compilation = strcmp(type, "assert_invalid") == 0 || strcmp(type, "assert_malformed") == 0;
    int status;

    if (is_text(command)) {
        report(SKIPPED, line, "module in the text format");
        return;
    }
    if (is_overtaken(s->directory, text)) {
        report(SKIPPED, line, "overtaken: later versions allow %s", text);
        return;
    }
    status = compile_command(s, command, &d, &err);
    if (status == -ENOTSUP || (status != 0 && !at_compilation)) {
        report(status == -ENOTSUP ? SKIPPED : FAILED, line, "%s", err.text);
        return;
    }
    if (at_compilation) {
        report(status == -EINVAL ? PASSED : FAILED, line, "accepted, expected: %s", text);
        fd_close(&d.fd);
        return;
    }
    status = instantiate(s, &d, &instance, &trap, &err);
    fd_close(&d.fd);
    if (strcmp(type, "assert_unlinkable") == 0)
        report(status == -ENOENT || status == -EINVAL ? PASSED : FAILED, line, "linked, expected: %s", text);
    else if (status != 0)
        report(status == -ENOENT && s->latest_skip != NULL ? SKIPPED : FAILED, line, "%s", err.text);
    else
        report(trap != TRAP_NONE && trap_fits(trap, text) ? PASSED : FAILED, line, "%s, expected: %s",
               trap == TRAP_NONE ? "instantiated" : trap_text(trap), text);
}

static void run_command(struct script *s, const struct json *command)
{
    const char *type = json_string(command, "type");

    if (type == NULL)
        report(FAILED, json_line(command), "a command without a type");
    else if (strcmp(type, "module") == 0)
        run_module(s, command);
    else if (strcmp(type, "module_definition") == 0)
        run_module_definition(s, command);
    else if (strcmp(type, "module_instance") == 0)
        run_module_instance(s, command);
    else if (strcmp(type, "register") == 0)
        run_register(s, command);
    else if (json_object(command, "action") != NULL)
        run_action(s, command, type);
    else
        run_refused(s, command, type);
}

void script_run(const struct json *commands, const char *directory, const struct engine_options *options,
                volatile long *line)
{
    struct script s = {.directory = directory, .options = *options};
    struct err err = {0};

    if (store_new(&s.store, 0, &err) != 0) {
        report(FAILED, 0, "%s", err.text);
        return;
    }
    s.store->heap.stress = collect_every;
    s.store->memory_max_bytes = memory_max_bytes;
    s.linker.store = s.store;
    vec_push(&s.linker.sources, spectest_source(s.store));
    for (size_t i = 0; i < commands->count; i++) {
        *line = json_line(&commands->items[i]);
        run_command(&s, &commands->items[i]);
    }
}
