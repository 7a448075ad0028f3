/* Fuzzes the small texts that come from configurations, images and command lines. The first byte chooses which. */
#include "oci/cgroup.h"
#include "oci/environment.h"
#include "oci/mount_options.h"
#include "oci/options.c"
#include "oci/sched.h"
#include "oci/seccomp_check.h"
#include "oci/systemd.h"
#include "oci/user.h"
#include "oci/wasm_listen.h"
#include "shim/logger.c"
#include "shim/rootfs_idmap.c"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 64 };

/* Cuts TEXT at its lines. */
static size_t cut(char *text, char *words[WORDS_MAX])
{
    size_t count = 0;

    for (char *word; count < WORDS_MAX - 1 && (word = strsep(&text, "\n")) != NULL;)
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static void read_mount_options(char *text, struct arena *arena, struct err *e)
{
    char *words[WORDS_MAX];
    struct mount_options out;
    size_t count = cut(text, words);

    if (mount_options_read((const char *const *)words, count, arena, &out, e) == 0)
        assert((out.flags & out.cleared) == 0 && out.data != NULL);
}

static void read_command_line(char *text, struct err *e)
{
    static struct option_texts texts;
    bool flag = false;
    const char *one = NULL;
    unsigned number = 0;
    const struct option_spec specs[] = {{"flag", 'f', OPTION_FLAG, &flag, ""},
                                        {"text", 't', OPTION_TEXT, &one, ""},
                                        {"texts", 'e', OPTION_TEXTS, &texts, ""},
                                        {"number", 0, OPTION_NUMBER, &number, ""},
                                        {"ignored", 'i', OPTION_IGNORED_TEXT, NULL, ""},
                                        {"refused", 'r', OPTION_REFUSED, NULL, ""},
                                        {0}};
    char *words[WORDS_MAX + 1] = {(char *)"program"};
    int count = (int)cut(text, words + 1) + 1;

    texts.count = 0;
    assert(options_read(count, words, specs, false, e) < count);
}

static void read_cpus(const char *text, struct err *e)
{
    cpu_set_t set;

    sched_read_cpus(text, &set, e);
}

static void read_user(const char *text, struct err *e)
{
    uid_t uid;
    gid_t gid;
    bool has_gid;

    user_read(text, &uid, &gid, &has_gid, e);
}

static void read_logger(char *text)
{
    char *args[ARGUMENTS_MAX];

    if (logger_is_named(text))
        arguments_cut(text, args);
}

static void ask_filter(const uint8_t *data, size_t size)
{
    struct buf filter = {0};
    struct err e;

    buf_put(&filter, data, size);
    seccomp_check_engine(&filter, &e);
    buf_done(&filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct grant_socket *sockets;
    struct config_id_maps maps;
    struct systemd_unit unit;
    struct cgroup cgroup = {0};
    uint32_t count;
    struct err e = {0};
    char *text;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    switch (data[0] % 11) {
    case 0: read_mount_options(text, &arena, &e); break;
    case 1: read_command_line(text, &e); break;
    case 2: read_cpus(text, &e); break;
    case 3: read_user(text, &e); break;
    case 4: wasm_listen_read(text, &arena, &sockets, &count, &e); break;
    case 5: environment_find_home(text, 1000, &arena); break;
    case 6: maps_read(text, &arena, &maps, &e); break;
    case 7: read_logger(text); break;
    case 8: ask_filter(data + 1, size - 1); break;
    case 9: systemd_unit_read(text, "id", &arena, &unit, &e); break;
    default: cgroup_decode(text, size - 1, &arena, &cgroup, &e); break;
    }
    free(text);
    arena_free(&arena);
    return 0;
}
