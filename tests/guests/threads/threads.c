/* A guest with threads, on wasi-threads and atomics alone (Debian's wasi-libc is built without them): what a mutex, a
 * condition variable and a thread library need, and programs of several threads on top.
 *
 *   threads          producers and consumers over a bounded queue; the sum of what came through
 *   threads counter  many threads, one counter under a mutex, another without one
 *   threads files    every thread opens, reads and closes the module's own directory, over and over
 *   threads grow     several threads grow the memory and use what they got
 *   threads many     starts threads until one is refused; how many there were
 *   threads trap     one of several threads traps           threads exit    one ends the process with status 42 */
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define WASI(name)           IMPORT("wasi_snapshot_preview1", name)

struct piece {
    const void *at;
    size_t len;
};

WASI("args_sizes_get") int args_sizes_get(size_t *count, size_t *bytes);
WASI("args_get") int args_get(char **list, char *bytes);
WASI("fd_write") int fd_write(int fd, const struct piece *pieces, size_t count, size_t *written);
WASI("fd_close") int fd_close(int fd);
WASI("fd_readdir") int fd_readdir(int fd, void *at, size_t len, uint64_t cookie, size_t *used);
WASI("path_open")
int path_open(int dir, int lookup, const char *path, size_t len, int flags, uint64_t rights, uint64_t inherited,
              int fdflags, int *fd);
WASI("sched_yield") int sched_yield(void);
WASI("proc_exit") _Noreturn void proc_exit(int status);
IMPORT("wasi", "thread-spawn") int thread_spawn(void *argument);

/* --- text --------------------------------------------------------------------------------------------------------- */

static size_t length(const char *text)
{
    size_t len = 0;
    while (text[len] != 0)
        len++;
    return len;
}

static int same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b)
        a++, b++;
    return *a == *b;
}

static void say(const char *text, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    struct piece pieces[2] = {{text, length(text)}, {NULL, 0}};
    size_t written;

    *--at = '\n';
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    pieces[1] = (struct piece){at, (size_t)(digits + sizeof digits - at)};
    fd_write(1, pieces, 2, &written);
}

static void must(int condition, const char *what)
{
    if (condition)
        return;
    say(what, 0);
    proc_exit(1);
}

/* --- waiting -------------------------------------------------------------------------------------------------------- */

static void wait_while(int *word, int value)
{
    __builtin_wasm_memory_atomic_wait32(word, value, -1);
}

static void wake(int *word, unsigned count)
{
    __builtin_wasm_memory_atomic_notify(word, count);
}

