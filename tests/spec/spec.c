/* spec [-b] [-c COMPILER] [-g N] [-k KNOWN-FAILURES] [-m BYTES] [-v] DIR [NAME...]: runs every .json script below DIR (only those
 * whose name contains a NAME) in a process of its own, so that a crash costs one file. Per file: passed, failed,
 * left out and why; the last line adds up. -b: with explicit bounds checks. -g: a garbage
 * collection at every Nth allocation. -m: memories grow no further. A failure listed in KNOWN-FAILURES
 * ("name line") is expected; if it passes, that is a failure. */
#include "tests/spec/spec.h"
#include "base/fd.h"
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { FILE_SECONDS = 120 };

struct known {
    char *name;
    long line;
    bool seen;
};

static VEC(char *) files;
static VEC(struct known) known;
static bool verbose;
static int report_fd;
static const char *root;

void report(enum verdict verdict, long line, const char *format, ...)
{
    char text[1600];
    int len = snprintf(text, sizeof text, "%c%ld ", "PFS"[verdict], line);
    va_list ap;

    va_start(ap, format);
    vsnprintf(text + len, sizeof text - (size_t)len - 1, format, ap);
    va_end(ap);
    for (char *c = text; *c != 0; c++)
        if (*c == '\n')
            *c = ' ';
    len = (int)strlen(text);
    text[len++] = '\n';
    if (fd_write_all(report_fd, text, (size_t)len) != 0)
        _exit(1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

uint32_t collect_every;
uint64_t memory_max_bytes;

static int note_file(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    size_t len = strlen(path);
    if (kind == FTW_F && len > 5 && strcmp(path + len - 5, ".json") == 0 &&
        strstr(path, "/custom-descriptors/") == NULL) /* a proposal that is not ours */
        vec_push(&files, strdup(path));
    return 0;
}

static void read_known(const char *path)
{
    char name[256], row[1024];
    long line;
    FILE *f = fopen(path, "r");

    if (f == NULL) {
        fprintf(stderr, "spec: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    while (fgets(row, sizeof row, f) != NULL)
        if (row[0] != '#' && sscanf(row, "%255s %ld", name, &line) == 2)
            vec_push(&known, ((struct known){strdup(name), line, false}));
    fclose(f);
}

static struct known *find_known(const char *name, long line)
{
    for (size_t i = 0; i < known.len; i++)
        if (known.data[i].line == line && strcmp(known.data[i].name, name) == 0)
            return &known.data[i];
    return NULL;
}

static _Noreturn void run_in_child(const char *path, struct engine_options options, volatile long *line)
{
    char *directory = strdup(path);
    struct buf text = {0};
    const struct json *commands;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    alarm(FILE_SECONDS);
    *strrchr(directory, '/') = 0;
    if (fd < 0 || fd_read_to_end(fd, &text, 1 << 30) != 0)
        _exit(2);
    buf_put_u8(&text, 0);
    commands = json_array(json_parse((char *)text.data), "commands");
    if (commands == NULL)
        report(FAILED, 0, "%s: no commands", path);
    else
        script_run(commands, directory, &options, line);
    _exit(0);
}

struct tally {
    unsigned passed, failed, skipped, known;
};

/* The reasons for which things were left out, counted. */
struct reason {
    char *text;
    unsigned count;
};
typedef VEC(struct reason) reason_vec;

static void count_reason(reason_vec *reasons, const char *text)
{
    for (size_t i = 0; i < reasons->len; i++) {
        if (strcmp(reasons->data[i].text, text) == 0) {
            reasons->data[i].count++;
            return;
        }
    }
    vec_push(reasons, ((struct reason){strdup(text), 1}));
}

static void take_failure(const char *name, long line, const char *text, struct tally *tally)
{
    struct known *k = find_known(name, line);

    if (k != NULL) {
        k->seen = true;
        tally->known++;
        return;
    }
    tally->failed++;
    if (tally->failed <= 20 || verbose)
        printf("FAIL %s %ld: %s\n", name, line, text);
}

static void take_row(const char *name, char *row, struct tally *tally, reason_vec *reasons)
{
    char *text;
    long line = strtol(row + 1, &text, 10);

    text += *text == ' ';
    if (row[0] == 'P') {
        tally->passed++;
    } else if (row[0] == 'F') {
        take_failure(name, line, text, tally);
    } else {
        tally->skipped++;
        count_reason(reasons, text);
    }
}

static void take_reports(const char *name, int fd, struct tally *tally, reason_vec *reasons)
{
    FILE *f = fdopen(fd, "r");
    char row[2048];

    while (fgets(row, sizeof row, f) != NULL) {
        row[strcspn(row, "\n")] = 0;
        take_row(name, row, tally, reasons);
    }
    fclose(f);
}

static void take_end(const char *name, int status, long line, struct tally *tally)
{
    char text[128];

    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "the process died of signal %d (%s); the rest of the file did not run",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        snprintf(text, sizeof text, "the process ended with %d; the rest of the file did not run", WEXITSTATUS(status));
    else
        return;
    take_failure(name, line, text, tally);
}

static struct tally run_file(const char *path, const char *name, const struct engine_options *options,
                             volatile long *line)
{
    struct tally tally = {0};
    reason_vec reasons = {0};
    int pipes[2], status;
    pid_t pid;

    *line = 0;
    fflush(stdout);
    if (pipe(pipes) != 0 || (pid = fork()) < 0) {
        perror("spec");
        exit(2);
    }
    if (pid == 0) {
        close(pipes[0]);
        report_fd = pipes[1];
        run_in_child(path, *options, line);
    }
    close(pipes[1]);
    take_reports(name, pipes[0], &tally, &reasons);
    waitpid(pid, &status, 0);
    take_end(name, status, *line, &tally);
    printf("%-44s %6u passed %4u failed %4u known %5u skipped\n", name, tally.passed, tally.failed, tally.known,
           tally.skipped);
    for (size_t i = 0; i < reasons.len; i++) {
        if (verbose || i < 3)
            printf("    %u skipped: %.150s\n", reasons.data[i].count, reasons.data[i].text);
        free(reasons.data[i].text);
    }
    vec_done(&reasons);
    return tally;
}

/* "traps" for DIR/traps/t.json, "proposals/threads/atomic" for one deeper. */
static char *short_name(const char *path)
{
    char *name = strdup(path + strlen(root) + 1);
    char *slash = strrchr(name, '/');
    if (slash != NULL)
        *slash = 0;
    return name;
}

static bool wanted(const char *name, char **patterns)
{
    if (*patterns == NULL)
        return true;
    for (; *patterns != NULL; patterns++)
        if (strcmp(name, *patterns) == 0 || (strchr(*patterns, '/') == NULL && strstr(name, *patterns) != NULL))
            return true;
    return false;
}

static unsigned count_unexpected_passes(bool all_ran)
{
    unsigned count = 0;
    for (size_t i = 0; all_ran && i < known.len; i++) {
        if (!known.data[i].seen) {
            printf("FAIL %s %ld: passes now; take it off the list of known failures\n", known.data[i].name,
                   known.data[i].line);
            count++;
        }
    }
    return count;
}

static enum engine_compiler compiler_by_name(const char *name)
{
    if (strcmp(name, "baseline") == 0)
        return ENGINE_BASELINE;
    if (strcmp(name, "optimizing") == 0)
        return ENGINE_OPTIMIZING;
    fprintf(stderr, "spec: unknown compiler %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    struct engine_options options = {0};
    struct tally total = {0};
    volatile long *line = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int option;

    while ((option = getopt(argc, argv, "bc:g:k:m:v")) != -1) {
        if (option == 'b')
            options.explicit_bounds_checks = true;
        else if (option == 'c')
            options.compiler = compiler_by_name(optarg);
        else if (option == 'g')
            collect_every = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'k')
            read_known(optarg);
        else if (option == 'm')
            memory_max_bytes = strtoull(optarg, NULL, 0);
        else if (option == 'v')
            verbose = true;
        else
            return 2;
    }
    if (optind >= argc || line == MAP_FAILED) {
        fprintf(stderr, "usage: spec [-b] [-c COMPILER] [-g N] [-k KNOWN-FAILURES] [-m BYTES] [-v] DIR [NAME...]\n");
        return 2;
    }
    root = argv[optind];
    nftw(root, note_file, 16, FTW_PHYS);
    qsort(files.data, files.len, sizeof files.data[0], by_name);
    for (size_t i = 0; i < files.len; i++) {
        char *name = short_name(files.data[i]);
        if (wanted(name, argv + optind + 1)) {
            struct tally t = run_file(files.data[i], name, &options, line);
            total.passed += t.passed;
            total.failed += t.failed;
            total.known += t.known;
            total.skipped += t.skipped;
        }
        free(name);
    }
    total.failed += count_unexpected_passes(optind + 1 == argc);
    printf("(%u known failures)\n%u passed, %u failed, %u skipped\n", total.known, total.passed, total.failed,
           total.skipped);
    return total.failed != 0;
}
