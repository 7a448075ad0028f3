/* Machine code as text: each function's bytes in hexadecimal, broken where a call returns or a fault is expected, and
 * what its tries catch. A disassembler takes the bytes as they are. */
#include "engine/dump.h"
#include "engine/rt/store.h"
#include "engine/text.h"

enum { BYTES_A_LINE = 16 };

static void put_bytes(const struct artifact *a, uint32_t from, uint32_t to, struct buf *out)
{
    for (uint32_t at = from; at < to; at++) {
        if ((at - from) % BYTES_A_LINE == 0)
            buf_printf(out, "%s  %4x ", at == from ? "" : "\n", at);
        buf_printf(out, " %02x", a->code[at]);
    }
}

static uint32_t try_of_call(const struct artifact *a, uint32_t pc)
{
    for (uint64_t i = 0; i < a->calls_in_tries_count; i++)
        if (a->calls_in_tries[i].pc == pc)
            return a->calls_in_tries[i].try_number;
    return 0;
}

static void put_inlinings(const struct artifact *a, uint64_t number, struct buf *out)
{
    uint32_t n = code_inlining_of_site(a->inlined_sites, a->inlined_sites_count, number);

    while (n != 0 && n <= a->inlinings_count) {
        const struct code_inlining *inlining = &a->inlinings[n - 1];
        buf_printf(out, ", in func %u, inlined at 0x%x", inlining->func, inlining->call.wasm_offset);
        if (inlining->call.inlining >= n)
            break;
        n = inlining->call.inlining;
    }
}

/* A site of a call stands behind it, that of a fault before the instruction. SITE_NUMBER: from 0. */
static void put_site(const struct artifact *a, const struct site *site, uint64_t site_number, struct buf *out)
{
    uint32_t number = site->kind == TRAP_NONE ? try_of_call(a, site->pc) : 0;

    if (site->kind == TRAP_NONE)
        buf_printf(out, "  %4x  after the call of 0x%x", site->pc, site->wasm_offset);
    else
        buf_printf(out, "  %4x  may trap for 0x%x: %s", site->pc, site->wasm_offset, trap_text(site->kind));
    if (number != 0)
        buf_printf(out, ", in try %u", number);
    put_inlinings(a, site_number, out);
    buf_put_str(out, "\n");
}

static void put_function(const struct artifact *a, uint32_t from, uint32_t to, struct buf *out)
{
    struct site_cursor cursor =
        site_find((struct site_list){a->site_blocks, a->site_blocks_count, a->sites, a->sites_count}, from);
    struct site site;

    while (site_next(&cursor, &site) && site.pc < to) {
        if (site.pc > from) {
            put_bytes(a, from, site.pc, out);
            buf_put_str(out, "\n");
            from = site.pc;
        }
        put_site(a, &site, cursor.site - 1, out);
    }
    if (from < to) {
        put_bytes(a, from, to, out);
        buf_put_str(out, "\n");
    }
}

static void put_tries(const struct artifact *a, struct buf *out)
{
    for (uint64_t i = 0; i < a->tries_count; i++) {
        const struct code_try *t = &a->tries[i];
        buf_printf(out, "try %u", (unsigned)i + 1);
        if (t->outer != 0)
            buf_printf(out, " in %u", t->outer);
        for (uint32_t n = t->catches; n != 0 && n <= a->catches_count; n = a->catches[n - 1].next) {
            const struct code_catch *clause = &a->catches[n - 1];
            if (clause->tag == CODE_CATCH_ALL)
                buf_printf(out, " (catch_all 0x%x)", clause->pc);
            else
                buf_printf(out, " (catch %u 0x%x)", clause->tag, clause->pc);
            if (clause->next <= n)
                break;
        }
        buf_put_str(out, "\n");
    }
}

void dump_code(const struct artifact *a, uint32_t only, struct buf *out)
{
    uint64_t imported = a->funcs_count - (a->entries_count == 0 ? 0 : a->entries_count - 1);

    for (uint64_t i = 0; i + 1 < a->entries_count; i++) {
        uint64_t func = imported + i;
        uint32_t to = a->entries[i + 1] <= a->code_count ? a->entries[i + 1] : (uint32_t)a->code_count;
        if (only != 0 && func != only - 1)
            continue;
        buf_printf(out, "func %u", (unsigned)func);
        if (func < a->func_names_count && a->func_names[func].len != 0) {
            buf_put_str(out, " ");
            text_name(out, artifact_string(a, a->func_names[func]));
        }
        buf_put_str(out, "\n");
        put_function(a, a->entries[i], to, out);
    }
    if (only == 0)
        put_tries(a, out);
}
