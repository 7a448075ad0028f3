/* Fails each allocation of the shim's daemon in turn: it must neither end nor hang, and once there is memory again everything
 * must work and nothing be left over.
 *
 *     shim_memory BUNDLE TERMINAL-BUNDLE DIRECTORY [FIRST]    prints TAP; socket and fifos are made in DIRECTORY
 *
 * The daemon is a fork that calls shim_serve; the linker sends its allocations through the __wrap_ functions below. Workers
 * are not failed: they may end, and a killed one is another test's. */
#include "base/fd.h"
#include "shim/address.h"
#include "shim/shim.h"
#include "shim/ttrpc.h"
#include "shim_call.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A killed process ends when the machine has a processor for it. */
enum { PATIENCE_MS = 60000, LOOK_MS = 10 };

/* Seen by both sides. fail_at 0: nothing fails. */
static struct shared {
    volatile pid_t daemon;
    volatile long fail_at, count;
} * shared;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static bool fails(void)
{
    return shared != NULL && shared->daemon == getpid() && ++shared->count == shared->fail_at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strndup(const char *text, size_t len)
{
    char *copy = fails() ? NULL : __real_malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = 0;
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, strlen(text));
}

static char address[ADDRESS_MAX], events[128], in_path[128], out_path[128], *bundle;

_Noreturn static void die(const char *what)
{
    printf("not ok 1 - %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Takes the shim's events, as containerd does. */
static pid_t events_serve(void)
{
    struct err e;
    int listener = address_listen(events, &e);
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct bytes in = {0}, out = {0};
        struct ttrpc_frame frame;
        struct pollfd p = {.fd = listener, .events = POLLIN};
        poll(&p, 1, -1);
        int fd = accept(listener, NULL, NULL);
        fcntl(fd, F_SETFL, 0);
        while (fd >= 0 && bytes_reserve(&in, 4096)) {
            ssize_t n = recv(fd, in.data + in.len, in.capacity - in.len, 0);
            if (n <= 0)
                break;
            in.len += (size_t)n;
            while (ttrpc_parse(in.data, in.len, &frame) == TTRPC_FRAME) {
                ttrpc_put_response(&out, frame.stream, NULL);
                (void)!send(fd, out.data, out.len, MSG_NOSIGNAL);
                bytes_drop(&out, out.len);
                bytes_drop(&in, TTRPC_HEADER_BYTES + frame.len);
            }
        }
        close(fd);
        bytes_done(&in);
        bytes_done(&out);
    }
}

static pid_t daemon_start(const char *libexec)
{
    struct err e;
    int listener = address_listen(address, &e);
    pid_t pid;

    if (listener < 0)
        die("the shim's socket");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        shared->daemon = getpid();
        exit(shim_serve(listener, address, "memory", events, "", libexec, ""));
    }
    close(listener);
    return pid;
}

/* One connection at a time, made anew when the shim had no memory for it. Returns the code of the answer, or -1. */
static int call(const char *method, const void *request)
{
    static int fd = -1;
    Rpc__Response *response;
    int code;

    if (fd < 0)
        fd = shim_dial(address);
    response = fd >= 0 ? shim_exchange(fd, method, request) : NULL;
    if (response == NULL) {
        fd_close(&fd);
        return -1;
    }
    code = response->status != NULL ? response->status->code : 0;
    rpc__response__free_unpacked(response, NULL);
    if (strcmp(method, "Shutdown") == 0)
        fd_close(&fd);
    return code;
}

