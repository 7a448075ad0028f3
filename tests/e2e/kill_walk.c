/* kill_walk [-f] [-s STRIDE] (kill | ERRNO) BEFORE COMMAND AFTER PATH...
 *
 * Runs COMMAND again and again, the n-th time stopped at its n-th system call: there the process that makes it is killed,
 * or the call fails with ERRNO. BEFORE prepares each run, AFTER has to clean up whatever it left (both must succeed): then
 * no process may be left and none of the PATHs may exist. Ends when COMMAND makes no n calls any more. The commands are
 * words separated by blanks; an empty one is left out.
 *
 * Without -f the calls of the command's first process count, with it those of the processes that it clones (and theirs).
 * Prints one TAP line's worth: exit status 0 and "N calls" on standard output, or 1 and what went wrong where.
 *
 * Every run is traced by a process of its own, at whose end what still runs is let go; the orphans come to us. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 64, COMMAND_TIMEOUT_S = 30, ORPHAN_TRIES = 400, ORPHAN_WAIT_MS = 10, TRACEES_MAX = 4096 };
enum { EXIT_REACHED = 0, EXIT_NOT_REACHED = 3, EXIT_CRASHED = 4, EXIT_HUNG = 5 };

struct walk {
    bool follow;
    int error; /* 0: kill */
};

static void split(char *text, char **words)
{
    int count = 0;

    for (char *word; (word = strsep(&text, " ")) != NULL && count < WORDS_MAX - 1;)
        if (*word != 0)
            words[count++] = word;
    words[count] = NULL;
}

static _Noreturn void execute(char *const *words)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execv(words[0], words);
    _exit(127);
}

/* Runs WORDS to the end. Returns its wait status. */
static int run(char *const *words)
{
    int status = 0;
    pid_t pid;

    if (words[0] == NULL)
        return 0;
    pid = fork();
    if (pid == 0)
        execute(words);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* --- the tracer of one run --------------------------------------------------------------------------------------------- */

/* Calls whose failure means nothing, because they cannot fail, or whose caller has nobody left to tell. */
static bool can_fail(long number)
{
    return number != SYS_exit && number != SYS_exit_group && number != SYS_rt_sigreturn && number != SYS_execve &&
           number != SYS_execveat && number != SYS_brk && number != SYS_mmap && number != SYS_munmap &&
           number != SYS_mprotect && number != SYS_set_tid_address && number != SYS_set_robust_list &&
           number != SYS_arch_prctl && number != SYS_rseq;
}

/* The n-th call is about to be made by PID. */
static void intervene(const struct walk *w, pid_t pid, bool *failing)
{
    struct user_regs_struct regs;

    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    dprintf(1, "%lld\n", (long long)regs.orig_rax);
    if (w->error == 0) {
        kill(pid, SIGKILL);
    } else if (can_fail((long)regs.orig_rax)) {
        regs.orig_rax = (unsigned long long)-1;
        ptrace(PTRACE_SETREGS, pid, 0, &regs);
        *failing = true;
    }
}

static void put_error(pid_t pid, int error)
{
    struct user_regs_struct regs;

    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    regs.rax = (unsigned long long)-error;
    ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

struct tracee {
    pid_t pid;
    bool in_call;
};
static struct tracee tracees[TRACEES_MAX];

static struct tracee *find_tracee(pid_t pid)
{
    for (int i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid == 0)
            tracees[i].pid = pid;
        if (tracees[i].pid == pid)
            return &tracees[i];
    }
    _exit(99);
}

/* A stop of the tracee PID: counts, intervenes, says with which signal it goes on. */
static int handle_stop(const struct walk *w, pid_t pid, pid_t first, int status, long *left, bool *failing)
{
    int signal = WSTOPSIG(status);

    if (signal == (SIGTRAP | 0x80)) {
        struct tracee *t = find_tracee(pid);
        t->in_call = !t->in_call;
        if (t->in_call && *left > 0 && (pid == first) != w->follow && --*left == 0)
            intervene(w, pid, failing);
        else if (!t->in_call && *left == 0 && *failing) {
            put_error(pid, w->error);
            *failing = false;
        }
        return 0;
    }
    return status >> 16 != 0 || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

static void on_alarm(int signal)
{
    _exit(EXIT_HUNG);
}

static _Noreturn void trace(const struct walk *w, char *const *words, long n)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORK |
                         (w->follow ? PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE : 0);
    bool failing = false;
    int status;
    pid_t first = fork(), pid;

    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execute(words);
    }
    signal(SIGALRM, on_alarm);
    alarm(COMMAND_TIMEOUT_S);
    waitpid(first, &status, 0); /* its exec */
    ptrace(PTRACE_SETOPTIONS, first, 0, options);
    ptrace(PTRACE_SYSCALL, first, 0, 0);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status)) {
            ptrace(PTRACE_SYSCALL, pid, 0, handle_stop(w, pid, first, status, &n, &failing));
            continue;
        }
        find_tracee(pid)->in_call = false;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM)
            _exit(EXIT_CRASHED);
        if (pid == first)
            _exit(n == 0 ? EXIT_REACHED : EXIT_NOT_REACHED);
    }
    _exit(99);
}

