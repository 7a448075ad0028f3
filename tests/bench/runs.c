/* runs --rounds N --gap MS LABEL=COMMAND...: times programs from exec to exit, interleaved.
 *
 * COMMAND is split at spaces; its output goes to /dev/null. One line a run: label, round, wall microseconds, CPU
 * microseconds, peak resident KiB (which begins with this small static program's own). The first round is not printed:
 * it fills caches. A command that ends with another status than 0 ends the whole with its name. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS 32
#define COMMANDS  128

struct command {
    const char *label;
    char *argv[ARGUMENTS];
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void run(const struct command *c, int round)
{
    posix_spawn_file_actions_t actions;
    char *empty[] = {"PATH=/usr/sbin:/usr/bin:/bin", "HOME=/root", NULL};
    struct rusage r;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    uint64_t before = now_us();
    int failed = posix_spawn(&pid, c->argv[0], &actions, NULL, c->argv, empty);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0 || wait4(pid, &status, 0, &r) != pid || status != 0) {
        fprintf(stderr, "runs: %s (%s) %s\n", c->label, c->argv[0], failed != 0 ? strerror(failed) : "failed");
        exit(1);
    }
    uint64_t after = now_us();
    if (round >= 0)
        printf("%s\t%d\t%lu\t%lu\t%ld\n", c->label, round, after - before,
               (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
                   (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec),
               r.ru_maxrss);
}

/* Splits LABEL=COMMAND in place. Returns 0 or -1. */
static int command_parse(struct command *c, char *text)
{
    char *rest = strchr(text, '='), *word;
    int count = 0;
    if (rest == NULL)
        return -1;
    *rest++ = 0;
    c->label = text;
    while ((word = strsep(&rest, " ")) != NULL && count < ARGUMENTS - 1) {
        if (*word != 0)
            c->argv[count++] = word;
    }
    return count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct command commands[COMMANDS];
    int rounds = 20, gap_ms = 0, count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--gap") == 0 && i + 1 < argc)
            gap_ms = atoi(argv[++i]);
        else if (count < COMMANDS && command_parse(&commands[count], argv[i]) == 0)
            count++;
        else
            return fprintf(stderr, "runs: %s is no LABEL=COMMAND\n", argv[i]), 2;
    }
    for (int round = -1; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            struct timespec gap = {gap_ms / 1000, gap_ms % 1000 * 1000000L};
            nanosleep(&gap, NULL);
            run(&commands[i], round);
        }
    }
    return 0;
}
