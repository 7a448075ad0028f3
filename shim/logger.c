/* See logger.h. */
#include "shim/logger.h"
#include "base/fd.h"
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>

enum { ARGUMENTS_MAX = 64, READY_TIMEOUT_MS = 10000, LOGGER_STDOUT = 3, LOGGER_STDERR, LOGGER_READY };

#define SCHEME   "binary://"
#define SCHEME_2 "binary-v2://"

static bool has_scheme(const char *uri, const char *scheme)
{
    return strncmp(uri, scheme, strlen(scheme)) == 0;
}

bool logger_is_named(const char *uri)
{
    return has_scheme(uri, SCHEME) || has_scheme(uri, SCHEME_2);
}

/* Undoes %XX, and in a query also +, in place. */
static void unescape(char *text, bool query)
{
    char *out = text;

    for (; *text != 0; out++) {
        if (text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char hex[3] = {text[1], text[2], 0};
            *out = (char)strtol(hex, NULL, 16);
            text += 3;
        } else {
            *out = query && *text == '+' ? ' ' : *text;
            text++;
        }
    }
    *out = 0;
}

/* Cuts URI, a copy, into the program and its arguments: each key and, if it is not empty, its value. False: too many. */
static bool arguments_cut(char *uri, char *args[ARGUMENTS_MAX])
{
    char *query = strchr(uri, '?'), *rest = query;
    int count = 1;

    if (query != NULL) {
        *query = 0;
        rest = query + 1;
    }
    args[0] = strstr(uri, "://") + 3;
    unescape(args[0], false);
    for (char *pair; (pair = rest != NULL ? strsep(&rest, "&") : NULL) != NULL;) {
        char *value = strchr(pair, '=');
        if (count + 2 >= ARGUMENTS_MAX)
            return false;
        if (pair[0] == 0)
            continue;
        if (value != NULL)
            *value++ = 0;
        args[count++] = pair;
        unescape(pair, true);
        if (value != NULL && value[0] != 0) {
            args[count++] = value;
            unescape(value, true);
        }
    }
    args[count] = NULL;
    return true;
}

/* Pipes whose ends lie above the numbers that the logger is given: each can then be put in its place without being in
 * the way of another. */
static int pipe_high(int ends[2])
{
    int low[2], error = 0;

    if (pipe2(low, O_CLOEXEC) != 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, LOGGER_READY + 1);
        if (ends[i] < 0)
            error = -errno;
        close(low[i]);
    }
    return error;
}

static int spawn(char *const args[], char *const environment[], const int fds[3], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return -error;
    error = posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (int i = 0; i < 3 && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(&actions, fds[i], LOGGER_STDOUT + i);
    if (error == 0)
        error = posix_spawn(pid, args[0], &actions, &attributes, args, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

static int run(char *const args[], const char *id, const char *namespace, const int fds[3], struct err *e)
{
    char id_text[1100], namespace_text[300];
    char *const environment[] = {id_text, namespace_text, NULL};
    pid_t pid;
    int error;

    if ((size_t)snprintf(id_text, sizeof id_text, "CONTAINER_ID=%s", id) >= sizeof id_text ||
        (size_t)snprintf(namespace_text, sizeof namespace_text, "CONTAINER_NAMESPACE=%s", namespace) >=
            sizeof namespace_text)
        return err_set(e, ENAMETOOLONG, "logger: the container's id or namespace is too long");
    error = spawn(args, environment, fds, &pid);
    return error == 0 ? 0 : err_set(e, -error, "cannot run the logger %s: %s", args[0], strerror(-error));
}

int logger_start(const char *uri, const char *id, const char *namespace, int out[2], int *ready, struct err *e)
{
    char *args[ARGUMENTS_MAX], *copy = strdup(uri);
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}, error = 0;

    if (copy == NULL)
        return err_set(e, ENOMEM, "the shim is out of memory");
    if (!arguments_cut(copy, args))
        error = err_set(e, E2BIG, "stdio %s: more arguments than a logger can have", uri);
    else if (args[0][0] != '/')
        error = err_set(e, EINVAL, "stdio %s: a logger is named by an absolute path", uri);
    for (int i = 0; i < 3 && error == 0; i++)
        if ((error = pipe_high(pipes[i])) != 0)
            err_set(e, -error, "cannot make pipes for a logger: %s", strerror(-error));
    if (error == 0)
        error = run(args, id, namespace, (int[]){pipes[0][0], pipes[1][0], pipes[2][1]}, e);
    if (error == 0) {
        out[0] = fd_take(&pipes[0][1]);
        out[1] = fd_take(&pipes[1][1]);
        *ready = fd_take(&pipes[2][0]);
    }
    for (int i = 0; i < 6; i++)
        fd_close(&pipes[i / 2][i % 2]);
    free(copy);
    return error;
}

int logger_wait(const char *uri, int ready, struct err *e)
{
    struct pollfd p = {.fd = ready, .events = POLLIN};
    char byte;
    int count = poll(&p, 1, READY_TIMEOUT_MS);

    if (count < 0)
        return err_sys(e, "cannot wait for the logger %s", uri);
    if (count == 0)
        return err_set(e, ETIMEDOUT, "the logger %s is not ready after %d seconds", uri, READY_TIMEOUT_MS / 1000);
    if (read(ready, &byte, 1) != 1 && has_scheme(uri, SCHEME_2))
        return err_set(e, EPIPE, "the logger %s ended before it was ready", uri);
    return 0;
}
