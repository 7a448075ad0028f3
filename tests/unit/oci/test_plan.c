/* Golden tests of the plan: a config.json above the line, the steps (or the refusal) below it. BLESS=1 rewrites them. */
#include "oci/plan.h"
#include "tests/golden/golden.h"

static void produce(const char *input, struct buf *out)
{
    struct arena arena = {0};
    struct config config;
    struct plan plan;
    struct err e;

    if (config_parse(input, strlen(input), &arena, &config, &e) < 0 ||
        plan_make(&config, &(struct plan_options){.bundle = "/bundle", .selinux = true}, &arena, &plan, &e) < 0)
        buf_printf(out, "error: %s\n", e.text);
    else
        plan_print(&plan, out);
    arena_free(&arena);
}

int main(void)
{
    return golden_run("tests/golden/plan", produce);
}
