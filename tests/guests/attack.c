/* A hostile guest: tries to get at each path it is given, in every way that preview 1 has, and says what it got.
 *
 * "refused PATH" when nothing worked. `attack --link TARGET NAME` makes a symbolic link first (its own way out). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int reached;

static void got(const char *path, const char *how)
{
    printf("REACHED %s by %s\n", path, how);
    reached = 1;
}

static void open_as(const char *path, int flags, const char *how)
{
    char byte;
    int fd = open(path, flags | O_NONBLOCK);
    if (fd < 0)
        return;
    got(path, how);
    if (read(fd, &byte, 1) > 0)
        got(path, "reading");
    close(fd);
}

static void attack(const char *path)
{
    char text[512];
    struct stat st;
    int before = reached;

    reached = 0;
    open_as(path, O_RDONLY, "opening it for reading");
    open_as(path, O_WRONLY, "opening it for writing");
    open_as(path, O_RDWR, "opening it for both");
    open_as(path, O_RDONLY | O_DIRECTORY, "opening it as a directory");
    if (stat(path, &st) == 0)
        got(path, "stat");
    if (truncate(path, 0) == 0)
        got(path, "truncate");
    if (readlink(path, text, sizeof text) > 0)
        got(path, "readlink");
    if (link(path, "linked") == 0)
        got(path, "a hard link");
    if (rename(path, "renamed") == 0)
        got(path, "renaming it");
    if (!reached)
        printf("refused %s\n", path);
    reached |= before;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--link") == 0 && i + 2 < argc) {
            if (symlink(argv[i + 1], argv[i + 2]) != 0)
                printf("no link to %s: %s\n", argv[i + 1], strerror(errno));
            i += 2;
        } else {
            attack(argv[i]);
        }
    return reached;
}
