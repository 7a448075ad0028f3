/* wherry kill */
#include "oci/cmd.h"
#include <ctype.h>
#include <signal.h>
#include <strings.h>

/* By number; SIGIOT, SIGCLD and SIGPOLL are other names of what is here. */
static const char *const names[] = {
    [SIGHUP] = "HUP",       [SIGINT] = "INT",   [SIGQUIT] = "QUIT",   [SIGILL] = "ILL",   [SIGTRAP] = "TRAP",
    [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",     [SIGKILL] = "KILL", [SIGUSR1] = "USR1",
    [SIGSEGV] = "SEGV",     [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE",   [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
    [SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",   [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
    [SIGTTIN] = "TTIN",     [SIGTTOU] = "TTOU", [SIGURG] = "URG",     [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
    [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGPOLL] = "POLL", [SIGPWR] = "PWR",
    [SIGSYS] = "SYS",
};

/* What programs linked to glibc, systemd among them, call so; musl keeps one more for itself. */
enum { SIGNAL_RTMIN = 34, SIGNAL_RTMAX = 64 };

/* "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3". Returns -1 for anything else. */
static int read_signal(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (isdigit((unsigned char)text[0]))
        return *end == 0 && number >= 0 && number < NSIG ? (int)number : -1;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    if (strncasecmp(text, "RTMIN", 5) == 0 && (text[5] == 0 || text[5] == '+')) {
        number = text[5] == 0 ? 0 : strtol(text + 6, &end, 10);
        return number >= 0 && SIGNAL_RTMIN + number <= SIGNAL_RTMAX ? SIGNAL_RTMIN + (int)number : -1;
    }
    for (int signal = 1; signal <= SIGSYS; signal++)
        if (strcasecmp(names[signal], text) == 0)
            return signal;
    return -1;
}

static int kill_matches(struct cmd *cmd, const char *pattern, int signal, bool all)
{
    struct option_texts *ids = arena_new(&cmd->arena, struct option_texts);
    int status = cmd_match(cmd, pattern, ids) < 0 ? cmd_fail(cmd, 1) : 0;

    for (unsigned i = 0; i < ids->count; i++)
        if (container_kill(cmd->root, ids->data[i], signal, all, &cmd->err) < 0)
            status = cmd_fail(cmd, 1);
    return status;
}

int cmd_kill(struct cmd *cmd, int argc, char **argv)
{
    bool all = false, regex = false;
    const struct option_spec specs[] = {
        {"all", 'a', OPTION_FLAG, &all, "every process of the container"},
        {"regex", 'r', OPTION_FLAG, &regex, "ID is a regular expression: all that it matches"},
        {0}};
    int status, signal;
    int words = cmd_options(cmd, argc, argv, specs, "kill [--all] [--regex] ID [SIGNAL]", 1, 2, &status);

    if (words < 0)
        return status;
    signal = read_signal(words == 2 ? argv[2] : "TERM");
    if (signal < 0) {
        err_set(&cmd->err, EINVAL, "unknown signal \"%s\"", argv[2]);
        return cmd_fail(cmd, 1);
    }
    if (regex)
        return kill_matches(cmd, argv[1], signal, all);
    return container_kill(cmd->root, argv[1], signal, all, &cmd->err) < 0 ? cmd_fail(cmd, 1) : 0;
}
