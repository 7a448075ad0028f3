/* Staying until a program in a container ends, as if one were that program: for run and exec. */
#include "oci/cmd.h"
#include <sys/wait.h>

void cmd_block_signals(sigset_t *signals)
{
    memset(signals, 0xff, sizeof *signals); /* sigfillset would leave out those that the libc uses */
    sigprocmask(SIG_BLOCK, signals, NULL);
}

/* See cmd.h. As subreaper we also get what the container's own processes left. */
bool cmd_reap(pid_t pid, int *status)
{
    int one;
    pid_t ended;

    while ((ended = waitpid(-1, &one, WNOHANG)) > 0)
        if (ended == pid) {
            *status = WIFSIGNALED(one) ? 128 + WTERMSIG(one) : WEXITSTATUS(one);
            return true;
        }
    return false;
}

/* SIGIO is the notify socket's (see cmd_run.c), if there is one. */
void cmd_pass_signal(pid_t pid, int signal, struct notify *notify)
{
    if (signal == SIGIO && notify->socket >= 0)
        notify_pass(notify, getpid());
    else if (signal != SIGPIPE)
        kill(pid, signal);
}

/* Signals are blocked and taken one by one, so none is lost. */
int cmd_wait(pid_t pid, const sigset_t *signals, struct notify *notify)
{
    int status = 255;

    while (!cmd_reap(pid, &status)) {
        siginfo_t info;
        int signal = sigwaitinfo(signals, &info);
        if (signal > 0 && signal != SIGCHLD)
            cmd_pass_signal(pid, signal, notify);
    }
    return status;
}
