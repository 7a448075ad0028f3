/* starts --rounds N --gap MS [--flag FLAG] --root DIR LABEL=RUNTIME=BUNDLE...: times create, start, exit and delete of containers.
 *
 * The cases are interleaved: each round runs every case once, after an idle gap, since a machine that is warm hides the
 * RCU grace periods that real starts pay for, and another one first: who comes after a case that runs the same programs finds
 * them in the caches. One line a run goes to stdout, tab separated: label, round, microseconds of
 * create, start, until exit, delete, total, CPU microseconds and peak resident KiB of the largest process. FLAG is one of the
 * runtimes', before the verb.
 *
 * This process is the subreaper, so the container's init and everything the runtime left behind is waited for here:
 * CPU time and memory are those of all processes of the start. It is static and small because a forked child's peak
 * memory begins with its parent's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct bench_case {
    const char *label, *runtime, *bundle;
    char root[PATH_MAX], log[PATH_MAX], pid_file[PATH_MAX], id[64];
    int broken; /* its first failure has been told; it is left out from then on */
};

static char *runtime_flag;
enum { WORDS_MAX = 16 }; /* of a command */

struct usage {
    uint64_t cpu_us;
    long peak_kib;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void usage_add(struct usage *sum, const struct rusage *r)
{
    sum->cpu_us += (uint64_t)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000000 +
                   (uint64_t)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
    if (r->ru_maxrss > sum->peak_kib)
        sum->peak_kib = r->ru_maxrss;
}

/* Waits for PID (-1: reaps whatever has ended, without waiting). Returns its exit status, -1 when it is not ours. */
static int reap(pid_t pid, struct usage *sum)
{
    struct rusage r;
    int status = 0, options = pid < 0 ? WNOHANG : 0;
    pid_t got;
    while ((got = wait4(pid, &status, options, &r)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0)
            usage_add(sum, &r);
        if (got > 0 && pid > 0)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return -1;
}

/* Runs one verb of the runtime to its end, with stdio on /dev/null and the case's log. Returns the exit status. */
static int run_verb(const struct bench_case *c, char *argv[], struct usage *sum)
{
    posix_spawn_file_actions_t actions;
    char *with_flag[WORDS_MAX + 2] = {argv[0], runtime_flag};
    pid_t pid;
    for (int i = 1; runtime_flag != NULL && argv[i] != NULL; i++)
        with_flag[i + 1] = argv[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, c->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawn(&pid, c->runtime, &actions, NULL, runtime_flag != NULL ? with_flag : argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        errno = failed;
        return 127;
    }
    return reap(pid, sum);
}

static pid_t read_pid(const char *path)
{
    FILE *file = fopen(path, "r");
    int pid = 0;
    if (file != NULL) {
        if (fscanf(file, "%d", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return pid;
}

static void give_up(struct bench_case *c, const char *verb, struct usage *sum)
{
    char *kill_it[] = {(char *)c->runtime, "--root", c->root, "delete", "--force", c->id, NULL};
    char line[512];
    FILE *log = fopen(c->log, "r");
    c->broken = 1;
    fprintf(stderr, "%s: %s failed; it is left out. Its messages (%s):\n", c->label, verb, c->log);
    while (log != NULL && fgets(line, sizeof line, log) != NULL)
        fprintf(stderr, "    %s", line);
    if (log != NULL)
        fclose(log);
    run_verb(c, kill_it, sum);
}

static void run_case(struct bench_case *c, int round)
{
    char *runtime = (char *)c->runtime;
    char *create[] = {runtime,           "--root",     c->root,     "create", "--bundle",
                      (char *)c->bundle, "--pid-file", c->pid_file, c->id,    NULL};
    char *start[] = {runtime, "--root", c->root, "start", c->id, NULL};
    char *delete[] = {runtime, "--root", c->root, "delete", c->id, NULL};
    struct usage sum = {0};
    uint64_t t[5];
    t[0] = now_us();
    if (run_verb(c, create, &sum) != 0) {
        give_up(c, "create", &sum);
        return;
    }
    t[1] = now_us();
    pid_t init = read_pid(c->pid_file);
    if (init <= 0 || run_verb(c, start, &sum) != 0) {
        give_up(c, "start", &sum);
        return;
    }
    t[2] = now_us();
    int status = reap(init, &sum);
    t[3] = now_us();
    if (status != 0 || run_verb(c, delete, &sum) != 0) {
        give_up(c, status != 0 ? "the container" : "delete", &sum);
        return;
    }
    t[4] = now_us();
    reap(-1, &sum);
    if (round >= 0)
        printf("%s\t%d\t%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%ld\n", c->label, round, t[1] - t[0], t[2] - t[1], t[3] - t[2],
               t[4] - t[3], t[4] - t[0], sum.cpu_us, sum.peak_kib);
}

/* Splits LABEL=RUNTIME=BUNDLE in place. Returns 0 or -1. */
static int case_parse(struct bench_case *c, char *text, const char *root, int number)
{
    char *runtime = strchr(text, '='), *bundle = runtime != NULL ? strchr(runtime + 1, '=') : NULL;
    if (bundle == NULL)
        return -1;
    *runtime++ = 0;
    *bundle++ = 0;
    c->label = text;
    c->runtime = runtime;
    c->bundle = bundle;
    snprintf(c->id, sizeof c->id, "bench-%d-%d", (int)getpid(), number);
    snprintf(c->root, sizeof c->root, "%s/%d", root, number);
    snprintf(c->log, sizeof c->log, "%s/%d.log", root, number);
    snprintf(c->pid_file, sizeof c->pid_file, "%s/%d.pid", root, number);
    return mkdir(c->root, 0700);
}

int main(int argc, char **argv)
{
    static struct bench_case cases[16];
    int rounds = 20, gap_ms = 30, count = 0;
    const char *root = "/run/wherry-bench";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--gap") == 0 && i + 1 < argc)
            gap_ms = atoi(argv[++i]);
        else if (strcmp(argv[i], "--flag") == 0 && i + 1 < argc)
            runtime_flag = argv[++i];
        else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            root = argv[++i];
        else if (count < 16 && case_parse(&cases[count], argv[i], root, count) == 0)
            count++;
        else
            return fprintf(stderr, "starts: %s is no LABEL=RUNTIME=BUNDLE\n", argv[i]), 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    /* round -1 fills caches: the page cache, compiled filters, compiled modules */
    for (int round = -1; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            struct timespec gap = {gap_ms / 1000, gap_ms % 1000 * 1000000L};
            struct bench_case *c = &cases[(i + round + count) % count];
            nanosleep(&gap, NULL);
            if (!c->broken)
                run_case(c, round);
        }
    }
    return 0;
}
