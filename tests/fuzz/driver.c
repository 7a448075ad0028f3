/* The fast way to add up executions: the inputs that libFuzzer found (build `checked`), changed at random, in one process and
 * without a look at what they reach.
 *
 * usage: TARGET SECONDS CORPUS FINDINGS: prints "N executions, N findings". An input on which the target dies, or takes more
 * CPU time than TIMEOUT_S, is written to FINDINGS-crash-N, and the process dies of it.
 * TARGET DIRECTORY: each of the files in it once, as a test. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/vec.h"
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

enum { INPUT_BYTES_MAX = 16384, ROOM_BYTES = 64, TIMEOUT_S = 30, EXECUTIONS_PER_LOOK = 4096 };

struct input {
    const uint8_t *data;
    size_t size;
};

static VEC(struct input) corpus;
static uint8_t current[INPUT_BYTES_MAX + ROOM_BYTES];
static size_t current_size;
static uint64_t executions;
static const char *findings; /* NULL: replaying */
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A number below LIMIT, which is not 0 and small. */
static size_t below(size_t limit)
{
    return (size_t)((next_random() >> 32) * limit >> 32);
}

/* --- inputs ------------------------------------------------------------------------------------------------------- */

static void corpus_add(int directory, const char *name)
{
    cleanup_fd int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    struct buf bytes = {0};

    if (fd >= 0 && fd_read_to_end(fd, &bytes, INPUT_BYTES_MAX) == 0)
        vec_push(&corpus, ((struct input){bytes.data, bytes.len}));
    else
        buf_done(&bytes);
}

static void corpus_read(const char *path)
{
    DIR *directory = opendir(path);

    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            corpus_add(dirfd(directory), entry->d_name);
    if (directory != NULL)
        closedir(directory);
    if (corpus.len == 0)
        vec_push(&corpus, ((struct input){(const uint8_t *)"", 0}));
}

/* The smaller of two: small ones cost less, and say as much. */
static const struct input *choose(void)
{
    const struct input *a = &corpus.data[below(corpus.len)], *b = &corpus.data[below(corpus.len)];
    return a->size < b->size ? a : b;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void insert(size_t at, const uint8_t *bytes, size_t len)
{
    if (current_size + len > sizeof current)
        return;
    memmove(current + at + len, current + at, current_size - at);
    memcpy(current + at, bytes, len);
    current_size += len;
}

static void erase(size_t at, size_t len)
{
    if (len > current_size - at)
        len = current_size - at;
    memmove(current + at, current + at + len, current_size - at - len);
    current_size -= len;
}

/* A piece of another input, put in or laid over. */
static void take_piece(size_t at, bool over)
{
    const struct input *other = choose();
    size_t from = other->size != 0 ? below(other->size) : 0, len = 1 + below(ROOM_BYTES);

    if (len > other->size - from)
        len = other->size - from;
    if (over)
        erase(at, len);
    insert(at, other->data + from, len);
}

static void change(void)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0x3f, 0x10, 0x20, '"', '{', ':', ','};
    size_t at = below(current_size + 1);
    uint8_t byte;

    if (current_size == 0 || at == current_size) {
        take_piece(at, false);
        return;
    }
    switch (below(10)) {
    case 0: current[at] ^= (uint8_t)(1 << below(8)); break;
    case 1: current[at] = (uint8_t)next_random(); break;
    case 2: current[at] = edges[below(sizeof edges)]; break;
    case 3: current[at] += (uint8_t)(below(9) - 4); break;
    case 4: erase(at, 1 + below(8)); break;
    case 5:
        byte = (uint8_t)next_random();
        insert(at, &byte, 1);
        break;
    case 6: memcpy(current + at, current + below(current_size), 1); break;
    case 7: take_piece(at, true); break;
    case 8: take_piece(at, false); break;
    default: current_size = below(16) == 0 ? at : current_size; break;
    }
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void died(int signal)
{
    char path[PATH_MAX];
    int fd;

    if (findings == NULL) { /* the input is a file already */
        printf("signal %d, on the input of %zu bytes\n", signal, current_size);
        fflush(stdout);
        _exit(1);
    }
    snprintf(path, sizeof path, "%s-crash-%llx", findings, (unsigned long long)state);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || fd_write_all(fd, current, current_size) != 0)
        fprintf(stderr, "cannot write %s\n", path);
    printf("FINDING signal %d: %s\n%llu executions, 1 findings\n", signal, path, (unsigned long long)executions);
    fflush(stdout);
    _exit(1);
}

static void watch_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGPROF};
    static uint8_t stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = died, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};

    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static void watch_time(void)
{
    const struct itimerval limit = {.it_value.tv_sec = TIMEOUT_S};

    setitimer(ITIMER_PROF, &limit, NULL);
}

static void run_some(void)
{
    watch_time();
    for (unsigned i = 0; i < EXECUTIONS_PER_LOOK; i++) {
        const struct input *input = choose();
        memcpy(current, input->data, input->size);
        current_size = input->size;
        for (size_t changes = 1 + below(4); changes != 0; changes--)
            change();
        executions++;
        LLVMFuzzerTestOneInput(current, current_size);
    }
}

static int replay(const char *path)
{
    corpus_read(path);
    watch_signals();
    watch_time();
    for (size_t i = 0; i < corpus.len; i++) {
        current_size = corpus.data[i].size;
        memcpy(current, corpus.data[i].data, current_size);
        LLVMFuzzerTestOneInput(corpus.data[i].data, corpus.data[i].size);
    }
    return 0;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
    struct timespec now;

    if (argc == 2)
        return replay(argv[1]);
    if (argc != 4) {
        fprintf(stderr, "usage: %s SECONDS CORPUS FINDINGS\n", argv[0]);
        return 2;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    state = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
    findings = argv[3];
    corpus_read(argv[2]);
    watch_signals();
    while (time(NULL) < end)
        run_some();
    printf("%llu executions, 0 findings\n", (unsigned long long)executions);
    return 0;
}
