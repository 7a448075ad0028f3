/* Streams by URI, and the terminal's copying. */
#include "shim/logger.h"
#include "shim/stdio.h"
#include "shim/terminal.h"
#include "base/fd.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <cmocka.h>

static char directory[64], in_path[128], out_path[128];

static int start(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/stdio-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(in_path, sizeof in_path, "%s/in", directory);
    snprintf(out_path, sizeof out_path, "%s/out", directory);
    assert_int_equal(mkfifo(in_path, 0600), 0);
    assert_int_equal(mkfifo(out_path, 0600), 0);
    (void)state;
    return 0;
}

static int stop(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    (void)state;
    return system(command);
}

static void fifos_without_anybody_there(void **state)
{
    struct stdio s;
    struct err e;
    char text[16];
    struct stdio_fds fds;

    assert_int_equal(stdio_init(&s, in_path, out_path, "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), 0);
    assert_int_equal(fds.stream[STDERR], -1);
    assert_int_equal(fcntl(fds.stream[STDIN], F_GETFL) & O_NONBLOCK, 0);
    /* no reader but ours: no SIGPIPE; what is written stays for the one who comes */
    assert_int_equal(write(fds.stream[STDOUT], "hello", 5), 5);
    cleanup_fd int reader = open(out_path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(read(reader, text, sizeof text), 5);
    /* end of file on stdin comes with CloseIO and not with a client that goes */
    close(open(in_path, O_WRONLY));
    fcntl(fds.stream[STDIN], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(fds.stream[STDIN], text, sizeof text), -1);
    stdio_close_input(&s);
    assert_int_equal(read(fds.stream[STDIN], text, sizeof text), 0);
    close(fds.stream[STDIN]);
    close(fds.stream[STDOUT]);
    assert_int_equal(read(reader, text, sizeof text), 0); /* the reader's end of file: we hold no writer */
    stdio_done(&s);
    (void)state;
}

/* A child opens the output after the process has ended, waits in that open, and reads to the end. */
static void a_reader_that_comes_late(void **state)
{
    struct stdio s;
    struct stdio_fds fds;
    struct err e;
    char text[16];
    int status = 0;
    pid_t reader, ended = 0;

    assert_int_equal(stdio_init(&s, "", out_path, "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), 0);
    assert_int_equal(write(fds.stream[STDOUT], "hello", 5), 5);
    stdio_fds_close(&fds);
    reader = fork();
    if (reader == 0) {
        int fd = open(out_path, O_RDONLY);
        _exit(read(fd, text, sizeof text) == 5 && read(fd, text, sizeof text) == 0 ? 0 : 1);
    }
    for (int i = 0; i < 2000 && ended == 0; i++) {
        usleep(5000);
        stdio_let_readers_in(&s);
        ended = waitpid(reader, &status, WNOHANG);
    }
    if (ended == 0)
        kill(reader, SIGKILL);
    assert_int_equal(ended, reader);
    assert_int_equal(status, 0);
    stdio_done(&s);
    (void)state;
}

static void files_and_what_is_refused(void **state)
{
    char uri[160], path[160];
    struct stdio s;
    struct stat st;
    struct err e;
    struct stdio_fds fds;

    snprintf(uri, sizeof uri, "file://%s/a/b/log", directory);
    snprintf(path, sizeof path, "%s/a/b/log", directory);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(stdio_init(&s, "", uri, "", false), 0);
        assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), 0);
        assert_int_equal(write(fds.stream[STDOUT], "x", 1), 1);
        close(fds.stream[STDOUT]);
        stdio_done(&s);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2);
    assert_int_equal(stdio_init(&s, "", "/nowhere/fifo", "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nowhere/fifo"));
    stdio_done(&s);
    assert_int_equal(stdio_init(&s, "", "http://x", "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), -EINVAL);
    stdio_done(&s);
    assert_int_equal(stdio_init(&s, "", "binary://relative", "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), -EINVAL);
    stdio_done(&s);
    assert_int_equal(stdio_init(&s, "", "binary:///nowhere/logger", "", false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nowhere/logger"));
    stdio_done(&s);
    (void)state;
}

/* The shell as a logger: CODE is its script. Returns what it printed into the file after both streams have ended. */
static const char *log_by(const char *scheme, const char *code, int *waited)
{
    static char text[256];
    char uri[512], path[128];
    struct stdio s;
    struct stdio_fds fds;
    struct err e;
    ssize_t len;

    snprintf(path, sizeof path, "%s/logged", directory);
    unlink(path);
    snprintf(uri, sizeof uri, "%s:///bin/sh?-c=%s&%s&a%%26b=c+d", scheme, code, path);
    assert_int_equal(stdio_init(&s, "", uri, uri, false), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), 0);
    *waited = logger_wait(uri, fds.logger, &e);
    (void)!write(fds.stream[STDOUT], "out ", 4);
    (void)!write(fds.stream[STDERR], "err ", 4);
    stdio_fds_close(&fds);
    stdio_done(&s);
    assert_true(wait(NULL) > 0);
    cleanup_fd int fd = open(path, O_RDONLY);
    len = fd_read_full(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = 0;
    return text;
}

static void loggers(void **state)
{
    int waited;

    signal(SIGPIPE, SIG_IGN);
    assert_string_equal(
        log_by("binary",
               "exec+5%3E%26-;+{+cat+%3C%263;+cat+%3C%264;+echo+$CONTAINER_NAMESPACE+$CONTAINER_ID+$1+$2;+}+%3E$0",
               &waited),
        "out err test c1 a&b c d\n");
    assert_int_equal(waited, 0);
    log_by("binary-v2", "exit+1", &waited);
    assert_int_equal(waited, -EPIPE);
    assert_string_equal(log_by("binary-v2", "echo+%3E%265;+cat+%3C%263+%3E$0", &waited), "out ");
    assert_int_equal(waited, 0);
    (void)state;
}

static struct loop loop;

static void stop_loop(struct timer *timer)
{
    (void)timer;
    loop.stopped = true;
}

static void run_ms(unsigned ms)
{
    struct timer timer = {.expired = stop_loop};
    loop.stopped = false;
    loop_timer_set(&loop, &timer, ms);
    loop_run(&loop);
}

static void terminal_copies_both_ways(void **state)
{
    cleanup_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
    struct termios raw;
    struct stdio s;
    struct terminal *t;
    struct err e;
    char text[65536];
    struct stdio_fds fds;
    ssize_t n, total = 0;

    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(stdio_init(&s, in_path, out_path, "", true), 0);
    assert_int_equal(stdio_open(&s, "c1", "test", &fds, &e), 0);
    cleanup_fd int client_out = open(out_path, O_RDONLY | O_NONBLOCK), client_in = open(in_path, O_WRONLY);
    t = terminal_new(&loop, fd_take(&master), fds.stream[STDIN], fds.stream[STDOUT]);
    assert_int_equal(write(slave, "from inside", 11), 11);
    assert_int_equal(write(client_in, "typed", 5), 5);
    for (int i = 0; i < 500 && (n = read(client_out, text, sizeof text)) < 0; i++) /* a loaded machine takes its time */
        run_ms(10);
    assert_int_equal(n, 11);
    assert_int_equal(read(slave, text, sizeof text), 5);
    assert_int_equal(terminal_resize(t, 100, 40), 0);
    /* a client that does not read stops the terminal, and nothing is lost */
    fcntl(slave, F_SETFL, O_NONBLOCK);
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 40; i++) {
        n = write(slave, text, 4096);
        total += n > 0 ? n : 0;
        run_ms(1);
    }
    assert_true(total >= 65536);
    fd_close(&slave);
    while (total > 0) {
        n = read(client_out, text, sizeof text);
        total -= n > 0 ? n : 0;
        run_ms(1);
    }
    assert_int_equal(total, 0);
    run_ms(5);
    assert_int_equal(read(client_out, text, sizeof text), 0); /* all slaves closed: the client's end of file */
    terminal_free(t);
    stdio_done(&s);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifos_without_anybody_there), cmocka_unit_test(a_reader_that_comes_late),
        cmocka_unit_test(files_and_what_is_refused),   cmocka_unit_test(loggers),
        cmocka_unit_test(terminal_copies_both_ways),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
