#include "engine/rt/code.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Written only outside of signal handlers and before the code it names can run; read by the handler. */
static struct code *mapped;

static int map_file(int fd, const struct artifact_identity *identity, struct code *code, struct err *err)
{
    const struct artifact_header *header;
    const struct artifact_section *section;
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
    header = code->mapping;
    if ((status = artifact_check_header(header, code->mapping_bytes, identity, err)) != 0 ||
        (status = artifact_open(&code->artifact, header, code->mapping_bytes, err)) != 0)
        return status;
    section = &header->sections[ARTIFACT_code];
    if (section->size_bytes != 0 &&
        mprotect((uint8_t *)code->mapping + section->offset, section->size_bytes, PROT_READ | PROT_EXEC) != 0)
        return err_sys(err, "cannot map the artifact's code executable");
    return 0;
}

int code_map(int fd, const struct artifact_identity *identity, struct code **out, struct err *err)
{
    struct code *code = calloc(1, sizeof *code);
    int status;

    if (code == NULL)
        return err_set(err, ENOMEM, "out of memory");
    code->mapping = MAP_FAILED;
    status = map_file(fd, identity, code, err);
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

const struct code *code_at(const void *pc)
{
    for (const struct code *code = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE); code != NULL; code = code->next)
        if ((uintptr_t)pc - (uintptr_t)code->artifact.code < code->artifact.code_count)
            return code;
    return NULL;
}

/* Index of the first site whose pc is not below PC. */
static uint64_t first_site(const struct artifact *a, uint32_t pc)
{
    uint64_t low = 0, high = a->sites_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (a->sites[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum trap_kind code_trap_at(const struct code *code, const void *pc)
{
    const struct artifact *a = &code->artifact;
    uint32_t offset = (uint32_t)((const uint8_t *)pc - a->code);

    /* a call site may have the same pc: the return address of a call that a trapping instruction follows */
    for (uint64_t i = first_site(a, offset); i < a->sites_count && a->sites[i].pc == offset; i++)
        if (a->sites[i].kind != TRAP_NONE && a->sites[i].kind < TRAP_COUNT)
            return (enum trap_kind)a->sites[i].kind;
    return TRAP_NONE;
}

bool code_locate(const struct code *code, const void *pc, uint32_t *func, uint32_t *wasm_offset)
{
    const struct artifact *a = &code->artifact;
    uint32_t offset = (uint32_t)((const uint8_t *)pc - a->code);
    uint64_t low = 0, high = a->entries_count, site;

    while (low < high) { /* the first entry above the offset */
        uint64_t middle = low + (high - low) / 2;
        if (a->entries[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low >= a->entries_count)
        return false;
    *func = (uint32_t)(a->funcs_count - (a->entries_count - 1) + (low - 1));
    site = first_site(a, offset);
    *wasm_offset = site < a->sites_count && a->sites[site].pc == offset ? a->sites[site].wasm_offset : 0;
    return true;
}
