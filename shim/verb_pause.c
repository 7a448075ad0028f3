/* `pause`: the only process of a pod that needs one (pod.h), and the init of its PID namespace. */
#include "shim/verb.h"
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int verb_pause(void)
{
    sigset_t set;
    int signal_number = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (sigwait(&set, &signal_number) != 0 || signal_number == SIGCHLD)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    return 0;
}
