/* Exceptions: making one, and the search for who catches it (tables: gen/code.h, frames: gen/abi.h).
 *
 * The search looks at every frame from the one that threw up to the newest entry from C, and changes nothing; only
 * then is the stack cut back to the frame that was found. When none catches it, the stack stays as it is for the
 * backtrace, and the entry ends with the exception pending: a host function that made the entry hands it on to its
 * own caller (rt/host.c). */
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "engine/text.h"
#include <string.h>

uint32_t exception_new(struct store *store, const struct tag *tag, const uint8_t *slots_end)
{
    uint32_t reference = heap_alloc_exception(store, tag);
    const struct store_type *type = types_get(&store->types, tag->type);
    struct vm_exception *e = store_object(store, reference);
    uint8_t *to = (uint8_t *)e->values;

    if (reference == 0)
        return 0;
    for (uint32_t i = 0; i < type->param_count; i++) {
        size_t size_bytes = valtype_code(type->types[i]) == VT_V128 ? 16 : 8;
        slots_end -= size_bytes;
        memcpy(to, slots_end, size_bytes);
        to += size_bytes;
    }
    return reference;
}

/* --- the search --------------------------------------------------------------------------------------------------- */
struct handler {
    const uint8_t *pc, *sp, *fp;
};

/* Number of the innermost try around the call that returns to PC. */
static uint32_t try_around(const struct code_tables *a, uint32_t pc)
{
    uint64_t low = 0, high = a->calls_in_tries_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (a->calls_in_tries[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->calls_in_tries_count && a->calls_in_tries[low].pc == pc ? a->calls_in_tries[low].try_number : 0;
}

/* A clause that leads out of the artifact's code catches nothing, like one with a tag that there is not. */
static bool clause_fits(const struct instance *i, const struct code_tables *t, const struct code_catch *clause,
                        const struct tag *tag)
{
    if (clause->pc >= t->code_count)
        return false;
    return clause->tag == CODE_CATCH_ALL || (clause->tag < i->artifact->tags_count && i->tags[clause->tag] == tag);
}

/* Follows the numbers only as far as they go one way: a damaged table ends the search. */
static const struct code_catch *find_clause(const struct instance *i, const struct code_tables *a, uint32_t try_number,
                                            const struct tag *tag, uint32_t *frame_bytes)
{
    while (try_number != 0 && try_number <= a->tries_count) {
        const struct code_try *t = &a->tries[try_number - 1];
        uint32_t number = t->catches;
        *frame_bytes = t->frame_bytes;
        while (number != 0 && number <= a->catches_count) {
            const struct code_catch *clause = &a->catches[number - 1];
            if (clause_fits(i, a, clause, tag))
                return clause;
            number = clause->next > number ? clause->next : 0;
        }
        try_number = t->outer < try_number ? t->outer : 0;
    }
    return NULL;
}

static bool catches(const struct vm_thread *thread, const struct wasm_frame *frame, const struct tag *tag,
                    struct handler *out)
{
    const struct code *code = code_at((const uint8_t *)frame->pc - 1);
    const struct code_catch *clause;
    const struct instance *i;
    uint32_t number, frame_bytes;
    struct code_tables tables;

    if (code == NULL || !code_tables_at(code, (const uint8_t *)frame->pc - 1, &tables))
        return false;
    number = try_around(&tables, (uint32_t)((const uint8_t *)frame->pc - tables.code));
    if (number == 0)
        return false;
    i = ((const struct vm *const *)frame->fp)[-1]->owner;
    if (i->code != code || (clause = find_clause(i, &tables, number, tag, &frame_bytes)) == NULL)
        return false;
    *out = (struct handler){tables.code + clause->pc, (const uint8_t *)frame->fp - frame_bytes, frame->fp};
    return frame_bytes % 16 == 0 && frame_bytes <= (uint64_t)((const uint8_t *)frame->fp - thread->stack_low);
}

static bool find_handler(const struct vm_thread *thread, const struct tag *tag, struct handler *out)
{
    struct wasm_frame frame = {*(const void *const *)thread->wasm_sp, thread->wasm_fp};

    do {
        if (catches(thread, &frame, tag, out))
            return true;
    } while (frame_up(thread, &frame));
    return false;
}

void exception_throw(struct vm *vm, uint32_t reference)
{
    struct store *store = ((struct instance *)vm->owner)->store;
    const struct vm_exception *exception = store_object(store, reference);
    struct vm_thread *thread = vm->thread;
    struct handler handler;

    if (find_handler(thread, exception->tag, &handler)) {
        thread->exception = 0;
        store->frame_count = 0; /* of an entry that it left */
        entry_resume(handler.pc, handler.sp, handler.fp, reference);
    }
    thread->exception = reference;
    entry_trap(thread, TRAP_UNCAUGHT_EXCEPTION);
}

/* --- saying it ---------------------------------------------------------------------------------------------------- */
/* A tag by the name under which its module exports it, else by its number. */
static bool print_name(const struct instance *i, const struct tag *tag, struct buf *out)
{
    const struct artifact *a = i->artifact;

    for (uint64_t n = 0; n < a->tags_count; n++) {
        if (i->tags[n] != tag)
            continue;
        for (uint64_t k = 0; k < a->exports_count; k++) {
            if (a->exports[k].kind == EXTERNAL_TAG && a->exports[k].index == n) {
                text_name(out, artifact_string(a, a->exports[k].name));
                return true;
            }
        }
        buf_printf(out, "%u", (unsigned)n);
        return true;
    }
    return false;
}

static void print_value(valtype type, const uint64_t *value, struct buf *out)
{
    const char *name = valtype_text(type).text;

    switch (valtype_code(type)) {
    case VT_I32:
    case VT_F32: buf_printf(out, "%s 0x%x", name, (uint32_t)value[0]); break;
    case VT_I64:
    case VT_F64: buf_printf(out, "%s 0x%llx", name, (unsigned long long)value[0]); break;
    case VT_V128:
        buf_printf(out, "%s 0x%016llx%016llx", name, (unsigned long long)value[1], (unsigned long long)value[0]);
        break;
    default: buf_put_str(out, (uint32_t)value[0] == 0 ? "a null reference" : "a reference");
    }
}

void exception_print(const struct store *store, uint32_t reference, struct buf *out)
{
    const struct vm_exception *e = store_object(store, reference);
    const struct tag *tag = e->tag;
    const struct store_type *type = types_get(&store->types, tag->type);
    const uint64_t *value = e->values;

    buf_put_str(out, "wherry: uncaught exception: tag ");
    for (const struct instance *i = store->instances; i != NULL; i = i->next)
        if (print_name(i, tag, out))
            break;
    for (uint32_t i = 0; i < type->param_count; i++) {
        buf_put_str(out, i == 0 ? " with " : ", ");
        print_value(type->types[i], value, out);
        value += valtype_code(type->types[i]) == VT_V128 ? 2 : 1;
    }
    buf_put_str(out, "\n");
}
