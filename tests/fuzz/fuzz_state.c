/* Fuzzes the state file: what is read of any content can be written, read again and printed. */
#include "oci/state.c"
#include "tests/fuzz/fuzz.h"

static bool read_state(const char *text, size_t len, struct arena *arena, struct state *out)
{
    struct err e = {0};
    const struct json *json = json_parse(text, len, arena, &e);
    bool good;

    memset(out, 0, sizeof *out);
    out->id = "id";
    good = json != NULL && decode(json, arena, out, &e) == 0;
    assert(good || e.text[0] != 0);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct buf text = {0}, printed = {0};
    struct state state, again;

    if (read_state((const char *)data, size, &arena, &state)) {
        encode(&state, &text);
        assert(read_state((const char *)text.data, text.len, &arena, &again));
        assert(again.pid == state.pid && again.cgroup.count == state.cgroup.count);
        state_print(&state, STATE_RUNNING, true, 2, &printed);
    }
    buf_done(&printed);
    buf_done(&text);
    arena_free(&arena);
    return 0;
}
