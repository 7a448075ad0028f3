/* Golden tests: each file of a folder holds an input, a line "----", and the text expected from it.
 *
 * A program of such tests is a golden_produce function and a call of golden_run. With BLESS=1 in the environment (make bless
 * T=NAME) it rewrites the expectations by what it gets; the difference is then read in the version control. */
#ifndef WHERRY_TESTS_GOLDEN_H
#define WHERRY_TESTS_GOLDEN_H

#include "base/buf.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdbool.h>

/* Appends what is to be compared. INPUT is the text above the line, NUL-terminated. */
typedef void golden_produce(const char *input, struct buf *out);

static const char golden_line[] = "----\n";

static inline bool golden_rewrite(const char *path, const char *input, size_t input_len, const struct buf *got)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    return fd >= 0 && fd_write_all(fd, input, input_len) == 0 &&
           fd_write_all(fd, golden_line, sizeof golden_line - 1) == 0 && fd_write_all(fd, got->data, got->len) == 0;
}

static inline bool golden_file(const char *path, golden_produce *produce)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf file = {0}, got = {0};
    char *line, *input;
    const char *expected;
    bool ok;

    if (fd < 0 || fd_read_to_end(fd, &file, 1 << 24) != 0)
        return false;
    line = strstr(buf_cstr(&file), golden_line);
    expected = line == NULL ? "" : line + sizeof golden_line - 1;
    input = arena_strndup(&(struct arena){0}, (const char *)file.data,
                          line == NULL ? file.len : (size_t)(line - (char *)file.data));
    produce(input, &got);
    ok = strcmp(buf_cstr(&got), expected) == 0;
    if (!ok && getenv("BLESS") != NULL)
        ok = golden_rewrite(path, input, strlen(input), &got);
    if (!ok)
        printf("# %s gives\n%s", path, buf_cstr(&got));
    buf_done(&got);
    buf_done(&file);
    return ok;
}

/* Runs every .txt file in FOLDER in the order of names; prints TAP. Returns the exit status. */
static inline int golden_run(const char *folder, golden_produce *produce)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), i, tests = 0, failed = 0;
    char path[4096];

    for (i = 0; i < count; i++) {
        const char *name = entries[i]->d_name, *extension = strrchr(name, '.');
        bool ok;
        if (extension == NULL || strcmp(extension, ".txt") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        ok = golden_file(path, produce);
        failed += !ok;
        printf("%sok %d - %s\n", ok ? "" : "not ", ++tests, path);
    }
    printf("1..%d\n", tests);
    return failed != 0 || tests == 0;
}

#endif
