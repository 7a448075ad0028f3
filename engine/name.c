/* The name section: function names for messages, backtraces and dumps (core specification, appendix "Custom Sections").
 */
#include "engine/name.h"
#include "engine/body.h"

static void read_function_names(struct module *m, struct rd *r)
{
    uint32_t count = body_u32(r);

    while (r->fault == NULL && count-- != 0) {
        uint32_t func = body_u32(r);
        struct name name;
        if (name_read(r, &name) && func < m->func_count)
            m->func_names[func] = name;
    }
}

static void read_subsections(struct module *m, struct rd r)
{
    enum { SUBSECTION_FUNCTIONS = 1 };

    while (r.fault == NULL && !rd_done(&r)) {
        uint8_t id = rd_u8(&r);
        uint32_t len = body_u32(&r);
        const uint8_t *content = rd_bytes(&r, len);
        if (content != NULL && id == SUBSECTION_FUNCTIONS) {
            struct rd sub = rd_over(content, len);
            read_function_names(m, &sub);
        }
    }
}

void name_section_read(struct module *m)
{
    uint32_t i;

    for (i = 0; i < m->custom_count; i++) {
        const struct custom_section *s = &m->customs[i];
        if (s->name.len == 4 && memcmp(s->name.data, "name", 4) == 0) {
            m->func_names = arena_array(&m->arena, struct name, m->func_count);
            read_subsections(m, rd_over(m->bytes + s->bytes.offset, s->bytes.len));
            return;
        }
    }
}
