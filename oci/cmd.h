/* The commands of the `wherry` program, one file each. Only they and main.c print, log and decide exit codes. */
#ifndef WHERRY_OCI_CMD_H
#define WHERRY_OCI_CMD_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/container.h"
#include "oci/log.h"
#include "oci/notify.h"
#include "oci/options.h"
#include <limits.h>
#include <signal.h>

struct cmd {
    const char *name; /* the verb */
    const char *root; /* --root, absolute */
    bool root_given;  /* and not the default */
    bool systemd_cgroup, cgroups_disabled;
    const char *criu; /* NULL: by PATH */
    struct log log;
    struct arena arena;
    struct err err;
};

/* Each reads ARGV (ARGV[0] is the verb) and returns the exit status. */
int cmd_create(struct cmd *cmd, int argc, char **argv);
int cmd_run(struct cmd *cmd, int argc, char **argv);
int cmd_start(struct cmd *cmd, int argc, char **argv);
int cmd_state(struct cmd *cmd, int argc, char **argv);
int cmd_list(struct cmd *cmd, int argc, char **argv);
int cmd_kill(struct cmd *cmd, int argc, char **argv);
int cmd_delete(struct cmd *cmd, int argc, char **argv);
int cmd_exec(struct cmd *cmd, int argc, char **argv);
int cmd_pause(struct cmd *cmd, int argc, char **argv);
int cmd_resume(struct cmd *cmd, int argc, char **argv);
int cmd_ps(struct cmd *cmd, int argc, char **argv);
int cmd_update(struct cmd *cmd, int argc, char **argv);
int cmd_events(struct cmd *cmd, int argc, char **argv);
int cmd_mounts(struct cmd *cmd, int argc, char **argv);
int cmd_checkpoint(struct cmd *cmd, int argc, char **argv);
int cmd_restore(struct cmd *cmd, int argc, char **argv);
int cmd_spec(struct cmd *cmd, int argc, char **argv);
int cmd_features(struct cmd *cmd, int argc, char **argv);
int cmd_cache(struct cmd *cmd, int argc, char **argv);
int cmd_plan(struct cmd *cmd, int argc, char **argv);

/* Says cmd->err on standard error and in the log; returns STATUS. */
int cmd_fail(struct cmd *cmd, int status);

/* The IDs of the containers that the extended regular expression PATTERN matches, in the arena. 0 or a negative errno with
 * cmd->err. */
int cmd_match(struct cmd *cmd, const char *pattern, struct option_texts *ids);

/* container_start for a command that does not stay. With NOTIFY_SOCKET in the environment it returns when the container has
 * said that it is ready, or has ended; a service manager then has its init as main process. As container_start. */
int cmd_start_container(struct cmd *cmd, const char *id);

/* For what has succeeded: says what cmd->err tells, if it does, as a warning, and clears it. */
void cmd_warn(struct cmd *cmd);

/* container_create and container_delete for a command: what failed without failing them is a warning. Return as those. */
int cmd_create_container(struct cmd *cmd, const struct container_create *request, struct state *state);
int cmd_delete_container(struct cmd *cmd, const char *id, bool force);

/* Prints what --help of a verb says; USAGE is what follows "wherry ". */
void cmd_help(const struct cmd *cmd, const struct option_spec *specs, const char *usage);

/* Reads options and words; exactly WORDS_MIN to WORDS_MAX words, else usage and *STATUS. Returns the number of words or -1:
 * then return *STATUS. Handles --help; USAGE is what follows "wherry ". */
int cmd_options(struct cmd *cmd, int argc, char **argv, const struct option_spec *specs, const char *usage,
                int words_min, int words_max, int *status);

/* PATH made absolute by the working directory, in the arena. NULL stays NULL. */
const char *cmd_absolute(struct cmd *cmd, const char *path);

/* Blocks every signal, so that none is lost before cmd_wait takes them; *SIGNALS is what cmd_wait wants. */
void cmd_block_signals(sigset_t *signals);

/* Passes signals on to PID, and what the container notifies to the manager, until PID ends; returns its exit status, 128 + N
 * for a signal. */
int cmd_wait(pid_t pid, const sigset_t *signals, struct notify *notify);

/* Does with SIGNAL what cmd_wait does with any but SIGCHLD. */
void cmd_pass_signal(pid_t pid, int signal, struct notify *notify);

/* Reaps what has ended; true once PID has, with its exit status as above. */
bool cmd_reap(pid_t pid, int *status);

/* For a container's terminal in the foreground: ENDS[1] is for the `console` of a request; what comes of it is taken from
 * ENDS[0]: the terminal's master, or -1 if the process has no terminal. Then cmd_terminal_wait is cmd_wait with the terminal in
 * between; the own one, if there is one, is raw meanwhile. */
int cmd_terminal_offer(int ends[2], struct err *e);
int cmd_terminal_take(int end);
void cmd_terminal_size(uint32_t *height, uint32_t *width); /* of the own; untouched if there is none */
int cmd_terminal_wait(pid_t pid, const sigset_t *signals, struct notify *notify, int master);

/* What create and run have in common. */
struct cmd_create_options {
    struct container_create request;
    const char *bundle, *config;
    bool detach, keep;
};
#define CMD_CREATE_OPTIONS(o)                                                                                          \
    {"bundle", 'b', OPTION_TEXT, &(o)->bundle, "root of the bundle (default: the working directory)"},                 \
        {"config", 'f', OPTION_TEXT, &(o)->config, "another file than BUNDLE/config.json"},                            \
        {"console-socket", 0, OPTION_TEXT, &(o)->request.console_socket, "socket that is sent the terminal's master"}, \
        {"pid-file", 0, OPTION_TEXT, &(o)->request.pid_file, "file that is written the init's pid"},                   \
        {"no-pivot", 0, OPTION_FLAG, &(o)->request.no_pivot, "enter the root by mount move and chroot (ramdisks)"},    \
        {"no-new-keyring", 0, OPTION_FLAG, &(o)->request.no_new_keyring, "keep the caller's session keyring"},         \
        {"preserve-fds", 0, OPTION_NUMBER, &(o)->request.preserve_fds, "descriptors from 3 on to pass on"},            \
        {"pidfd-socket", 0, OPTION_TEXT, &(o)->request.pidfd_socket, "socket that is sent a pidfd of the init"},       \
    {                                                                                                                  \
        "no-subreaper", 0, OPTION_IGNORED_FLAG, NULL, NULL                                                             \
    }

/* Completes OPTIONS for the container ID. Returns 0, or a negative errno with cmd->err. */
int cmd_create_prepare(struct cmd *cmd, struct cmd_create_options *options, const char *id);

#endif
