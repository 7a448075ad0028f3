/* A module's functions over the cores.
 *
 * They are cut into parts of about PART_BYTES, by the bodies' sizes alone; threads take parts in order, validate and
 * compile each by itself, and the parts are then put one behind the other as if one compiler had gone through the
 * whole. So the outcome depends neither on the number of threads nor on who was faster. */
#include "engine/gen/code.h"
#include "engine/gen/target.h"
#include <pthread.h>

enum {
    PART_BYTES = 64 << 10,
    BYTES_PER_THREAD = 4 * PART_BYTES, /* less is done before a thread has begun */
    THREADS_MAX = 64,
    STACK_BYTES = 1 << 20,
};

struct part {
    uint32_t first, end; /* functions */
    struct code_object code;
    int status;
    struct err err;
    uint32_t features_used;
};

struct job {
    const struct module *m;
    uint32_t features;
    const struct code_options *options;
    code_compiler *compiler;
    VEC(struct part) parts;
    uint64_t body_bytes;
    size_t next; /* part; atomic */
    bool failed; /* some part has; later ones need not begin. Atomic */
};

static void cut(struct job *job)
{
    const struct module *m = job->m;
    uint32_t first = m->imported_func_count;
    uint64_t bytes = 0;

    for (uint32_t func = first; func < m->func_count; func++) {
        bytes += m->funcs[func].body.len;
        job->body_bytes += m->funcs[func].body.len;
        if (bytes < PART_BYTES && func + 1 < m->func_count)
            continue;
        vec_push(&job->parts, (struct part){.first = first, .end = func + 1});
        first = func + 1;
        bytes = 0;
    }
}

static void do_part(const struct job *job, struct part *p)
{
    p->status = module_validate_bodies(job->m, job->features, p->first, p->end, &p->features_used, &p->err);
    if (p->status == 0)
        p->status = job->compiler(job->m, job->options, p->first, p->end, &p->code, &p->err);
}

/* Parts are taken in order, so all before the first failure are done or being done. */
static void *work(void *argument)
{
    struct job *job = argument;

    while (!__atomic_load_n(&job->failed, __ATOMIC_RELAXED)) {
        size_t index = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (index >= job->parts.len)
            break;
        do_part(job, &job->parts.data[index]);
        if (job->parts.data[index].status != 0)
            __atomic_store_n(&job->failed, true, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A thread that cannot be had is done without. */
static void work_together(struct job *job, unsigned cores)
{
    uint64_t useful = job->body_bytes / BYTES_PER_THREAD;
    unsigned count = 0, wanted = cores < THREADS_MAX ? cores : THREADS_MAX;
    pthread_t threads[THREADS_MAX];
    pthread_attr_t attributes;

    if (wanted > useful)
        wanted = (unsigned)useful;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    while (count + 1 < wanted && pthread_create(&threads[count], &attributes, work, job) == 0)
        count++;
    pthread_attr_destroy(&attributes);
    work(job);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* --- putting together ------------------------------------------------------------------------------------------- */

/* What the numbers and offsets of a part grow by in the whole. */
struct bases {
    uint32_t code, tries, catches;
};

static uint32_t moved(uint32_t number, uint32_t base)
{
    return number != 0 ? number + base : 0;
}

static void append_tables(struct code_object *out, const struct code_object *part, struct bases b)
{
    for (size_t i = 0; i < part->entries.len; i++)
        out->entries.data[out->entries.len++] = part->entries.data[i] + b.code;
    for (size_t i = 0; i < part->sites.len; i++) {
        struct code_site site = part->sites.data[i];
        site.pc += b.code;
        out->sites.data[out->sites.len++] = site;
    }
    for (size_t i = 0; i < part->calls_in_tries.len; i++) {
        struct code_call_in_try call = part->calls_in_tries.data[i];
        vec_push(&out->calls_in_tries, (struct code_call_in_try){call.pc + b.code, call.try_number + b.tries});
    }
    for (size_t i = 0; i < part->tries.len; i++) {
        struct code_try try = part->tries.data[i];
        vec_push(&out->tries,
                 (struct code_try){moved(try.outer, b.tries), moved(try.catches, b.catches), try.frame_bytes});
    }
    for (size_t i = 0; i < part->catches.len; i++) {
        struct code_catch clause = part->catches.data[i];
        vec_push(&out->catches, (struct code_catch){clause.tag, clause.pc + b.code, moved(clause.next, b.catches)});
    }
}

static void append_part(struct code_object *out, struct part *p)
{
    size_t padding = (0 - out->code.len) & (CODE_ALIGN - 1);
    struct bases b;

    memset(buf_extend(&out->code, padding), CODE_FILLER, padding);
    b = (struct bases){(uint32_t)out->code.len, (uint32_t)out->tries.len, (uint32_t)out->catches.len};
    buf_put(&out->code, p->code.code.data, p->code.code.len);
    append_tables(out, &p->code, b);
    for (size_t i = 0; i < p->code.calls.len; i++)
        p->code.calls.data[i].at += b.code;
    buf_done(&p->code.code); /* the rest is small; of this there is never twice the whole */
}

static int check_size(const struct job *job, uint64_t *code_bytes, struct err *err)
{
    *code_bytes = 0;
    for (size_t i = 0; i < job->parts.len; i++)
        *code_bytes += job->parts.data[i].code.code.len + CODE_ALIGN;
    return *code_bytes <= INT32_MAX ? 0 : err_set(err, E2BIG, "the module's machine code exceeds 2 GiB");
}

static int put_together(struct job *job, struct code_object *out, struct err *err)
{
    uint32_t imported = job->m->imported_func_count;
    uint64_t code_bytes;
    size_t sites = 0;
    int status = check_size(job, &code_bytes, err);

    if (status != 0)
        return status;
    for (size_t i = 0; i < job->parts.len; i++)
        sites += job->parts.data[i].code.sites.len;
    buf_reserve(&out->code, code_bytes);
    vec_reserve(&out->entries, job->m->func_count - imported + 1);
    vec_reserve(&out->sites, sites);
    for (size_t i = 0; i < job->parts.len; i++)
        append_part(out, &job->parts.data[i]);
    vec_push(&out->entries, (uint32_t)out->code.len);
    for (size_t i = 0; i < job->parts.len; i++) {
        const struct code_object *code = &job->parts.data[i].code;
        for (size_t k = 0; k < code->calls.len; k++)
            target_patch_call(out->code.data, code->calls.data[k].at,
                              out->entries.data[code->calls.data[k].func - imported]);
    }
    return 0;
}

/* The failure of the lowest part; also gathers the features. */
static int outcome(const struct job *job, struct module *m, struct err *err)
{
    for (size_t i = 0; i < job->parts.len; i++) {
        const struct part *p = &job->parts.data[i];
        if (p->status != 0) {
            *err = p->err;
            return p->status;
        }
        m->features_used |= p->features_used;
    }
    return 0;
}

int code_compile_module(struct module *m, uint32_t features, const struct code_options *options,
                        code_compiler *compiler, unsigned cores, struct code_object *out, struct err *err)
{
    struct job job = {.m = m, .features = features, .options = options, .compiler = compiler};
    int status = module_validate_declarations(m, features, err);

    if (status != 0)
        return status;
    cut(&job);
    work_together(&job, cores);
    status = outcome(&job, m, err);
    if (status == 0)
        status = put_together(&job, out, err);
    for (size_t i = 0; i < job.parts.len; i++)
        code_object_done(&job.parts.data[i].code);
    vec_done(&job.parts);
    return status;
}