/* --- the walk ---------------------------------------------------------------------------------------------------------- */

/* Waits until no orphan is left. */
static bool reap(void)
{
    for (int i = 0; i < ORPHAN_TRIES; i++) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0)
            return true;
        if (pid == 0)
            nanosleep(&(struct timespec){.tv_nsec = ORPHAN_WAIT_MS * 1000000}, NULL);
    }
    return false;
}

/* One run. Returns the tracer's exit status and in *NUMBER the call that was hit. */
static int trace_once(const struct walk *w, char *const *words, long n, long *number)
{
    char text[32] = "";
    int ends[2], status = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return 99;
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        trace(w, words, n);
    }
    close(ends[1]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (read(ends[0], text, sizeof text - 1) > 0)
        *number = atol(text);
    close(ends[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

/* What is wrong after a run, or NULL. */
static const char *judge(int traced, char *const *after, char *const *absent)
{
    if (traced == EXIT_CRASHED)
        return "a process crashed";
    if (traced == EXIT_HUNG)
        return "the command hangs";
    if (traced != EXIT_REACHED && traced != EXIT_NOT_REACHED)
        return "the tracer failed";
    if (run(after) != 0)
        return "the command that cleans up failed";
    if (!reap())
        return "a process is left";
    for (; *absent != NULL; absent++)
        if (access(*absent, F_OK) == 0)
            return *absent;
    return NULL;
}

int main(int argc, char **argv)
{
    struct walk w = {0};
    char *before[WORDS_MAX], *command[WORDS_MAX], *after[WORDS_MAX];
    long stride = 1, n = 1, number = -1;

    for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
        if (strcmp(argv[1], "-f") == 0) {
            w.follow = true;
        } else {
            stride = atol(argv[2]);
            argc--, argv++;
        }
    }
    if (argc < 5)
        return 2;
    w.error = strcmp(argv[1], "kill") == 0 ? 0 : atoi(argv[1]);
    split(argv[2], before);
    split(argv[3], command);
    split(argv[4], after);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (;; n += stride) {
        int traced;
        const char *wrong;
        if (run(before) != 0) {
            printf("call %ld: the command that prepares failed\n", n);
            return 1;
        }
        traced = trace_once(&w, command, n, &number);
        wrong = judge(traced, after, argv + 5);
        if (wrong != NULL) {
            printf("call %ld (number %ld): %s\n", n, number, wrong);
            return 1;
        }
        if (traced == EXIT_NOT_REACHED)
            break;
    }
    printf("%ld calls\n", n - 1);
    return 0;
}
