#include "engine/rt/code.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Written only outside of signal handlers and before the code it names can run; read by the handler. */
static struct code *mapped;

static int map_artifact(int fd, const struct artifact_identity *identity, struct code *code, struct err *err)
{
    struct stat st;
    int status;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "cannot look at the artifact");
    if (st.st_size < ARTIFACT_PAGE_BYTES)
        return err_set(err, ESTALE, "the artifact is truncated");
    code->mapping_bytes = (uint64_t)st.st_size;
    code->mapping = mmap(NULL, code->mapping_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (code->mapping == MAP_FAILED)
        return err_sys(err, "cannot map the artifact");
    status = artifact_check_header(code->mapping, code->mapping_bytes, identity, err);
    return status != 0 ? status : artifact_open(&code->artifact, code->mapping, code->mapping_bytes, err);
}

/* Looked at through a mapping: nothing is called here that a container's filter might not know (engine/needs.c). */
static bool is_live_file(int live_fd, const struct artifact_header *artifact)
{
    const struct live_header *header;
    struct stat st;
    bool fits;

    if (live_fd < 0 || fstat(live_fd, &st) != 0 || st.st_size < ARTIFACT_PAGE_BYTES)
        return false;
    header = mmap(NULL, ARTIFACT_PAGE_BYTES, PROT_READ, MAP_PRIVATE, live_fd, 0);
    fits = header != MAP_FAILED && live_fits(header, (uint64_t)st.st_size, artifact);
    if (header != MAP_FAILED)
        munmap((void *)header, ARTIFACT_PAGE_BYTES);
    return fits;
}

