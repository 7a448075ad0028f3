/* Fuzzes config.json and what comes of it: the plan, the grants, systemd's properties. A first byte that begins no JSON
 * object chooses one of the parts that are read alone: exec's process, update's resources, GVariant's text form. */
#include "oci/plan.h"
#include "oci/systemd.h"
#include "oci/wasm_grant.h"
#include "tests/fuzz/fuzz.h"

static void use_config(const struct config *config, struct arena *arena)
{
    static const struct plan_options options = {.bundle = "/bundle"};
    struct systemd_unit unit;
    struct buf text = {0};
    struct grant grant;
    struct plan plan;
    struct err e;

    systemd_put_resources(&config->resources, true, &text);
    systemd_put_resources(&config->resources, false, &text);
    systemd_put_annotations(&config->annotations, &text, &e);
    systemd_unit_read(config->cgroups_path, "id", arena, &unit, &e);
    if (plan_make(config, &options, arena, &plan, &e) == 0) {
        plan_print(&plan, &text);
        if (wasm_grant_make(&plan, arena, &grant, &e) == 0)
            wasm_grant_print(&grant, &text);
    }
    buf_done(&text);
}

static void read_annotation(const uint8_t *data, size_t size)
{
    char *value = fuzz_text(data, size);
    struct config_pair pair = {"org.systemd.property.Property", value};
    struct buf text = {0};
    struct err e;

    systemd_put_annotations(&(struct config_pairs){&pair, 1}, &text, &e);
    buf_done(&text);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct arena arena = {0};
    struct config config;
    struct err e = {0};
    int status = 0;

    switch (size != 0 ? data[0] : 0) {
    case 'p': status = config_parse_process(text + 1, size - 1, &arena, &config.process, &e); break;
    case 'r': status = config_parse_resources(text + 1, size - 1, &arena, &config.resources, &e); break;
    case 'g': read_annotation(data + 1, size - 1); break;
    default:
        status = config_parse(text, size, &arena, &config, &e);
        if (status == 0)
            use_config(&config, &arena);
    }
    assert(status == 0 || (status < 0 && e.text[0] != 0));
    arena_free(&arena);
    return 0;
}
