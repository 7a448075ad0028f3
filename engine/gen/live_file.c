#include "engine/gen/live_file.h"
#include <string.h>

#define MEBIBYTE (UINT64_C(1) << 20)

static uint64_t pages(uint64_t bytes)
{
    return (bytes + ARTIFACT_PAGE_BYTES - 1) & ~(uint64_t)(ARTIFACT_PAGE_BYTES - 1);
}

/* Room for more than the optimizing compiler makes of a module; what is not written takes neither disk nor memory. */
bool live_layout(const struct artifact_header *artifact, struct live_layout *out)
{
    uint64_t table_bytes = 0;

    *out = (struct live_layout){.slots = ARTIFACT_PAGE_BYTES,
                                .slots_bytes = artifact->sections[ARTIFACT_slots].size_bytes};
#define X(field, type) table_bytes += artifact->sections[ARTIFACT_##field].size_bytes;
    LIVE_TABLES(X)
#undef X
    out->tables = out->slots + out->slots_bytes;
    out->tables_bytes = pages(6 * table_bytes + MEBIBYTE); /* baseline code has no inlinings */
    out->code = out->tables + out->tables_bytes;
    out->code_bytes = pages(4 * artifact->sections[ARTIFACT_code].size_bytes + MEBIBYTE);
    out->file_bytes = out->code + out->code_bytes;
    return out->slots_bytes != 0 && out->file_bytes < INT32_MAX / 2;
}

bool live_fits(const struct live_header *header, uint64_t file_bytes, const struct artifact_header *artifact)
{
    struct live_layout layout;

    return memcmp(header->magic, "wherryLV", 8) == 0 && header->artifact_digest == artifact->body_digest &&
           live_layout(artifact, &layout) && layout.file_bytes == file_bytes;
}

bool live_tables(const void *file, const struct live_layout *layout, struct code_tables *out)
{
    const struct live_header *header = file;
    const struct live_published *p = &header->published;

    if (__atomic_load_n(&header->is_published, __ATOMIC_ACQUIRE) != 1 || p->code_count > layout->code_bytes)
        return false;
    out->code = (const uint8_t *)file + layout->code;
    out->code_count = p->code_count;
#define X(name, type)                                                                                                  \
    if (p->name##_count > layout->tables_bytes / sizeof(type) || p->name % 8 != 0 ||                                   \
        !artifact_range_fits(p->name, p->name##_count * sizeof(type), layout->code))                                   \
        return false;                                                                                                  \
    out->name = (const type *)((const uint8_t *)file + p->name);                                                       \
    out->name##_count = p->name##_count;
    LIVE_TABLES(X)
#undef X
    return true;
}

int64_t live_slot(const struct artifact_header *artifact, const struct live_layout *layout, uint32_t code_offset)
{
    return (int64_t)(pages(artifact->file_bytes) + layout->code + code_offset) -
           (int64_t)artifact->sections[ARTIFACT_code].offset;
}
