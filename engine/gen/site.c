#include "engine/gen/code.h"

static struct site unpack(const struct site_block *block, uint32_t packed)
{
    uint32_t offset = packed >> SITE_PC_BITS & ((1u << SITE_WASM_BITS) - 1);

    return (struct site){block->pc + (packed & ((1u << SITE_PC_BITS) - 1)),
                         block->wasm_offset + offset - (1u << (SITE_WASM_BITS - 1)),
                         (enum trap_kind)(packed >> (SITE_PC_BITS + SITE_WASM_BITS))};
}

bool site_next(struct site_cursor *cursor, struct site *out)
{
    const struct site_list *l = &cursor->list;

    if (cursor->site >= l->site_count || cursor->block >= l->block_count)
        return false;
    while (cursor->block + 1 < l->block_count && l->blocks[cursor->block + 1].first <= cursor->site)
        cursor->block++;
    *out = unpack(&l->blocks[cursor->block], l->sites[cursor->site++]);
    return true;
}

/* The last block that begins below PC: sites at PC may be its last ones and go on in the next. */
static uint64_t find_block(const struct site_list *list, uint32_t pc)
{
    uint64_t low = 0, high = list->block_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (list->blocks[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : low - 1;
}

struct site_cursor site_find(struct site_list list, uint32_t pc)
{
    struct site_cursor cursor = {list, find_block(&list, pc), 0}, before;
    struct site site;

    if (list.block_count == 0)
        return cursor;
    cursor.site = list.blocks[cursor.block].first;
    do
        before = cursor;
    while (site_next(&cursor, &site) && site.pc < pc);
    return before;
}

void code_add_site_far(struct code_object *o, struct site site, uint32_t inlining)
{
    uint32_t packed;

    code_change_inlining(o, inlining);
    if (o->site_blocks.len == 0 || !site_pack(vec_last(&o->site_blocks), site, &packed)) {
        struct site_block block = {site.pc, site.wasm_offset, (uint32_t)o->sites.len};
        vec_push(&o->site_blocks, block);
        site_pack(&block, site, &packed);
    }
    vec_push(&o->sites, packed);
}

void code_change_inlining(struct code_object *o, uint32_t inlining)
{
    if (code_inlining(o) != inlining)
        vec_push(&o->inlined_sites, (struct code_inlined_sites){(uint32_t)o->sites.len, inlining});
}

uint32_t code_inlining_of_site(const struct code_inlined_sites *sites, uint64_t count, uint64_t number)
{
    uint64_t low = 0, high = count;

    while (low < high) { /* the first entry that begins above it */
        uint64_t middle = low + (high - low) / 2;
        if (sites[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : sites[low - 1].inlining;
}
