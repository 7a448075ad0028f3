/* Descriptors, waiting, sockets, arguments and clocks of preview 1, and that no pointer of the guest's leads outside. */
#include "tests/unit/engine/wasi_guest.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { DIR = 3, LISTENER };

static const char *const args[] = {"program", "", "last one"};
static const char *const environment[] = {"A=1", "B="};
static struct grant_path paths[1];
static struct grant_socket sockets[1];
static struct grant grant;
static int saved_stdin;

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void start(void)
{
    assert_int_equal(wasi_context_new(&grant, &guest_context, NULL), 0);
    guest_module = &wasi_p1_module;
}

static int setup(void **state)
{
    tree_make();
    tree_directory("work");
    paths[0] = (struct grant_path){GRANT_DIRECTORY, "/work", "there", tree_open("work"), true};
    sockets[0] = (struct grant_socket){listen_at(tree_path("socket")), "test"};
    grant = (struct grant){
        .args = args,
        .arg_count = 3,
        .environment = environment,
        .environment_count = 2,
        .paths = paths,
        .path_count = 1,
        .sockets = sockets,
        .socket_count = 1,
    };
    saved_stdin = fcntl(0, F_DUPFD_CLOEXEC, 10);
    start();
    return 0;
}

static int teardown(void **state)
{
    wasi_context_free(guest_context);
    close(paths[0].fd);
    close(sockets[0].fd);
    dup2(saved_stdin, 0);
    close(saved_stdin);
    tree_remove();
    return 0;
}

/* Starts again with FD, which is closed, as the standard input. */
static void restart_with_stdin(int fd)
{
    assert_int_equal(dup2(fd, 0), 0);
    close(fd);
    wasi_context_free(guest_context);
    start();
}

static unsigned open_new(const char *name, uint64_t rights, unsigned fdflags)
{
    unsigned fd;
    assert_int_equal(guest_open(DIR, name, WASI_OFLAG_CREAT, rights, fdflags, &fd), WASI_SUCCESS);
    return fd;
}

