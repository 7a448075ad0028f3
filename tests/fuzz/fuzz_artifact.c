/* Fuzzes what reads an artifact: tables of any content behind a header that passes are refused, trap, or make an
 * instance; nothing is read or written outside. The machine code is left alone: no function of it is called.
 *
 * The bytes are not mapped from a file, and some instances share a store: what the kernel takes for mappings would be most of
 * the time. */
#include "engine/gen/target.h"
#include "engine/rt/link.h"
#include "engine/rt/store.h"
#include "tests/fuzz/fuzz.h"
#include "wherry/engine.h"
#include <sys/mman.h>
#include <unistd.h>

enum { INSTANCES_PER_STORE = 32 };

static struct store *store;
static struct code *codes[INSTANCES_PER_STORE];
static unsigned count;

static enum trap_kind nothing(struct host_call *call)
{
    return TRAP_NONE;
}

/* The input's section table and content, and everything else of the header as it must be. */
static void *make_file(const uint8_t *data, size_t size, size_t *len)
{
    struct artifact_header *header;
    uint8_t *file;

    *len = size < ARTIFACT_PAGE_BYTES ? ARTIFACT_PAGE_BYTES : size;
    file = aligned_alloc(16, (*len + 15) & ~(size_t)15);
    if (file == NULL)
        abort();
    memcpy(file, data, size);
    memset(file + size, 0, *len - size);
    header = (struct artifact_header *)file;
    memcpy(header->magic, "wherryAR", 8);
    header->format = ARTIFACT_FORMAT;
    header->architecture = target_native_architecture;
    snprintf(header->build_id, sizeof header->build_id, "%s", engine_build_id);
    header->cpu_features = 0;
    header->start_func = MODULE_NONE;
    header->file_bytes = *len;
    header->checksum = artifact_header_checksum(header);
    return file;
}

/* As code_map does, without a file. NULL: it is refused. */
static struct code *open_code(void *file, size_t len)
{
    static const struct artifact_identity any = {0};
    struct code *code = calloc(1, sizeof *code);
    struct err e = {0};

    if (code == NULL)
        abort();
    code->mapping = file;
    code->mapping_bytes = len;
    if (artifact_check_header(file, len, &any, &e) == 0 && artifact_open(&code->artifact, file, len, &e) == 0)
        return code;
    assert(e.text[0] != 0);
    free(code);
    free(file);
    return NULL;
}

static void use(const struct code *code)
{
    static const struct host_function_def defs[] = {{"nothing", ":", nothing}};
    static const struct host_module host = {"host", defs, 1};
    static int image = -1;
    struct linker linker = {.store = store};
    struct external imports[64];
    struct instance *instance;
    struct err err = {0};
    struct external found;

    if (image < 0 && ((image = memfd_create("image", MFD_CLOEXEC)) < 0 || ftruncate(image, 1 << 20) != 0))
        abort();
    if (code->artifact.imports_count > sizeof imports / sizeof imports[0])
        return;
    vec_push(&linker.sources, ((struct link_source){.module = name_of("host"), .host = &host}));
    if (link_imports(&linker, code, imports, &err) == 0 &&
        instance_new(store, code, image, imports, &instance, &err) == 0) {
        instance_initialize(instance);
        instance_export(instance, name_of("f"), &found);
    } else {
        assert(err.text[0] != 0);
    }
    vec_done(&linker.sources);
}

/* What a backtrace says of places in the code, wherever they are said to be. */
static void locate(const struct code *code)
{
    const struct artifact *a = &code->artifact;
    struct site_cursor cursor =
        site_find((struct site_list){a->site_blocks, a->site_blocks_count, a->sites, a->sites_count}, 0);
    struct code_place places[BACKTRACE_MAX];
    struct site site;

    for (unsigned i = 0; i < 16 && site_next(&cursor, &site); i++)
        if (site.pc < a->code_count &&
            code_locate(code, a->code + site.pc, site.kind != TRAP_NONE, places, BACKTRACE_MAX) > BACKTRACE_MAX)
            abort();
}

static void release_all(void)
{
    store_free(store);
    store = NULL;
    while (count != 0) {
        free(codes[--count]->mapping);
        free(codes[count]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len;
    void *file = make_file(data, size, &len);
    struct code *code = open_code(file, len);
    struct err e;

    if (code == NULL)
        return 0;
    if (store == NULL && store_new(&store, 0, &e) != 0)
        abort();
    codes[count++] = code;
    locate(code);
    use(code);
    if (count == INSTANCES_PER_STORE)
        release_all();
    return 0;
}
