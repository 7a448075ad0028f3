#include "engine/rt/code.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Written only outside of signal handlers and before the code it names can run; read by the handler. */
static struct code *mapped;

/* Shared and of a file that is open for reading only: so never to be made writable. Failing, all stays as it was. */
static void map_live(struct code *code, int live_fd)
{
    const struct artifact_header *artifact = code->artifact.header;
    const struct live_layout *l = &code->live_layout;
    uint8_t *at = (uint8_t *)code->mapping + code->mapping_bytes - l->file_bytes;

    if (mmap(at, l->file_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, live_fd, 0) == MAP_FAILED ||
        mmap(at + l->code, l->code_bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, live_fd, (off_t)l->code) ==
            MAP_FAILED ||
        mmap((uint8_t *)code->mapping + artifact->sections[ARTIFACT_slots].offset, l->slots_bytes, PROT_READ,
             MAP_SHARED | MAP_FIXED, live_fd, (off_t)l->slots) == MAP_FAILED)
        return;
    code->live = at;
}

/* How much room behind the artifact its live file takes; 0: there is none. */
static uint64_t measure_live(int fd, int live_fd, struct live_layout *layout)
{
    union artifact_page page;
    struct live_header live;
    struct stat st;

    if (live_fd < 0 || fstat(live_fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        pread(live_fd, &live, sizeof live, 0) != (ssize_t)sizeof live ||
        pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page ||
        !live_fits(&live, (uint64_t)st.st_size, &page.header) || !live_layout(&page.header, layout))
        return 0;
    return layout->file_bytes;
}

/* The artifact, and behind it the room for its live file. */
static int reserve(struct code *code, int fd, uint64_t file_bytes, uint64_t live_bytes, struct err *err)
{
    uint64_t artifact_bytes = (file_bytes + ARTIFACT_PAGE_BYTES - 1) & ~(uint64_t)(ARTIFACT_PAGE_BYTES - 1);

    code->mapping_bytes = live_bytes == 0 ? file_bytes : artifact_bytes + live_bytes;
    code->mapping =
        live_bytes == 0 ? NULL : mmap(NULL, code->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code->mapping != MAP_FAILED)
        code->mapping =
            mmap(code->mapping, file_bytes, PROT_READ, MAP_PRIVATE | (live_bytes == 0 ? 0 : MAP_FIXED), fd, 0);
    return code->mapping == MAP_FAILED ? err_sys(err, "cannot map the artifact") : 0;
}

static int map_file(int fd, int live_fd, const struct artifact_identity *identity, struct code *code, struct err *err)
{
    const struct artifact_header *header;
    const struct artifact_section *section;
    uint64_t live_bytes = measure_live(fd, live_fd, &code->live_layout);
    struct stat st;
    int status;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "cannot look at the artifact");
    if (st.st_size < ARTIFACT_PAGE_BYTES)
        return err_set(err, ESTALE, "the artifact is truncated");
    if ((status = reserve(code, fd, (uint64_t)st.st_size, live_bytes, err)) != 0)
        return status;
    header = code->mapping;
    if ((status = artifact_check_header(header, (uint64_t)st.st_size, identity, err)) != 0 ||
        (status = artifact_open(&code->artifact, header, (uint64_t)st.st_size, err)) != 0)
        return status;
    section = &header->sections[ARTIFACT_code];
    if (section->size_bytes != 0 &&
        mprotect((uint8_t *)code->mapping + section->offset, section->size_bytes, PROT_READ | PROT_EXEC) != 0)
        return err_sys(err, "cannot map the artifact's code executable");
    if (live_bytes != 0)
        map_live(code, live_fd);
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

/* Index of the first site whose pc is not below PC. */
static uint64_t first_site(const struct code_tables *t, uint32_t pc)
{
    uint64_t low = 0, high = t->sites_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (t->sites[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum trap_kind code_trap_at(const struct code *code, const void *pc)
{
    struct code_tables t;
    uint32_t offset;

    if (!code_tables_at(code, pc, &t))
        return TRAP_NONE;
    offset = (uint32_t)((const uint8_t *)pc - t.code);
    /* a call site may have the same pc: the return address of a call that a trapping instruction follows */
    for (uint64_t i = first_site(&t, offset); i < t.sites_count && t.sites[i].pc == offset; i++)
        if (t.sites[i].kind != TRAP_NONE && t.sites[i].kind < TRAP_COUNT)
            return (enum trap_kind)t.sites[i].kind;
    return TRAP_NONE;
}

bool code_locate(const struct code *code, const void *pc, uint32_t *func, uint32_t *wasm_offset)
{
    struct code_tables t;
    uint64_t low = 0, high, site;
    uint32_t offset;

    if (!code_tables_at(code, pc, &t))
        return false;
    offset = (uint32_t)((const uint8_t *)pc - t.code);
    for (high = t.entries_count; low < high;) { /* the first entry above the offset */
        uint64_t middle = low + (high - low) / 2;
        if (t.entries[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low >= t.entries_count)
        return false;
    *func = (uint32_t)(code->artifact.funcs_count - (t.entries_count - 1) + (low - 1));
    site = first_site(&t, offset);
    *wasm_offset = site < t.sites_count && t.sites[site].pc == offset ? t.sites[site].wasm_offset : 0;
    return true;
}
