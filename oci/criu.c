/* See criu.h. */
#include "oci/criu.h"
#include "base/fd.h"
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/wait.h>

enum { LOG_MAX_BYTES = 64 << 20, SHOWN_MAX = 300 };

void criu_begin(struct criu *criu, const char *program, const char *verb, const char *images, const char *work,
                struct arena *arena)
{
    *criu = (struct criu){.program = program != NULL ? program : "criu", .verb = verb, .arena = arena};
    criu->log = arena_printf(arena, "%s/%s.log", work, verb);
    criu_add(criu, "criu");
    criu_add(criu, "%s", verb);
    criu_add(criu, "--images-dir=%s", images);
    criu_add(criu, "--work-dir=%s", work);
    criu_add(criu, "--log-file=%s.log", verb);
    criu_add(criu, "-v4");
}

void criu_add(struct criu *criu, const char *format, ...)
{
    char *text;
    va_list ap;

    va_start(ap, format);
    if (criu->count < CRIU_ARGUMENTS_MAX && vasprintf(&text, format, ap) >= 0) {
        criu->args[criu->count] = arena_strdup(criu->arena, text);
        free(text);
    }
    va_end(ap);
    criu->count++;
}

_Noreturn static void become(const struct criu *criu, int (*prepare)(void *argument, struct err *e), void *argument,
                             int result)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct err e = {0};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prepare != NULL && prepare(argument, &e) < 0)
        goto fail;
    for (int fd = 0; fd < 3; fd++)
        (void)!dup2(null, fd);
    execvp(criu->program, criu->args);
    if (errno == ENOENT)
        err_set(&e, ENOENT, "checkpoint and restore need criu, and there is no program '%s'", criu->program);
    else
        err_sys(&e, "cannot run '%s'", criu->program);
fail:
    (void)!write(result, &e, sizeof e); /* below PIPE_BUF: whole or not at all */
    _exit(127);
}

/* Errors that criu goes on after: it may have no more descriptors, and the container's device rules are its own, too. */
static bool is_harmless(const char *line, size_t len)
{
    return memmem(line, len, "RLIMIT_NOFILE", 13) != NULL || memmem(line, len, "Unable to create tun", 20) != NULL;
}

/* The first line of the log that tells of an error; later ones say what became of it. */
static void put_reason(const char *log, char reason[SHOWN_MAX])
{
    cleanup_fd int fd = open(log, O_RDONLY | O_CLOEXEC);
    struct buf text = {0};

    snprintf(reason, SHOWN_MAX, "no reason is given");
    if (fd >= 0 && fd_read_to_end(fd, &text, LOG_MAX_BYTES) == 0)
        for (const char *line = buf_cstr(&text); *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
            int len = (int)strcspn(line, "\n");
            const char *error = memmem(line, (size_t)len, "Error (", 7);
            if (error == NULL || is_harmless(line, (size_t)len))
                continue;
            snprintf(reason, SHOWN_MAX, "%.*s", (int)(line + len - error), error);
            break;
        }
    buf_done(&text);
}

static int report(const struct criu *criu, int status, struct err *e)
{
    char reason[SHOWN_MAX];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    put_reason(criu->log, reason);
    return err_set(e, ECHILD, "criu %s failed: %s (log: %s)", criu->verb, reason, criu->log);
}

int criu_run(struct criu *criu, int (*prepare)(void *argument, struct err *e), void *argument, struct err *e)
{
    int result[2], status = 0;
    ssize_t n;
    pid_t pid;

    if (criu->count > CRIU_ARGUMENTS_MAX)
        return err_set(e, E2BIG, "the container has more mounts than criu can be told of");
    if (pipe2(result, O_CLOEXEC) < 0)
        return err_sys(e, "cannot make a pipe");
    pid = fork();
    if (pid == 0)
        become(criu, prepare, argument, result[1]);
    close(result[1]);
    n = pid < 0 ? 0 : fd_read_full(result[0], e, sizeof *e);
    close(result[0]);
    if (pid < 0)
        return err_sys(e, "cannot start criu");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n == (ssize_t)sizeof *e)
        return -e->code;
    return report(criu, status, e);
}