/* 0: free, 1: held, 2: held and somebody waits */
static void lock(int *mutex)
{
    int free = 0;
    if (__atomic_compare_exchange_n(mutex, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(mutex, 2, __ATOMIC_ACQUIRE) != 0)
        wait_while(mutex, 2);
}

static void unlock(int *mutex)
{
    if (__atomic_exchange_n(mutex, 0, __ATOMIC_RELEASE) == 2)
        wake(mutex, 1);
}

/* A condition is a count of signals. */
static void condition_wait(int *condition, int *mutex)
{
    int seen = __atomic_load_n(condition, __ATOMIC_RELAXED);
    unlock(mutex);
    wait_while(condition, seen);
    lock(mutex);
}

static void condition_signal(int *condition)
{
    __atomic_fetch_add(condition, 1, __ATOMIC_RELAXED);
    wake(condition, 1);
}

/* --- threads -------------------------------------------------------------------------------------------------------- */

enum { STACK_BYTES = 16384, THREADS = 200 };

struct thread {
    char *stack; /* first: start.s loads it */
    void (*run)(uint64_t argument);
    uint64_t argument;
    int is_done;
};

static char stacks[THREADS][STACK_BYTES] __attribute__((aligned(16)));
static struct thread threads[THREADS];

void thread_main(int number, struct thread *t);

void thread_main(int number, struct thread *t)
{
    must(number > 0, "a thread without a number ");
    t->run(t->argument);
    __atomic_store_n(&t->is_done, 1, __ATOMIC_RELEASE);
    wake(&t->is_done, 1);
}

static int start(unsigned index, void (*run)(uint64_t), uint64_t argument)
{
    threads[index] = (struct thread){stacks[index] + STACK_BYTES, run, argument, 0};
    return thread_spawn(&threads[index]) > 0;
}

static void join(unsigned index)
{
    while (__atomic_load_n(&threads[index].is_done, __ATOMIC_ACQUIRE) == 0)
        wait_while(&threads[index].is_done, 0);
}

static void run_all(unsigned count, void (*run)(uint64_t))
{
    for (unsigned i = 0; i < count; i++)
        must(start(i, run, i), "a thread was refused ");
    for (unsigned i = 0; i < count; i++)
        join(i);
}

/* --- programs ------------------------------------------------------------------------------------------------------- */

enum { QUEUE = 16, PRODUCERS = 4, ITEMS = 5000, ROUNDS = 20000 };

static struct {
    int mutex, not_empty, not_full;
    unsigned first, count;
    uint64_t items[QUEUE];
} queue;
static uint64_t sum, guarded, unguarded;
static int sum_mutex;

static void put(uint64_t item)
{
    lock(&queue.mutex);
    while (queue.count == QUEUE)
        condition_wait(&queue.not_full, &queue.mutex);
    queue.items[(queue.first + queue.count++) % QUEUE] = item;
    condition_signal(&queue.not_empty);
    unlock(&queue.mutex);
}

static uint64_t take(void)
{
    uint64_t item;
    lock(&queue.mutex);
    while (queue.count == 0)
        condition_wait(&queue.not_empty, &queue.mutex);
    item = queue.items[queue.first];
    queue.first = (queue.first + 1) % QUEUE;
    queue.count--;
    condition_signal(&queue.not_full);
    unlock(&queue.mutex);
    return item;
}

static void produce_or_consume(uint64_t index)
{
    uint64_t mine = 0;
    for (uint64_t i = 1; i <= ITEMS; i++) {
        if (index % 2 == 0)
            put(i);
        else
            mine += take();
    }
    lock(&sum_mutex);
    sum += mine;
    unlock(&sum_mutex);
}

static void count(uint64_t index)
{
    for (int i = 0; i < ROUNDS; i++) {
        lock(&sum_mutex);
        guarded++;
        unlock(&sum_mutex);
        __atomic_fetch_add(&unguarded, index + 1, __ATOMIC_SEQ_CST);
    }
}

static void use_files(uint64_t index)
{
    char names[512];
    size_t used;
    for (int i = 0; i < 300; i++) {
        int fd;
        must(path_open(3, 1, ".", 1, 2 /* directory */, 1 << 14 /* readdir */, 0, 0, &fd) == 0, "open ");
        must(fd_readdir(fd, names, sizeof names, 0, &used) == 0 && used != 0, "readdir ");
        must(fd_close(fd) == 0, "close ");
    }
}

static void grow(uint64_t index)
{
    for (int i = 0; i < 8; i++) {
        size_t page = __builtin_wasm_memory_grow(0, 1);
        int *at = (int *)(page << 16);
        must(page != SIZE_MAX && __atomic_exchange_n(at, 1, __ATOMIC_SEQ_CST) == 0, "a page twice ");
        must(__builtin_wasm_memory_size(0) > page, "the size ");
    }
}

static void wait_for_ever(uint64_t unused)
{
    static int never;
    wait_while(&never, 0);
}

static void trap(uint64_t index)
{
    if (index == 2)
        __builtin_trap();
    wait_for_ever(0);
}

static void leave(uint64_t index)
{
    if (index == 2)
        proc_exit(42);
    wait_for_ever(0);
}

static void many(void)
{
    unsigned started = 0;
    while (started < THREADS && start(started, wait_for_ever, 0))
        started++;
    say("threads started: ", started);
}

static void run_mode(const char *mode)
{
    if (same(mode, "queue")) {
        run_all(2 * PRODUCERS, produce_or_consume);
        say("sum: ", sum);
    } else if (same(mode, "counter")) {
        run_all(8, count);
        say("under the mutex: ", guarded);
        say("by addition: ", unguarded);
    } else if (same(mode, "files")) {
        run_all(8, use_files);
        say("threads done: ", 8);
    } else if (same(mode, "grow")) {
        run_all(8, grow);
        say("threads done: ", 8);
    } else if (same(mode, "many")) {
        many();
    } else if (same(mode, "trap")) {
        run_all(4, trap);
    } else if (same(mode, "exit")) {
        run_all(4, leave);
    } else {
        must(0, "unknown mode ");
    }
}

__attribute__((export_name("_start"))) void _start(void)
{
    static char *list[8], bytes[256];
    size_t count_, size;

    must(args_sizes_get(&count_, &size) == 0 && count_ <= 8 && size <= sizeof bytes, "arguments ");
    args_get(list, bytes);
    run_mode(count_ > 1 ? list[1] : "queue");
}
