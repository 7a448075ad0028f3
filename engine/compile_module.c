/* A module's functions over the cores.
 *
 * They are cut into parts of about PART_BYTES, by the bodies' sizes alone. Threads take parts in order, validate and
 * compile each by itself; as soon as all before it are there, a part is put behind them, as if one compiler had gone
 * through the whole. So the outcome depends neither on the number of threads nor on who was faster, and only a few
 * parts are in memory beside the whole: page faults are a good part of a fast compiler's time. */
#include "engine/gen/code.h"
#include "engine/gen/target.h"
#include <pthread.h>

enum {
    PART_BYTES = 64 << 10,
    BYTES_PER_THREAD = 4 * PART_BYTES, /* less is done before a thread has begun */
    THREADS_MAX = 64,
    STACK_BYTES = 1 << 20,
    /* what a byte of a body becomes, about: for reservations */
    ARTIFACT_BYTES_PER_BYTE = 4,
    BYTES_PER_SITE = 8,
    BYTES_PER_CALL = 32,
};

struct part {
    uint32_t first, end; /* functions */
    struct code_object *code;
    bool is_done;
    int status;
    struct err err;
    uint32_t features_used;
};

struct job {
    const struct module *m;
    uint32_t features;
    const struct code_options *options;
    VEC(struct part) parts;
    uint64_t body_bytes;
    pthread_mutex_t lock; /* of all below */
    size_t next;          /* part to be taken */
    size_t joined;        /* parts that are in `whole` */
    bool failed;          /* some part has: later ones need not begin */
    struct code_object *whole;
    VEC(struct code_object *) unused; /* emptied, their memory kept */
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

/* --- joining ------------------------------------------------------------------------------------------------------ */

/* What the numbers and offsets of a part grow by in the whole. */
struct bases {
    uint32_t code, sites, inlinings, tries, catches;
};

static uint32_t moved(uint32_t number, uint32_t base)
{
    return number != 0 ? number + base : 0;
}

static void join_inlinings(struct code_object *out, const struct code_object *part, struct bases b)
{
    if (part->sites.len != 0 && (part->inlined_sites.len == 0 || part->inlined_sites.data[0].first != 0))
        code_change_inlining(out, 0);
    for (size_t i = 0; i < part->inlined_sites.len; i++) {
        struct code_inlined_sites sites = part->inlined_sites.data[i];
        vec_push(&out->inlined_sites,
                 (struct code_inlined_sites){sites.first + b.sites, moved(sites.inlining, b.inlinings)});
    }
    for (size_t i = 0; i < part->inlinings.len; i++) {
        struct code_inlining inlining = part->inlinings.data[i];
        inlining.call.inlining = moved(inlining.call.inlining, b.inlinings);
        vec_push(&out->inlinings, inlining);
    }
}

static void join_tables(struct code_object *out, const struct code_object *part, struct bases b)
{
    vec_reserve(&out->entries, part->entries.len);
    for (size_t i = 0; i < part->entries.len; i++)
        out->entries.data[out->entries.len++] = part->entries.data[i] + b.code;
    for (size_t i = 0; i < part->site_blocks.len; i++) {
        struct site_block block = part->site_blocks.data[i];
        vec_push(&out->site_blocks, (struct site_block){block.pc + b.code, block.wasm_offset, block.first + b.sites});
    }
    join_inlinings(out, part, b);
    vec_reserve(&out->sites, part->sites.len);
    if (part->sites.len != 0)
        memcpy(out->sites.data + out->sites.len, part->sites.data, part->sites.len * sizeof *part->sites.data);
    out->sites.len += part->sites.len;
    for (size_t i = 0; i < part->calls.len; i++)
        vec_push(&out->calls, (struct code_call){part->calls.data[i].at + b.code, part->calls.data[i].func});
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

static void join(struct code_object *out, const struct code_object *part)
{
    size_t padding = (0 - out->code.len) & (CODE_ALIGN - 1);
    struct bases b;

    memset(buf_extend(&out->code, padding), target_native.code_filler, padding);
    b = (struct bases){.code = (uint32_t)out->code.len,
                       .sites = (uint32_t)out->sites.len,
                       .inlinings = (uint32_t)out->inlinings.len,
                       .tries = (uint32_t)out->tries.len,
                       .catches = (uint32_t)out->catches.len};
    buf_put(&out->code, part->code.data, part->code.len);
    join_tables(out, part, b);
}

static void empty(struct code_object *code)
{
    code->code.len = code->entries.len = code->calls.len = code->site_blocks.len = code->sites.len = 0;
    code->inlinings.len = code->inlined_sites.len = 0;
    code->calls_in_tries.len = code->tries.len = code->catches.len = 0;
}

/* Joins all parts that are done and have nothing undone before them, up to the first that failed. */
static void join_what_is_done(struct job *job)
{
    while (job->joined < job->parts.len) {
        struct part *p = &job->parts.data[job->joined];
        if (!p->is_done || p->status != 0)
            return;
        if (job->whole->code.len + p->code->code.len > target_native.code_bytes_max - CODE_ALIGN) {
            p->status = err_set(&p->err, E2BIG, "function %u: the module's machine code exceeds %u MiB", p->first,
                                target_native.code_bytes_max >> 20);
            job->failed = true;
            return;
        }
        join(job->whole, p->code);
        empty(p->code);
        vec_push(&job->unused, p->code);
        p->code = NULL;
        job->joined++;
        if (job->options->progress != NULL && job->joined % (1 + job->parts.len / 100) == 0)
            job->options->progress(job->joined, job->parts.len);
    }
}

/* --- working ------------------------------------------------------------------------------------------------------ */

static struct code_object *take_object(struct job *job)
{
    struct code_object *code;

    if (job->unused.len != 0)
        return vec_pop(&job->unused);
    code = calloc(1, sizeof *code);
    if (code == NULL)
        out_of_memory();
    /* what grows is copied, and touched twice */
    buf_reserve(&code->code, PART_BYTES * ARTIFACT_BYTES_PER_BYTE);
    vec_reserve(&code->sites, PART_BYTES / BYTES_PER_SITE);
    return code;
}

/* Parts are taken in order, so all before the first failure are done or being done. */
static struct part *take_part(struct job *job)
{
    struct part *p = NULL;

    pthread_mutex_lock(&job->lock);
    if (!job->failed && job->next < job->parts.len) {
        p = &job->parts.data[job->next++];
        p->code = take_object(job);
    }
    pthread_mutex_unlock(&job->lock);
    return p;
}

static void hand_in(struct job *job, struct part *p)
{
    pthread_mutex_lock(&job->lock);
    p->is_done = true;
    job->failed |= p->status != 0;
    join_what_is_done(job);
    pthread_mutex_unlock(&job->lock);
}

static void *work(void *argument)
{
    struct job *job = argument;
    struct validator *validator = NULL;
    struct compiler *compiler = NULL;
    struct loops loops = {0};
    struct part *p;

    while ((p = take_part(job)) != NULL) {
        p->status = module_validate_bodies(&validator, job->m, job->features, p->first, p->end, &p->features_used,
                                           &loops, &p->err);
        if (p->status == 0)
            p->status = baseline_compile(&compiler, job->m, job->options, p->first, p->end, &loops, p->code, &p->err);
        hand_in(job, p);
    }
    loops_done(&loops);
    baseline_free(compiler);
    validator_free(validator);
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

/* --- the module --------------------------------------------------------------------------------------------------- */

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

/* The slots lie in front of the code, from the beginning of a page. */
static void finish_looks(struct code_object *whole)
{
    uint32_t count = (uint32_t)whole->entries.len - 1, stub;
    int32_t slots = -(int32_t)code_slots_bytes(count);
    size_t padding = (0 - whole->code.len) & (CODE_ALIGN - 1);

    memset(buf_extend(&whole->code, padding), target_native.code_filler, padding);
    stub = (uint32_t)whole->code.len;
    buf_extend(&whole->code, TARGET_STUB_BYTES);
    target_put_stub(whole->code.data, stub);
    for (uint32_t i = 0; i < count; i++)
        target_patch_look(whole->code.data, whole->entries.data[i], slots + (int32_t)(i * 4), stub);
    whole->is_replaceable = true;
}

static void finish(struct code_object *whole, uint32_t imported, bool replaceable)
{
    vec_push(&whole->entries, (uint32_t)whole->code.len);
    if (replaceable && whole->entries.len > 1)
        finish_looks(whole);
    for (size_t i = 0; i < whole->calls.len; i++)
        target_patch_call(whole->code.data, whole->calls.data[i].at,
                          whole->entries.data[whole->calls.data[i].func - imported]);
    vec_done(&whole->calls);
}

static void job_done(struct job *job)
{
    for (size_t i = 0; i < job->parts.len; i++)
        if (job->parts.data[i].code != NULL)
            vec_push(&job->unused, job->parts.data[i].code);
    for (size_t i = 0; i < job->unused.len; i++) {
        code_object_done(job->unused.data[i]);
        free(job->unused.data[i]);
    }
    vec_done(&job->unused);
    vec_done(&job->parts);
    pthread_mutex_destroy(&job->lock);
}

/* Room for BYTES that will be filled: in huge pages, of which a large module fills most. To the optimizing compiler page faults are
 * nothing, and most of a huge page would be memory for nothing while it compiles a small module. */
static void reserve(struct buf *b, size_t bytes, const struct code_options *options)
{
    if (options->compile_function != NULL)
        buf_reserve(b, bytes);
    else
        buf_reserve_huge(b, bytes);
}

static void *reserve_array(size_t count, size_t element_bytes, size_t *capacity, const struct code_options *options)
{
    struct buf b = {0};

    reserve(&b, count * element_bytes, options);
    *capacity = b.capacity / element_bytes;
    return b.data;
}

int code_compile_module(struct module *m, uint32_t features, const struct code_options *options, unsigned cores,
                        struct code_object *out, struct err *err)
{
    struct job job = {
        .m = m, .features = features, .options = options, .whole = out, .lock = PTHREAD_MUTEX_INITIALIZER};
    int status = module_validate_declarations(m, features, err);

    if (status != 0)
        return status;
    cut(&job);
    vec_reserve(&out->entries, m->func_count - m->imported_func_count + 1);
    out->sites.data =
        reserve_array(job.body_bytes / BYTES_PER_SITE, sizeof *out->sites.data, &out->sites.capacity, options);
    out->calls.data =
        reserve_array(job.body_bytes / BYTES_PER_CALL, sizeof *out->calls.data, &out->calls.capacity, options);
    reserve(&out->code, job.body_bytes * ARTIFACT_BYTES_PER_BYTE + m->len, options); /* artifact_write adds the rest */
    work_together(&job, cores);
    status = outcome(&job, m, err);
    if (status == 0)
        finish(out, m->imported_func_count, options->replaceable);
    job_done(&job);
    return status;
}