/* The calls of a container's life. Returns the name of the first that did not succeed; NULL: all did. */
static const char *life(bool terminal)
{
    Task__CreateRequest create = TASK__CREATE_REQUEST__INIT;
    Task__ExecRequest exec = TASK__EXEC_REQUEST__INIT;
    Task__ProcessRequest init = TASK__PROCESS_REQUEST__INIT, other = TASK__PROCESS_REQUEST__INIT;
    Task__ContainerRequest container = TASK__CONTAINER_REQUEST__INIT;
    Task__KillRequest kill_init = TASK__KILL_REQUEST__INIT;
    Rpc__Any spec = RPC__ANY__INIT;
    static const char process[] = "{\"args\": [\"true\"], \"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0},"
                                  " \"env\": [\"PATH=/bin\"]}";
    const struct {
        const char *method;
        const void *request;
    } steps[] = {{"Create", &create},  {"Start", &init},      {"State", &init},      {"Connect", &container},
                 {"Exec", &exec},      {"Start", &other},     {"Wait", &other},      {"Delete", &other},
                 {"Pids", &container}, {"Stats", &container}, {"Pause", &container}, {"Resume", &container},
                 {"Kill", &kill_init}, {"Wait", &init},       {"Delete", &init}};
    const char *failed = NULL;
    bool went_well = true;

    create.id = init.id = other.id = container.id = kill_init.id = exec.id = (char *)"m1";
    other.exec_id = exec.exec_id = (char *)"x1";
    create.bundle = bundle;
    create.stdin = in_path;
    create.stdout = out_path;
    create.terminal = terminal;
    spec.value.data = (uint8_t *)process;
    spec.value.len = strlen(process);
    exec.spec = &spec;
    exec.stdout = out_path;
    kill_init.signal = SIGKILL;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        bool needless = strcmp(steps[i].method, "Wait") == 0 && !went_well; /* it would wait for ever */
        went_well = !needless && call(steps[i].method, steps[i].request) == 0;
        if (!went_well && failed == NULL)
            failed = steps[i].method;
    }
    return failed;
}

/* What a client does whose calls failed half-way. */
static bool tidy(void)
{
    Task__ProcessRequest init = TASK__PROCESS_REQUEST__INIT;
    Task__KillRequest kill_init = TASK__KILL_REQUEST__INIT;

    init.id = kill_init.id = (char *)"m1";
    kill_init.signal = SIGKILL;
    for (int i = 0; i < PATIENCE_MS / LOOK_MS; i++) {
        if (call("State", &init) == TTRPC_NOT_FOUND)
            return true;
        call("Kill", &kill_init);
        call("Delete", &init);
        usleep(LOOK_MS * 1000);
    }
    return false;
}

static bool daemon_ends(pid_t pid, int *status)
{
    Task__ShutdownRequest shutdown_request = TASK__SHUTDOWN_REQUEST__INIT;

    shutdown_request.id = (char *)"m1";
    call("Shutdown", &shutdown_request);
    for (int i = 0; i < PATIENCE_MS / LOOK_MS; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        usleep(LOOK_MS * 1000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    return false;
}

/* Returns false when N is above the number of allocations. */
static bool fail_at(long n, long *number, bool terminal, const char *libexec)
{
    int status = 0;
    pid_t pid;
    const char *first, *again = NULL, *what = NULL;
    bool reached;

    shared->count = 0;
    shared->fail_at = n;
    pid = daemon_start(libexec);
    first = life(terminal);
    reached = shared->count >= n;
    shared->fail_at = 0;
    if (!reached)
        what = first; /* that failed for another reason, or not at all: there was no Nth allocation */
    if (!tidy())
        what = "the container cannot be removed";
    else if ((again = life(terminal)) != NULL && what == NULL)
        what = again;
    if (!daemon_ends(pid, &status) && what == NULL)
        what = "the shim does not end";
    else if (status != 0 && what == NULL)
        what = "the shim died";
    if (what != NULL)
        printf("not ok %ld - allocation %ld%s: %s, status %x\n", ++*number, n, terminal ? " with a terminal" : "", what,
               (unsigned)status);
    return reached;
}

int main(int argc, char **argv)
{
    long number = 0, bad, n = argc > 4 ? atol(argv[4]) : 1;
    pid_t receiver;

    if (argc < 4)
        return 2;
    snprintf(address, sizeof address, "unix://%s/shim", argv[3]);
    snprintf(events, sizeof events, "unix://%s/events", argv[3]);
    snprintf(in_path, sizeof in_path, "%s/in", argv[3]);
    snprintf(out_path, sizeof out_path, "%s/out", argv[3]);
    if (mkfifo(in_path, 0600) != 0 || mkfifo(out_path, 0600) != 0)
        die("the fifos");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    receiver = events_serve();
    printf("TAP version 13\n");
    for (int terminal = 0; terminal < 2; terminal++) {
        long first = n;
        bundle = argv[1 + terminal];
        bad = number;
        while (fail_at(n, &number, terminal, getenv("LIBEXEC")))
            n++;
        if (number == bad)
            printf("ok %ld - each of %ld allocations failed once%s\n", ++number, n - 1,
                   terminal ? ", with a terminal" : "");
        n = first;
    }
    kill(receiver, SIGKILL);
    printf("1..%ld\n", number);
    return 0;
}
