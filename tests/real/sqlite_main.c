/* sqlite_main DATABASE SQL...: runs each statement with SQLite and prints the rows; a real program of more than 1 MB as
 * a guest, with files, big switches, floating point and a lot of memory traffic. The same source builds natively. */
#include <sqlite3.h>
#include <stdio.h>

static int print_row(void *unused, int count, char **values, char **names)
{
    for (int i = 0; i < count; i++)
        printf("%s%s", i != 0 ? "|" : "", values[i] != NULL ? values[i] : "NULL");
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    sqlite3 *database;
    char *message = NULL;
    /* unix-none: no file locks, which WASI does not have */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (argc < 2 || sqlite3_open_v2(argv[1], &database, flags, "unix-none") != SQLITE_OK)
        return fprintf(stderr, "sqlite: cannot open %s\n", argc < 2 ? "nothing" : argv[1]), 1;
    for (int i = 2; i < argc; i++) {
        if (sqlite3_exec(database, argv[i], print_row, NULL, &message) != SQLITE_OK)
            return fprintf(stderr, "sqlite: %s: %s\n", argv[i], message), 1;
    }
    return sqlite3_close(database) != SQLITE_OK;
}