static uint64_t seek(unsigned fd, int64_t offset, unsigned whence)
{
    assert_int_equal(guest_call("fd_seek", fd, (uint64_t)offset, whence, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    return guest_u64(GUEST_RESULT);
}

/* --- data ------------------------------------------------------------------------------------------------------------ */

static void reads_and_writes(void **state)
{
    unsigned fd = open_new("file", RIGHTS_READ_WRITE, 0), iovecs[] = {GUEST_DATA + 2, 2, GUEST_DATA, 2, 0, 0};

    assert_int_equal(fd, 5); /* the lowest free number */
    assert_int_equal(guest_write(fd, "hello world"), WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 11);
    assert_int_equal(seek(fd, -5, WASI_WHENCE_END), 6);
    assert_string_equal(guest_read(fd), "world");
    assert_string_equal(guest_read(fd), "");
    assert_int_equal(guest_call("fd_pread", fd, one_iovec(GUEST_DATA, 4), 1u, (uint64_t)2, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    assert_memory_equal(guest_memory + GUEST_DATA, "llo ", 4);
    assert_int_equal(guest_call("fd_tell", fd, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_u64(GUEST_RESULT), 11);
    memcpy(guest_memory + GUEST_DATA, "ABCD", 4);
    memcpy(guest_memory + GUEST_IOVECS, iovecs, sizeof iovecs);
    assert_int_equal(guest_call("fd_pwrite", fd, (unsigned)GUEST_IOVECS, 3u, (uint64_t)0, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    seek(fd, 0, WASI_WHENCE_SET);
    assert_string_equal(guest_read(fd), "CDABo world");
    assert_int_equal(guest_call("fd_seek", fd, (uint64_t)-1, 0u, (unsigned)GUEST_RESULT), WASI_INVAL);
    assert_int_equal(guest_call("fd_seek", fd, (uint64_t)0, 3u, (unsigned)GUEST_RESULT), WASI_INVAL);
    assert_int_equal(guest_call("fd_seek", (unsigned)DIR, (uint64_t)0, 0u, (unsigned)GUEST_RESULT), WASI_BADF);
    assert_string_equal(guest_read(open_new("file", RIGHTS_WRITE, 0)), "error 8"); /* EBADF: not opened for reading */
}

static void append(void **state)
{
    unsigned fd = open_new("log", RIGHTS_READ_WRITE, WASI_FDFLAG_APPEND);

    guest_write(fd, "one ");
    seek(fd, 0, WASI_WHENCE_SET);
    guest_write(fd, "two ");
    memcpy(guest_memory + GUEST_DATA, "three", 5);
    assert_int_equal(guest_call("fd_pwrite", fd, one_iovec(GUEST_DATA, 5), 1u, (uint64_t)0, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    assert_string_equal(guest_content(DIR, "log"), "one two three");
    assert_int_equal(guest_call("fd_fdstat_set_flags", fd, 0u), WASI_SUCCESS);
    seek(fd, 0, WASI_WHENCE_SET);
    guest_write(fd, "ONE");
    assert_string_equal(guest_content(DIR, "log"), "ONE two three");
    assert_int_equal(guest_call("fd_fdstat_set_flags", fd, (unsigned)WASI_FDFLAG_SYNC), WASI_NOTSUP);
    assert_int_equal(guest_call("fd_fdstat_set_flags", fd, 32u), WASI_INVAL);
}

static void every_pointer_is_checked(void **state)
{
    static const unsigned outside[][2] = {
        {GUEST_MEMORY_BYTES, 1},  {GUEST_MEMORY_BYTES - 1, 2},      {0xffffffff, 1},
        {0xffffffff, 0xffffffff}, {GUEST_DATA, GUEST_MEMORY_BYTES}, {1, 0xffffffff},
    };
    unsigned fd = open_new("file", RIGHTS_READ_WRITE, 0);

    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        unsigned at = outside[i][0], len = outside[i][1];
        assert_int_equal(guest_call("fd_read", fd, one_iovec(at, len), 1u, (unsigned)GUEST_RESULT), WASI_FAULT);
        assert_int_equal(guest_call("fd_write", fd, one_iovec(at, len), 1u, (unsigned)GUEST_RESULT), WASI_FAULT);
        assert_int_equal(guest_call("fd_write", fd, at, len, (unsigned)GUEST_RESULT), WASI_FAULT);
        assert_int_equal(guest_call("random_get", at, len), WASI_FAULT);
        assert_int_equal(guest_call("fd_readdir", (unsigned)DIR, at, len, (uint64_t)0, (unsigned)GUEST_RESULT),
                         WASI_FAULT);
        if (at < GUEST_MEMORY_BYTES - 1) /* what follows has a size of its own */
            continue;
        assert_int_equal(guest_call("poll_oneoff", at, (unsigned)GUEST_DATA, 1u, (unsigned)GUEST_RESULT), WASI_FAULT);
        assert_int_equal(guest_call("fd_filestat_get", fd, at), WASI_FAULT);
        assert_int_equal(guest_call("clock_time_get", 0u, (uint64_t)0, at), WASI_FAULT);
    }
    assert_int_equal(guest_call("fd_write", fd, (unsigned)GUEST_IOVECS, 0x20000001u, (unsigned)GUEST_RESULT),
                     WASI_FAULT);
    assert_int_equal(guest_call("args_get", (unsigned)GUEST_RESULT, (unsigned)GUEST_MEMORY_BYTES - 4), WASI_FAULT);
    assert_int_equal(guest_call("fd_tell", fd, (unsigned)GUEST_MEMORY_BYTES - 7), WASI_FAULT);
    assert_int_equal(guest_call("fd_read", fd, (unsigned)GUEST_MEMORY_BYTES, 0u, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_call("random_get", (unsigned)GUEST_MEMORY_BYTES, 0u), WASI_SUCCESS);
    /* an open that could not say what it opened must not have opened it */
    assert_int_equal(guest_call("path_open", (unsigned)DIR, 0u, TEXT("made"), (unsigned)WASI_OFLAG_CREAT, (uint64_t)0,
                                (uint64_t)0, 0u, (unsigned)GUEST_MEMORY_BYTES - 3),
                     WASI_FAULT);
    assert_int_not_equal(access(tree_path("work/made"), F_OK), 0);
}

static void more_iovecs_than_one_call_takes(void **state)
{
    unsigned fd = open_new("file", RIGHTS_READ_WRITE, 0), one[] = {GUEST_DATA, 1};

    for (unsigned i = 0; i < 2000; i++)
        memcpy(guest_memory + GUEST_DATA + 1024 + i * 8, one, 8);
    assert_int_equal(guest_call("fd_write", fd, (unsigned)GUEST_DATA + 1024, 2000u, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 1024); /* a short write */
}

static void sizes_and_times(void **state)
{
    unsigned fd = open_new("file", RIGHTS_READ_WRITE, 0);

    guest_write(fd, "0123456789");
    assert_int_equal(guest_call("fd_filestat_set_size", fd, (uint64_t)4), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_filestat_set_size", fd, (uint64_t)-1), WASI_INVAL);
    assert_int_equal(guest_call("fd_filestat_set_times", fd, (uint64_t)1500000000123456789, (uint64_t)5,
                                (unsigned)(WASI_FST_ATIM | WASI_FST_MTIM)),
                     WASI_SUCCESS);
    assert_int_equal(guest_call("fd_filestat_get", fd, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_u64(GUEST_RESULT + WASI_FILESTAT_SIZE), 4);
    assert_true(guest_u64(GUEST_RESULT + WASI_FILESTAT_ATIM) == 1500000000123456789);
    assert_int_equal(guest_u64(GUEST_RESULT + WASI_FILESTAT_MTIM), 5);
    assert_int_equal(guest_u64(GUEST_RESULT + WASI_FILESTAT_NLINK), 1);
    assert_int_equal(guest_call("fd_filestat_set_times", fd, (uint64_t)0, (uint64_t)0,
                                (unsigned)(WASI_FST_ATIM | WASI_FST_ATIM_NOW)),
                     WASI_INVAL);
    assert_int_equal(
        guest_call("fd_filestat_set_times", (unsigned)DIR, (uint64_t)0, (uint64_t)7, (unsigned)WASI_FST_MTIM),
        WASI_SUCCESS);
    assert_int_equal(guest_call("fd_filestat_get", (unsigned)DIR, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_u64(GUEST_RESULT + WASI_FILESTAT_MTIM), 7);
    assert_int_equal(guest_call("fd_sync", (unsigned)DIR), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_datasync", fd), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_advise", fd, (uint64_t)0, (uint64_t)0, 5u), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_advise", fd, (uint64_t)0, (uint64_t)0, 6u), WASI_INVAL);
}

/* The same file as preview 0 lays it out: a narrower nlink, so the size comes earlier. */
static void unstable_layouts(void **state)
{
    unsigned fd = open_new("file", RIGHTS_READ_WRITE, 0);

    guest_write(fd, "0123456789");
    guest_module = &wasi_unstable_module;
    memset(guest_memory + GUEST_RESULT, 0xee, 64);
    assert_int_equal(guest_call("fd_filestat_get", fd, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT + WASI_UNSTABLE_FILESTAT_NLINK), 1);
    assert_int_equal(guest_u64(GUEST_RESULT + WASI_UNSTABLE_FILESTAT_SIZE), 10);
    assert_int_equal(guest_memory[GUEST_RESULT + WASI_UNSTABLE_FILESTAT_BYTES], 0xee);
    assert_int_equal(seek(fd, 3, WASI_UNSTABLE_WHENCE_SET), 3);
    assert_int_equal(seek(fd, 1, WASI_UNSTABLE_WHENCE_CUR), 4);
    assert_int_equal(seek(fd, 0, WASI_UNSTABLE_WHENCE_END), 10);
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

static void renumber_and_close(void **state)
{
    unsigned file = open_new("file", RIGHTS_READ_WRITE, 0), other = open_new("other", RIGHTS_READ_WRITE, 0);

    guest_write(file, "content");
    assert_int_equal(guest_call("fd_renumber", file, other), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_close", file), WASI_BADF);
    assert_int_equal(guest_call("fd_renumber", other, 77u), WASI_BADF);
    assert_int_equal(guest_call("fd_renumber", 77u, other), WASI_BADF);
    assert_int_equal(guest_call("fd_renumber", other, other), WASI_SUCCESS);
    assert_int_equal(open_new("new", RIGHTS_READ, 0), file); /* the number is free again */
    /* onto the preopen: it is gone, and with it its name */
    assert_int_equal(guest_call("fd_renumber", other, (unsigned)DIR), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_prestat_get", (unsigned)DIR, (unsigned)GUEST_RESULT), WASI_BADF);
    assert_int_equal(seek(DIR, 0, WASI_WHENCE_CUR), 7);
    assert_int_equal(guest_call("fd_close", (unsigned)DIR), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_close", (unsigned)DIR), WASI_BADF);
    assert_int_equal(guest_call("fd_close", 0xffffffffu), WASI_BADF);
}

static void preopen_names(void **state)
{
    assert_int_equal(guest_call("fd_prestat_get", (unsigned)DIR, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT + WASI_PRESTAT_TAG), 0);
    assert_int_equal(guest_u32(GUEST_RESULT + WASI_PRESTAT_NAME_LEN), 5);
    assert_int_equal(guest_call("fd_prestat_dir_name", (unsigned)DIR, (unsigned)GUEST_DATA, 4u), WASI_NAMETOOLONG);
    assert_int_equal(guest_call("fd_prestat_dir_name", (unsigned)DIR, (unsigned)GUEST_DATA, 5u), WASI_SUCCESS);
    assert_memory_equal(guest_memory + GUEST_DATA, "there", 5);
    assert_int_equal(guest_call("fd_prestat_get", (unsigned)LISTENER, (unsigned)GUEST_RESULT), WASI_BADF);
    assert_int_equal(guest_call("fd_prestat_get", 0u, (unsigned)GUEST_RESULT), WASI_BADF);
}

/* A closed standard output must not hand its number in the process to the next file. */
static void closing_stdin_keeps_the_number_taken(void **state)
{
    struct stat st;

    restart_with_stdin(open("/dev/null", O_RDONLY));
    assert_int_equal(guest_call("fd_close", 0u), WASI_SUCCESS);
    assert_int_equal(guest_call("fd_fdstat_get", 0u, (unsigned)GUEST_RESULT), WASI_BADF);
    assert_int_equal(open_new("file", RIGHTS_READ_WRITE, 0), 0); /* the guest's number is free */
    guest_write(0, "file");
    assert_int_equal(fstat(0, &st), 0);
    assert_false(S_ISREG(st.st_mode));
    assert_string_equal(guest_content(DIR, "file"), "file");
}

static uint64_t rights_of(unsigned fd)
{
    assert_int_equal(guest_call("fd_fdstat_get", fd, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    return guest_u64(GUEST_RESULT + WASI_FDSTAT_RIGHTS_BASE);
}

static void fdstat_says_what_is_so(void **state)
{
    unsigned reader, writer = open_new("file", RIGHTS_WRITE, WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK);

    assert_int_equal(rights_of(writer) & RIGHTS_READ_WRITE, WASI_RIGHT_FD_WRITE);
    assert_int_equal(guest_memory[GUEST_RESULT], WASI_FILETYPE_REGULAR_FILE);
    assert_int_equal(guest_u16(GUEST_RESULT + WASI_FDSTAT_FLAGS), WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK);
    assert_int_equal(guest_open(DIR, "file", 0, 0, 0, &reader), WASI_SUCCESS); /* rights 0: reading */
    assert_int_equal(rights_of(reader) & RIGHTS_READ_WRITE, WASI_RIGHT_FD_READ);
    assert_true((rights_of(reader) & WASI_RIGHT_FD_SEEK) != 0);
    assert_int_equal(guest_call("fd_fdstat_set_rights", reader, (uint64_t)0, (uint64_t)0), WASI_NOTSUP);
    rights_of(DIR);
    assert_int_equal(guest_memory[GUEST_RESULT], WASI_FILETYPE_DIRECTORY);
    assert_true((guest_u64(GUEST_RESULT + WASI_FDSTAT_RIGHTS_INHERITING) & RIGHTS_READ_WRITE) == RIGHTS_READ_WRITE);
    rights_of(LISTENER);
    assert_int_equal(guest_memory[GUEST_RESULT], WASI_FILETYPE_SOCKET_STREAM);
}

/* wasi-libc's isatty: a character device that can neither seek nor tell. */
static bool is_tty(unsigned fd)
{
    uint64_t rights = rights_of(fd);
    return guest_memory[GUEST_RESULT] == WASI_FILETYPE_CHARACTER_DEVICE &&
           (rights & (WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL)) == 0;
}

static void terminals(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);

    restart_with_stdin(open("/dev/null", O_RDONLY));
    assert_false(is_tty(0));
    if (terminal >= 0) {
        restart_with_stdin(terminal);
        assert_true(is_tty(0));
    }
}

/* --- directories ----------------------------------------------------------------------------------------------------- */

struct entry {
    char name[300];
    uint64_t next, ino;
    uint8_t type;
};

/* Reads what fd_readdir gives from COOKIE on with a buffer of LEN bytes. Returns the number of whole entries. */
static unsigned list(unsigned fd, uint64_t cookie, unsigned len, struct entry *entries)
{
    unsigned used, at = GUEST_DATA, count = 0;

    assert_int_equal(guest_call("fd_readdir", fd, (unsigned)GUEST_DATA, len, cookie, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    used = guest_u32(GUEST_RESULT);
    assert_true(used <= len);
    while (used >= WASI_DIRENT_BYTES) {
        struct entry *entry = &entries[count];
        unsigned name_len = guest_u32(at + WASI_DIRENT_NAME_LEN);
        if (used - WASI_DIRENT_BYTES < name_len)
            break;
        entry->next = guest_u64(at + WASI_DIRENT_NEXT);
        entry->ino = guest_u64(at + WASI_DIRENT_INO);
        entry->type = guest_memory[at + WASI_DIRENT_TYPE];
        snprintf(entry->name, sizeof entry->name, "%.*s", (int)name_len,
                 (const char *)guest_memory + at + WASI_DIRENT_BYTES);
        at += WASI_DIRENT_BYTES + name_len;
        used -= WASI_DIRENT_BYTES + name_len;
        count++;
    }
    return count;
}

static void directory_listing(void **state)
{
    static struct entry all[64], some[64];
    unsigned directory, count;

    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "work/file-%02d", i);
        tree_file(name, "");
    }
    tree_directory("work/directory");
    assert_int_equal(guest_open(DIR, ".", WASI_OFLAG_DIRECTORY, 0, 0, &directory), WASI_SUCCESS);
    count = list(directory, 0, 8192, all);
    assert_int_equal(count, 23); /* with "." and ".." */
    assert_int_equal(list(DIR, 0, 8192, some), 23);
    for (unsigned i = 0; i < count; i++) {
        assert_string_equal(all[i].name, some[i].name);
        assert_int_equal(guest_call("path_filestat_get", (unsigned)DIR, 0u, TEXT(all[i].name), (unsigned)GUEST_RESULT),
                         strcmp(all[i].name, "..") == 0 ? WASI_PERM : WASI_SUCCESS);
        if (strcmp(all[i].name, "..") != 0) {
            assert_true(guest_u64(GUEST_RESULT + WASI_FILESTAT_INO) == all[i].ino);
            assert_int_equal(guest_memory[GUEST_RESULT + WASI_FILESTAT_FILETYPE], all[i].type);
        }
    }
    /* from every cookie on, and one by one with a buffer for hardly one entry */
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(list(directory, all[i].next, 8192, some), count - i - 1);
        if (i + 1 < count)
            assert_string_equal(some[0].name, all[i + 1].name);
        if (i + 1 < count) {
            assert_int_equal(list(directory, all[i].next, WASI_DIRENT_BYTES + 12, some), 1);
            assert_string_equal(some[0].name, all[i + 1].name);
        }
    }
    assert_int_equal(list(directory, 0, 10, some), 0); /* the buffer is full, which says that there is more */
    assert_int_equal(guest_u32(GUEST_RESULT), 10);
    assert_int_equal(guest_call("fd_readdir", open_new("file-00", RIGHTS_READ, 0), (unsigned)GUEST_DATA, 100u,
                                (uint64_t)0, (unsigned)GUEST_RESULT),
                     WASI_NOTDIR);
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static unsigned subscription_at(unsigned index)
{
    return GUEST_DATA + index * WASI_SUBSCRIPTION_BYTES;
}

static void subscribe(unsigned index, uint8_t type)
{
    uint64_t userdata = 100 + index;
    memset(guest_memory + subscription_at(index), 0, WASI_SUBSCRIPTION_BYTES);
    memcpy(guest_memory + subscription_at(index), &userdata, 8);
    guest_memory[subscription_at(index) + WASI_SUBSCRIPTION_TAG] = type;
}

static void subscribe_clock(unsigned index, unsigned clock, uint64_t timeout_ns, unsigned flags)
{
    subscribe(index, WASI_EVENT_CLOCK);
    memcpy(guest_memory + subscription_at(index) + WASI_SUBSCRIPTION_CLOCK_ID, &clock, 4);
    memcpy(guest_memory + subscription_at(index) + WASI_SUBSCRIPTION_CLOCK_TIMEOUT, &timeout_ns, 8);
    memcpy(guest_memory + subscription_at(index) + WASI_SUBSCRIPTION_CLOCK_FLAGS, &flags, 2);
}

static void subscribe_fd(unsigned index, uint8_t type, unsigned fd)
{
    subscribe(index, type);
    memcpy(guest_memory + subscription_at(index) + WASI_SUBSCRIPTION_FD, &fd, 4);
}

enum { EVENTS = GUEST_DATA + 4096 };

static unsigned poll_all(unsigned count)
{
    assert_int_equal(guest_call("poll_oneoff", (unsigned)GUEST_DATA, (unsigned)EVENTS, count, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    return guest_u32(GUEST_RESULT);
}

static void is_event(unsigned index, unsigned userdata, enum wasi_errno error, uint8_t type)
{
    unsigned at = EVENTS + index * WASI_EVENT_BYTES;
    assert_int_equal(guest_u64(at + WASI_EVENT_USERDATA), userdata);
    assert_int_equal(guest_u16(at + WASI_EVENT_ERROR), error);
    assert_int_equal(guest_memory[at + WASI_EVENT_TYPE], type);
}

static uint64_t time_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void clocks_wait(void **state)
{
    uint64_t before = time_of(CLOCK_MONOTONIC);

    subscribe_clock(0, WASI_CLOCK_MONOTONIC, 20000000, 0);
    assert_int_equal(poll_all(1), 1);
    is_event(0, 100, WASI_SUCCESS, WASI_EVENT_CLOCK);
    assert_true(time_of(CLOCK_MONOTONIC) - before >= 20000000);
    subscribe_clock(0, WASI_CLOCK_REALTIME, time_of(CLOCK_REALTIME) + 20000000, WASI_SUBCLOCK_ABSTIME);
    before = time_of(CLOCK_MONOTONIC);
    assert_int_equal(poll_all(1), 1);
    assert_true(time_of(CLOCK_MONOTONIC) - before >= 15000000);
    /* the past, no time at all, and the sooner of two */
    subscribe_clock(0, WASI_CLOCK_REALTIME, 5, WASI_SUBCLOCK_ABSTIME);
    assert_int_equal(poll_all(1), 1);
    subscribe_clock(0, WASI_CLOCK_MONOTONIC, 0, 0);
    assert_int_equal(poll_all(1), 1);
    subscribe_clock(0, WASI_CLOCK_MONOTONIC, UINT64_MAX, 0);
    subscribe_clock(1, WASI_CLOCK_REALTIME, 1000000, 0);
    assert_int_equal(poll_all(2), 1);
    is_event(0, 101, WASI_SUCCESS, WASI_EVENT_CLOCK);
    /* what cannot be waited for is an event with an error */
    subscribe_clock(0, WASI_CLOCK_PROCESS_CPUTIME, 1, 0);
    subscribe_clock(1, 9, 1, 0);
    assert_int_equal(poll_all(2), 2);
    is_event(0, 100, WASI_NOTSUP, WASI_EVENT_CLOCK);
    is_event(1, 101, WASI_INVAL, WASI_EVENT_CLOCK);
    assert_int_equal(guest_call("poll_oneoff", (unsigned)GUEST_DATA, (unsigned)EVENTS, 0u, (unsigned)GUEST_RESULT),
                     WASI_INVAL);
}

static void descriptors_wait(void **state)
{
    int pipes[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    restart_with_stdin(pipes[0]);
    subscribe_fd(0, WASI_EVENT_FD_READ, 0);
    subscribe_clock(1, WASI_CLOCK_MONOTONIC, 5000000, 0);
    assert_int_equal(poll_all(2), 1); /* nothing to read: the clock */
    is_event(0, 101, WASI_SUCCESS, WASI_EVENT_CLOCK);
    assert_int_equal(write(pipes[1], "abc", 3), 3);
    subscribe_clock(1, WASI_CLOCK_MONOTONIC, 5000000000, 0);
    assert_int_equal(poll_all(2), 1);
    is_event(0, 100, WASI_SUCCESS, WASI_EVENT_FD_READ);
    assert_int_equal(guest_u64(EVENTS + WASI_EVENT_NBYTES), 3);
    assert_string_equal(guest_read(0), "abc");
    close(pipes[1]);
    assert_int_equal(poll_all(1), 1); /* the end of the file can be read */
    assert_int_equal(guest_u16(EVENTS + WASI_EVENT_FLAGS), WASI_EVENT_FD_READWRITE_HANGUP);
    subscribe_fd(0, WASI_EVENT_FD_READ, 88);
    subscribe_fd(1, WASI_EVENT_FD_WRITE, open_new("file", RIGHTS_WRITE, 0));
    subscribe_fd(2, WASI_EVENT_FD_READ, DIR);
    assert_int_equal(poll_all(3), 3);
    is_event(0, 100, WASI_BADF, WASI_EVENT_FD_READ);
    is_event(1, 101, WASI_SUCCESS, WASI_EVENT_FD_WRITE);
    is_event(2, 102, WASI_BADF, WASI_EVENT_FD_READ);
    subscribe(0, 3);
    assert_int_equal(guest_call("poll_oneoff", (unsigned)GUEST_DATA, (unsigned)EVENTS, 1u, (unsigned)GUEST_RESULT),
                     WASI_INVAL);
}

/* The description of stdin is shared with whoever started us: its flags stay as they are. */
static void nonblock_on_stdin_is_the_guests_alone(void **state)
{
    int pipes[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    restart_with_stdin(pipes[0]);
    assert_int_equal(guest_call("fd_fdstat_set_flags", 0u, (unsigned)WASI_FDFLAG_NONBLOCK), WASI_SUCCESS);
    assert_int_equal(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
    assert_string_equal(guest_read(0), "error 6"); /* EAGAIN */
    rights_of(0);
    assert_int_equal(guest_u16(GUEST_RESULT + WASI_FDSTAT_FLAGS), WASI_FDFLAG_NONBLOCK);
    assert_int_equal(write(pipes[1], "abc", 3), 3);
    assert_string_equal(guest_read(0), "abc");
    close(pipes[1]);
    assert_string_equal(guest_read(0), "");
    assert_int_equal(guest_call("fd_fdstat_set_flags", 0u, (unsigned)WASI_FDFLAG_APPEND), WASI_NOTSUP);
}

/* Somebody else made the shared description non-blocking: a guest that did not ask for it still waits. */
static void nonblock_of_others_is_not_the_guests(void **state)
{
    int pipes[2], status;
    pid_t child;

    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    restart_with_stdin(pipes[0]);
    child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(write(pipes[1], "late", 4) == 4 ? 0 : 1);
    }
    assert_string_equal(guest_read(0), "late");
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pipes[1]);
}

/* --- sockets --------------------------------------------------------------------------------------------------------- */

static void sockets_talk(void **state)
{
    unsigned guest;
    char got[16] = {0};
    int peer;

    assert_int_equal(guest_call("fd_fdstat_set_flags", (unsigned)LISTENER, (unsigned)WASI_FDFLAG_NONBLOCK),
                     WASI_SUCCESS);
    assert_int_equal(guest_call("sock_accept", (unsigned)LISTENER, 0u, (unsigned)GUEST_RESULT), WASI_AGAIN);
    peer = connect_to(tree_path("socket"));
    assert_int_equal(guest_call("sock_accept", (unsigned)LISTENER, 0u, (unsigned)GUEST_RESULT), WASI_SUCCESS);
    guest = guest_u32(GUEST_RESULT);
    assert_int_equal(guest, 5);
    memcpy(guest_memory + GUEST_DATA, "ping", 4);
    assert_int_equal(guest_call("sock_send", guest, one_iovec(GUEST_DATA, 4), 1u, 0u, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 4);
    assert_int_equal(read(peer, got, sizeof got), 4);
    assert_string_equal(got, "ping");
    assert_int_equal(write(peer, "pong", 4), 4);
    for (unsigned flags = WASI_RIFLAG_PEEK;; flags = 0) { /* first a look, then the same again for good */
        memset(guest_memory + GUEST_DATA, 0, 4);
        assert_int_equal(guest_call("sock_recv", guest, one_iovec(GUEST_DATA, 100), 1u, flags, (unsigned)GUEST_RESULT,
                                    (unsigned)GUEST_RESULT + 8),
                         WASI_SUCCESS);
        assert_int_equal(guest_u32(GUEST_RESULT), 4);
        assert_memory_equal(guest_memory + GUEST_DATA, "pong", 4);
        if (flags == 0)
            break;
    }
    assert_int_equal(guest_call("fd_fdstat_set_flags", guest, (unsigned)WASI_FDFLAG_NONBLOCK), WASI_SUCCESS);
    assert_string_equal(guest_read(guest), "error 6");
    assert_int_equal(guest_call("sock_shutdown", guest, (unsigned)WASI_SDFLAG_WR), WASI_SUCCESS);
    assert_int_equal(read(peer, got, sizeof got), 0);
    assert_int_equal(guest_write(guest, "x"), WASI_PIPE); /* and no SIGPIPE */
    close(peer);
    assert_string_equal(guest_read(guest), "");
    assert_int_equal(guest_call("fd_close", guest), WASI_SUCCESS);
}

static void sockets_refuse(void **state)
{
    unsigned file = open_new("file", RIGHTS_READ_WRITE, 0);

    assert_int_equal(guest_call("sock_shutdown", 99u, (unsigned)WASI_SDFLAG_WR), WASI_BADF);
    assert_int_equal(guest_call("sock_shutdown", file, (unsigned)WASI_SDFLAG_WR), WASI_NOTSOCK);
    assert_int_equal(guest_call("sock_shutdown", (unsigned)DIR, (unsigned)WASI_SDFLAG_WR), WASI_NOTSOCK);
    assert_int_equal(guest_call("sock_shutdown", (unsigned)LISTENER, 4u), WASI_INVAL);
    assert_int_equal(guest_call("sock_accept", file, 0u, (unsigned)GUEST_RESULT), WASI_NOTSOCK);
    assert_int_equal(
        guest_call("sock_accept", (unsigned)LISTENER, (unsigned)WASI_FDFLAG_APPEND, (unsigned)GUEST_RESULT),
        WASI_INVAL);
    assert_int_equal(guest_call("sock_send", file, one_iovec(GUEST_DATA, 1), 1u, 0u, (unsigned)GUEST_RESULT),
                     WASI_NOTSOCK);
    assert_int_equal(
        guest_call("sock_recv", 99u, one_iovec(GUEST_DATA, 1), 1u, 0u, (unsigned)GUEST_RESULT, (unsigned)GUEST_RESULT),
        WASI_BADF);
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

static void arguments_and_environment(void **state)
{
    assert_int_equal(guest_call("args_sizes_get", (unsigned)GUEST_RESULT, (unsigned)GUEST_RESULT + 4), WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 3);
    assert_int_equal(guest_u32(GUEST_RESULT + 4), 18);
    assert_int_equal(guest_call("args_get", (unsigned)GUEST_RESULT, (unsigned)GUEST_DATA), WASI_SUCCESS);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal((const char *)guest_memory + guest_u32(GUEST_RESULT + i * 4), args[i]);
    assert_int_equal(guest_call("environ_sizes_get", (unsigned)GUEST_RESULT, (unsigned)GUEST_RESULT + 4), WASI_SUCCESS);
    assert_int_equal(guest_u32(GUEST_RESULT), 2);
    assert_int_equal(guest_call("environ_get", (unsigned)GUEST_RESULT, (unsigned)GUEST_DATA), WASI_SUCCESS);
    assert_string_equal((const char *)guest_memory + guest_u32(GUEST_RESULT + 4), "B=");
}

static void clocks_tell(void **state)
{
    for (unsigned clock = WASI_CLOCK_REALTIME; clock <= WASI_CLOCK_THREAD_CPUTIME; clock++) {
        assert_int_equal(guest_call("clock_res_get", clock, (unsigned)GUEST_RESULT), WASI_SUCCESS);
        assert_true(guest_u64(GUEST_RESULT) >= 1 && guest_u64(GUEST_RESULT) <= 1000000000);
    }
    uint64_t before = time_of(CLOCK_REALTIME);
    assert_int_equal(guest_call("clock_time_get", (unsigned)WASI_CLOCK_REALTIME, (uint64_t)1, (unsigned)GUEST_RESULT),
                     WASI_SUCCESS);
    assert_true(guest_u64(GUEST_RESULT) >= before && guest_u64(GUEST_RESULT) <= time_of(CLOCK_REALTIME));
    assert_int_equal(guest_call("clock_time_get", 4u, (uint64_t)1, (unsigned)GUEST_RESULT), WASI_INVAL);
}

static void random_bytes(void **state)
{
    unsigned zeros = 0;

    memset(guest_memory + GUEST_DATA, 0, 100000);
    assert_int_equal(guest_call("random_get", (unsigned)GUEST_DATA, 100000u), WASI_SUCCESS);
    for (unsigned i = 0; i < 100000; i++)
        zeros += guest_memory[GUEST_DATA + i] == 0;
    assert_in_range(zeros, 200, 700); /* 390 expected */
    assert_int_equal(guest_call("sched_yield"), WASI_SUCCESS);
    assert_int_equal(guest_call("proc_raise", 6u), WASI_NOSYS);
}

static void exit_ends_the_process(void **state)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        guest_call("proc_exit", 33u);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 33);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_and_writes),
        TEST(append),
        TEST(every_pointer_is_checked),
        TEST(more_iovecs_than_one_call_takes),
        TEST(sizes_and_times),
        TEST(unstable_layouts),
        TEST(renumber_and_close),
        TEST(preopen_names),
        TEST(closing_stdin_keeps_the_number_taken),
        TEST(fdstat_says_what_is_so),
        TEST(terminals),
        TEST(directory_listing),
        TEST(clocks_wait),
        TEST(descriptors_wait),
        TEST(nonblock_on_stdin_is_the_guests_alone),
        TEST(nonblock_of_others_is_not_the_guests),
        TEST(sockets_talk),
        TEST(sockets_refuse),
        TEST(arguments_and_environment),
        TEST(clocks_tell),
        TEST(random_bytes),
        TEST(exit_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
