/* What programs do with files, a clock and the environment, in C through wasi-libc. files-cxx.cpp, files-rs.rs and
 * files-go.go do the same through their libraries and print the same lines; the folder is the first argument. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path_text[4][512];

static const char *path(const char *folder, const char *name)
{
    static int turn;
    char *text = path_text[turn++ % 4];
    snprintf(text, sizeof path_text[0], "%s/%s", folder, name);
    return text;
}

static void fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

static void append(const char *file, const char *mode, const char *text)
{
    FILE *f = fopen(file, mode);
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        fail("write");
}

static void read_back(const char *file)
{
    char text[64] = "";
    FILE *f = fopen(file, "r");
    if (f == NULL || fseek(f, 7, SEEK_SET) != 0 || fgets(text, sizeof text, f) == NULL)
        fail("read");
    fclose(f);
    printf("from 7 on: %s\n", text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *folder)
{
    char *names[16];
    int count = 0;
    struct dirent *entry;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        fail("list");
    while ((entry = readdir(dir)) != NULL && count < 16)
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    printf("listing:");
    for (int i = 0; i < count; i++)
        printf(" %s", names[i]);
    printf("\n");
}

static void wait_a_little(void)
{
    struct timespec begin, end, pause = {.tv_nsec = 20000000};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("slept: %s\n",
           (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec >= 20000000 ? "yes" : "no");
    printf("this century: %s\n", time(NULL) > 978307200 ? "yes" : "no");
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".", *name = getenv("NAME");
    struct stat st;

    printf("name: %s\n", name != NULL ? name : "none");
    if (mkdir(path(folder, "sub"), 0777) != 0)
        fail("mkdir");
    append(path(folder, "one"), "w", "hello, ");
    append(path(folder, "one"), "a", "files");
    read_back(path(folder, "one"));
    if (stat(path(folder, "one"), &st) != 0)
        fail("stat");
    printf("size: %d\n", (int)st.st_size);
    if (rename(path(folder, "one"), path(folder, "sub/two")) != 0)
        fail("rename");
    printf("missing: %s\n", stat(path(folder, "one"), &st) != 0 && errno == ENOENT ? "yes" : "no");
    append(path(folder, "three"), "w", "3");
    list(folder);
    wait_a_little();
    if (unlink(path(folder, "sub/two")) != 0 || rmdir(path(folder, "sub")) != 0 || unlink(path(folder, "three")) != 0)
        fail("remove");
    list(folder);
    return 0;
}
