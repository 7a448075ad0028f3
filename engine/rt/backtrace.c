/* The Wasm backtrace of a trap, by the chain of frame pointers (gen/abi.h). The Wasm stack still holds the frames
 * when the entry has returned, so they are read then, not in the signal handler. */
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "engine/text.h"

static bool on_stack(const struct vm_thread *thread, const void *fp)
{
    const uint8_t *p = fp;
    return p >= thread->stack_low && p <= thread->stack_high - 16 && ((uintptr_t)p & 7) == 0;
}

static void take_frame(struct store *store, const void *pc, bool faulted)
{
    if (store->frame_count < BACKTRACE_MAX)
        store->frames[store->frame_count++] = (struct frame){pc, faulted};
}

/* The base frame of the entry has a caller that is not compiled code. */
bool frame_up(const struct vm_thread *thread, struct wasm_frame *frame)
{
    const void *const *at = frame->fp;

    if (!on_stack(thread, at) || at[1] == NULL || code_at((const uint8_t *)at[1] - 1) == NULL ||
        (const uint8_t *)at[0] <= (const uint8_t *)at)
        return false;
    *frame = (struct wasm_frame){at[1], at[0]};
    return true;
}

static void take_chain(struct store *store, const struct vm_thread *thread, const void *fp)
{
    struct wasm_frame frame = {NULL, fp};

    while (store->frame_count < BACKTRACE_MAX && frame_up(thread, &frame))
        take_frame(store, frame.pc, false);
}

void backtrace_take(struct store *store, const struct vm_thread *thread)
{
    struct vm_thread *t = store->thread;

    store->frame_count = 0;
    if (thread->trap_pc != NULL) {
        if (code_at(thread->trap_pc) != NULL)
            take_frame(store, thread->trap_pc, true);
        take_chain(store, thread, thread->trap_fp);
    } else if (on_stack(thread, thread->wasm_sp) && thread->wasm_fp != NULL) {
        take_frame(store, *(const void *const *)thread->wasm_sp, false);
        take_chain(store, thread, thread->wasm_fp);
    }
    for (const struct entry_call *call = thread->newest; call->outer != NULL; call = call->outer) {
        if (!on_stack(thread, call->outer_sp))
            break;
        take_frame(store, *(const void *const *)call->outer_sp, false);
        take_chain(store, thread, call->outer_fp);
    }
    t->trap_pc = t->trap_fp = NULL;
}

static void print_place(const struct artifact *a, uint32_t number, const struct code_place *place, struct buf *out)
{
    buf_printf(out, "  %2u: ", number);
    if (place->func < a->func_names_count && a->func_names[place->func].len != 0) {
        struct name name = artifact_string(a, a->func_names[place->func]);
        buf_put(out, name.data, name.len);
    } else {
        buf_printf(out, "function %u", place->func);
    }
    buf_printf(out, " (at 0x%x)\n", place->wasm_offset);
}

void backtrace_print(const struct store *store, struct buf *out)
{
    struct code_place places[BACKTRACE_MAX];
    uint32_t number = 0;

    for (uint32_t i = 0; i < store->frame_count && number < BACKTRACE_MAX; i++) {
        const struct frame *frame = &store->frames[i];
        const struct code *code = code_at(frame->pc);
        uint32_t count =
            code != NULL ? code_locate(code, frame->pc, frame->faulted, places, BACKTRACE_MAX - number) : 0;
        for (uint32_t k = 0; k < count; k++)
            print_place(&code->artifact, number++, &places[k], out);
    }
    if (number == BACKTRACE_MAX)
        buf_put_str(out, "      ...\n");
}
