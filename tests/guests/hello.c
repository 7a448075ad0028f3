/* A guest in C: says what it was given. `hello` prints its arguments and environment; with `--read FILE` and
 * `--write FILE TEXT` it uses a file, with `--stdin` it counts what arrives until the end of file, `--exit N` ends with N,
 * `--sleep` waits for a signal, `--grow MIB` touches that much memory, `--keep MIB` too and then waits. The same source also
 * builds natively. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int read_file(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "hello: %s: %s\n", path, strerror(errno));
        return 1;
    }
    while (fgets(line, sizeof line, file) != NULL)
        fputs(line, stdout);
    fclose(file);
    return 0;
}

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fprintf(file, "%s\n", text) < 0 || fclose(file) != 0) {
        fprintf(stderr, "hello: %s: %s\n", path, strerror(errno));
        return 1;
    }
    printf("wrote %s\n", path);
    return 0;
}

static int count_stdin(void)
{
    size_t count = 0;
    while (getchar() != EOF)
        count++;
    printf("stdin: %zu bytes, then end of file\n", count);
    return 0;
}

static int grow(size_t mebibytes)
{
    for (size_t i = 1; i <= mebibytes; i++) {
        char *block = malloc(1 << 20);
        if (block == NULL) {
            fprintf(stderr, "hello: no memory after %zu MiB\n", i - 1);
            return 1;
        }
        memset(block, (int)i, 1 << 20);
        /* the compiler must not see that nobody reads the block */
        __asm__ volatile("" : : "r"(block) : "memory");
    }
    printf("touched %zu MiB\n", mebibytes);
    return 0;
}

static void show(int argc, char **argv)
{
    printf("Hello from C!\n");
    for (int i = 0; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        printf("environment: %s\n", *entry);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "--read") == 0 && argc == 3)
        return read_file(argv[2]);
    if (strcmp(verb, "--write") == 0 && argc == 4)
        return write_file(argv[2], argv[3]);
    if (strcmp(verb, "--stdin") == 0)
        return count_stdin();
    if (strcmp(verb, "--exit") == 0 && argc == 3)
        return atoi(argv[2]);
    if (strcmp(verb, "--grow") == 0 && argc == 3)
        return grow(strtoul(argv[2], NULL, 10));
    if (strcmp(verb, "--keep") == 0 && argc == 3 && grow(strtoul(argv[2], NULL, 10)) != 0)
        return 1;
    if (strcmp(verb, "--sleep") == 0 || strcmp(verb, "--keep") == 0) {
        printf("waiting\n");
        fflush(stdout);
        for (;;)
            sleep(1000);
    }
    show(argc, argv);
    return 0;
}
