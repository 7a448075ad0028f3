/* For tests: a config.json from a short text, and with one change to it. */
#ifndef WHERRY_TESTS_CONFIG_TEXT_H
#define WHERRY_TESTS_CONFIG_TEXT_H

#include "oci/config.h"

/* PROCESS, TOP and LINUX are members put into the objects of these names (with a comma in front), or "". */
static inline char *config_text(struct arena *arena, const char *process, const char *top, const char *linux_members)
{
    return arena_printf(arena,
                        "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"}%s, \"process\": {\"cwd\": \"/\", "
                        "\"args\": [\"/bin/true\", \"x\"]%s}, \"linux\": {\"namespaces\": [{\"type\": \"mount\"}, "
                        "{\"type\": \"pid\"}, {\"type\": \"uts\"}]%s}}",
                        top, process, linux_members);
}

static inline int config_of(struct arena *arena, const char *process, const char *top, const char *linux_members,
                            struct config *out, struct err *e)
{
    char *text = config_text(arena, process, top, linux_members);
    return config_parse(text, strlen(text), arena, out, e);
}

#endif
