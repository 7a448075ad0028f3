/* Fuzzes what reads an artifact: tables of any content behind a header that passes are refused, trap, or make an
 * instance; nothing is read or written outside. The machine code is left alone: no function of it is called. */
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "wherry/engine.h"
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum trap_kind nothing(struct host_call *call)
{
    return TRAP_NONE;
}

/* A file with the input's section table and content, and everything else of the header as it must be. */
static int make_file(const uint8_t *data, size_t size)
{
    static uint8_t file[1 << 20];
    struct artifact_header *header = (struct artifact_header *)file;
    size_t len = size < sizeof file ? size : sizeof file;
    int fd = memfd_create("artifact", MFD_CLOEXEC);

    memset(file, 0, ARTIFACT_PAGE_BYTES);
    memcpy(file, data, len);
    if (len < ARTIFACT_PAGE_BYTES)
        len = ARTIFACT_PAGE_BYTES;
    memcpy(header->magic, "wherryAR", 8);
    header->format = ARTIFACT_FORMAT;
    header->architecture = ARTIFACT_X86_64;
    snprintf(header->build_id, sizeof header->build_id, "%s", engine_build_id);
    header->cpu_features = 0;
    header->start_func = MODULE_NONE;
    header->file_bytes = len;
    header->checksum = artifact_header_checksum(header);
    if (write(fd, file, len) != (ssize_t)len)
        abort();
    return fd;
}

static void use(struct store *store, const struct code *code, int fd)
{
    static const struct host_function_def defs[] = {{"nothing", ":", nothing}};
    static const struct host_module host = {"host", defs, 1};
    struct linker linker = {.store = store};
    struct external imports[64];
    struct instance *instance;
    struct err err;
    struct external found;

    if (code->artifact.imports_count > sizeof imports / sizeof imports[0])
        return;
    vec_push(&linker.sources, ((struct link_source){.module = name_of("host"), .host = &host}));
    if (link_imports(&linker, code, imports, &err) == 0 &&
        instance_new(store, code, fd, imports, &instance, &err) == 0) {
        instance_initialize(instance);
        instance_export(instance, name_of("f"), &found);
    }
    vec_done(&linker.sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct artifact_identity any = {0};
    int fd = make_file(data, size);
    struct store *store;
    struct code *code;
    struct err err;

    if (code_map(fd, &any, &code, &err) == 0) {
        if (store_new(&store, 0, &err) != 0)
            abort();
        use(store, code, fd);
        store_free(store);
        code_unmap(code);
    }
    close(fd);
    return 0;
}
