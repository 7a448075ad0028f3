/* wherry ps: the pids as JSON, or the lines of ps(1) that are the container's. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include "oci/json_write.h"
#include <sys/wait.h>

enum { PS_OUTPUT_MAX = 64 << 20 };

static int print_json(const pid_t *pids, int count)
{
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    int ret;

    json_open(&w, '[');
    for (int i = 0; i < count; i++)
        json_put_int(&w, pids[i]);
    json_close(&w, ']');
    buf_put_u8(&text, '\n');
    ret = fd_write_all(1, text.data, text.len);
    buf_done(&text);
    return ret;
}

/* Runs ps with ARGS and reads what it prints. */
static int run_ps(char **args, struct buf *out, struct err *e)
{
    int ends[2], status = 0, ret = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, "cannot make a pipe");
    cleanup_fd int from = ends[0];
    cleanup_fd int to = ends[1];
    pid = fork();
    if (pid == 0) {
        dup2(to, 1);
        execvp("ps", args);
        _exit(127);
    }
    fd_close(&to);
    if (pid < 0)
        return err_sys(e, "cannot start ps");
    if (fd_read_to_end(from, out, PS_OUTPUT_MAX) < 0)
        ret = err_sys(e, "cannot read the output of ps");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ret == 0 && status != 0)
        ret = err_set(e, ECHILD, "ps failed%s",
                      WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ": it is not installed" : "");
    return ret;
}

/* Which column of the title line is PID, from 0; -1: none. */
static int find_column(const char *title)
{
    int column = 0;

    for (const char *p = title + strspn(title, " "); *p != 0 && *p != '\n'; column++) {
        size_t len = strcspn(p, " \n");
        if (len == 3 && memcmp(p, "PID", 3) == 0)
            return column;
        p += len;
        p += strspn(p, " ");
    }
    return -1;
}

static long column_number(const char *line, int column)
{
    const char *p = line + strspn(line, " ");

    while (column-- > 0) {
        p += strcspn(p, " \n");
        p += strspn(p, " ");
    }
    return strtol(p, NULL, 10);
}

static int print_table(const pid_t *pids, int count, char **args, struct err *e)
{
    struct buf text = {0};
    int column, ret = run_ps(args, &text, e);
    const char *line = buf_cstr(&text);

    column = ret == 0 ? find_column(line) : 0;
    if (column < 0)
        ret = err_set(e, EINVAL, "the output of ps has no column PID: give it other options");
    for (bool title = true; ret == 0 && *line != 0; title = false) {
        size_t len = strcspn(line, "\n") + 1;
        long pid = title ? 0 : column_number(line, column);
        bool ours = title;
        for (int i = 0; !ours && i < count; i++)
            ours = pids[i] == pid;
        if (ours)
            fwrite(line, 1, len, stdout);
        line += line[len - 1] == 0 ? len - 1 : len;
    }
    fflush(stdout);
    buf_done(&text);
    return ret;
}

int cmd_ps(struct cmd *cmd, int argc, char **argv)
{
    const char *format = "table";
    static const char usage[] = "ps [options] ID [ps options]";
    bool help = false;
    const struct option_spec specs[] = {
        {"format", 'f', OPTION_TEXT, &format, "table or json"}, {"help", 'h', OPTION_FLAG, &help, "print this"}, {0}};
    char *default_args[] = {"ps", "-ef", NULL};
    pid_t *pids;
    int words, count, ret;

    words = options_read(argc, argv, specs, true, &cmd->err); /* what follows the ID belongs to ps */
    if (words >= 0 && help) {
        cmd_help(cmd, specs, usage);
        return 0;
    }
    if (words == 0)
        words = err_set(&cmd->err, EINVAL, "usage: wherry %s", usage);
    if (words < 0)
        return cmd_fail(cmd, 1);
    count = control_pids(cmd->root, argv[1], &cmd->arena, &pids, &cmd->err);
    if (count < 0)
        return cmd_fail(cmd, 1);
    if (strcmp(format, "json") == 0)
        return print_json(pids, count) < 0;
    if (strcmp(format, "table") != 0) {
        err_set(&cmd->err, EINVAL, "invalid format option: '%s' is neither table nor json", format);
        return cmd_fail(cmd, 1);
    }
    argv[1] = "ps"; /* ARGV ends with NULL; the words behind the ID are ps's arguments */
    ret = print_table(pids, count, words > 1 ? argv + 1 : default_args, &cmd->err);
    return ret < 0 ? cmd_fail(cmd, 1) : 0;
}