/* The live file is mapped shared, from a descriptor that is open for reading only: so never to be made writable. */
static bool map_both(uint8_t *at, const struct code *code, int fd, uint8_t *live, int live_fd,
                     const struct live_layout *l)
{
    return mmap(at, code->mapping_bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED &&
           mmap(live, l->file_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, live_fd, 0) != MAP_FAILED &&
           mmap(at + code->artifact.header->sections[ARTIFACT_slots].offset, l->slots_bytes, PROT_READ,
                MAP_SHARED | MAP_FIXED, live_fd, (off_t)l->slots) != MAP_FAILED &&
           mprotect(live + l->code, l->code_bytes, PROT_READ | PROT_EXEC) == 0;
}

/* Maps the artifact once more, with its live file behind it. Where that cannot be (there is none, or no room for it), the
 * first mapping stays. */
static void add_live(struct code *code, int fd, int live_fd)
{
    uint64_t artifact_bytes = (code->mapping_bytes + ARTIFACT_PAGE_BYTES - 1) & ~(uint64_t)(ARTIFACT_PAGE_BYTES - 1);
    struct artifact artifact;
    struct live_layout l;
    uint64_t all_bytes;
    struct err why;
    uint8_t *at;

    if (!live_layout(code->artifact.header, &l) || !is_live_file(live_fd, code->artifact.header))
        return;
    all_bytes = artifact_bytes + l.file_bytes;
    at = mmap(NULL, all_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    if (!map_both(at, code, fd, at + artifact_bytes, live_fd, &l) ||
        artifact_open(&artifact, at, code->mapping_bytes, &why) != 0) {
        munmap(at, all_bytes);
        return;
    }
    munmap(code->mapping, code->mapping_bytes);
    code->artifact = artifact;
    code->mapping = at;
    code->mapping_bytes = all_bytes;
    code->live = at + artifact_bytes;
    code->live_layout = l;
}

static int map_file(int fd, int live_fd, const struct artifact_identity *identity, struct code *code, struct err *err)
{
    const struct artifact_section *section;
    int status = map_artifact(fd, identity, code, err);

    if (status != 0)
        return status;
    add_live(code, fd, live_fd);
    section = &code->artifact.header->sections[ARTIFACT_code];
    if (section->size_bytes != 0 &&
        mprotect((uint8_t *)code->mapping + section->offset, section->size_bytes, PROT_READ | PROT_EXEC) != 0)
        return err_sys(err, "cannot map the artifact's code executable");
    return 0;
}

int code_map(int fd, const struct artifact_identity *identity, struct code **out, struct err *err)
{
    return code_map_with_live(fd, -1, identity, out, err);
}

int code_map_with_live(int fd, int live_fd, const struct artifact_identity *identity, struct code **out,
                       struct err *err)
{
    struct code *code = calloc(1, sizeof *code);
    int status;

    if (code == NULL)
        return err_set(err, ENOMEM, "out of memory");
    code->mapping = MAP_FAILED;
    status = map_file(fd, live_fd, identity, code, err);
    if (status != 0) {
        if (code->mapping != MAP_FAILED)
            munmap(code->mapping, code->mapping_bytes);
        free(code);
        return status;
    }
    code->next = mapped;
    __atomic_store_n(&mapped, code, __ATOMIC_RELEASE);
    *out = code;
    return 0;
}

void code_unmap(struct code *code)
{
    for (struct code **at = &mapped; *at != NULL; at = &(*at)->next) {
        if (*at == code) {
            *at = code->next;
            break;
        }
    }
    munmap(code->mapping, code->mapping_bytes);
    free(code);
}

static bool is_live(const struct code *code, const void *pc)
{
    return code->live != NULL &&
           (uintptr_t)pc - ((uintptr_t)code->live + code->live_layout.code) < code->live_layout.code_bytes;
}

const struct code *code_at(const void *pc)
{
    for (const struct code *code = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE); code != NULL; code = code->next)
        if ((uintptr_t)pc - (uintptr_t)code->artifact.code < code->artifact.code_count || is_live(code, pc))
            return code;
    return NULL;
}

bool code_tables_at(const struct code *code, const void *pc, struct code_tables *out)
{
    const struct artifact *a = &code->artifact;

    if (is_live(code, pc))
        return live_tables(code->live, &code->live_layout, out);
    *out = (struct code_tables){.code = a->code,
                                .code_count = a->code_count,
#define X(field, type) .field = a->field, .field##_count = a->field##_count,
                                LIVE_TABLES(X)
#undef X
    };
    return true;
}

static struct site_cursor sites_from(const struct code_tables *t, uint32_t pc)
{
    return site_find((struct site_list){t->site_blocks, t->site_blocks_count, t->sites, t->sites_count}, pc);
}

enum trap_kind code_trap_at(const struct code *code, const void *pc)
{
    struct code_tables t;
    struct site_cursor cursor;
    struct site site;
    uint32_t offset;

    if (!code_tables_at(code, pc, &t))
        return TRAP_NONE;
    offset = (uint32_t)((const uint8_t *)pc - t.code);
    /* a call site may have the same pc: the return address of a call that a trapping instruction follows */
    cursor = sites_from(&t, offset);
    while (site_next(&cursor, &site) && site.pc == offset)
        if (site.kind != TRAP_NONE && site.kind < TRAP_COUNT)
            return site.kind;
    return TRAP_NONE;
}

/* The function whose code the offset lies in. */
static bool find_function(const struct code *code, const struct code_tables *t, uint32_t offset, uint32_t *func)
{
    uint64_t low = 0, high;

    for (high = t->entries_count; low < high;) { /* the first entry above the offset */
        uint64_t middle = low + (high - low) / 2;
        if (t->entries[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low >= t->entries_count)
        return false;
    *func = (uint32_t)(code->artifact.funcs_count - (t->entries_count - 1) + (low - 1));
    return true;
}

/* A call and an instruction behind it that may trap have sites with one pc. */
static struct site_origin find_origin(const struct code_tables *t, uint32_t offset, bool faulted)
{
    struct site_cursor cursor = sites_from(t, offset);
    struct site site;

    while (site_next(&cursor, &site) && site.pc == offset)
        if ((site.kind != TRAP_NONE) == faulted)
            return (struct site_origin){
                site.wasm_offset, code_inlining_of_site(t->inlined_sites, t->inlined_sites_count, cursor.site - 1)};
    return (struct site_origin){0};
}

uint32_t code_locate(const struct code *code, const void *pc, bool faulted, struct code_place *out, uint32_t max)
{
    struct site_origin origin;
    struct code_tables t;
    uint32_t offset, func, count = 0;

    if (!code_tables_at(code, pc, &t))
        return 0;
    offset = (uint32_t)((const uint8_t *)pc - t.code);
    if (!find_function(code, &t, offset, &func))
        return 0;
    origin = find_origin(&t, offset, faulted);
    while (count < max && origin.inlining != 0 && origin.inlining <= t.inlinings_count) {
        const struct code_inlining *inlining = &t.inlinings[origin.inlining - 1];
        out[count++] = (struct code_place){inlining->func, origin.wasm_offset};
        if (inlining->call.inlining >= origin.inlining) /* nobody has made that: a damaged artifact */
            return count;
        origin = inlining->call;
    }
    if (count < max)
        out[count++] = (struct code_place){func, origin.wasm_offset};
    return count;
}
