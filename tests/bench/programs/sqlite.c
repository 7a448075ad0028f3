/* SQLite: orders of customers in a database in memory; inserts, an index, joins, groups, updates, text. It is compiled
 * without its Unix part, which needs file locks that WASI has not: a file system without files is enough for it
 * (sqlite.org/vfs.html). */
#include "programs.h"
#include "sqlite3.h"

static sqlite3 *database;
static uint32_t sum = 2166136261u;

static int open_nothing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    file->pMethods = NULL;
    return SQLITE_CANTOPEN;
}

static int full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

static int randomness(sqlite3_vfs *vfs, int size, char *out)
{
    memset(out, 1, (size_t)size);
    return size;
}

static int current_time(sqlite3_vfs *vfs, double *julian_day)
{
    *julian_day = 2461000.5;
    return SQLITE_OK;
}

int sqlite3_os_init(void)
{
    static sqlite3_vfs none = {.iVersion = 1,
                               .szOsFile = sizeof(sqlite3_file),
                               .mxPathname = 64,
                               .zName = "none",
                               .xOpen = open_nothing,
                               .xFullPathname = full_name,
                               .xRandomness = randomness,
                               .xCurrentTime = current_time};
    return sqlite3_vfs_register(&none, 1);
}

int sqlite3_os_end(void)
{
    return SQLITE_OK;
}

static int row(void *unused, int columns, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < columns; i++)
        if (values[i] != NULL)
            sum = program_sum(sum, values[i], strlen(values[i]));
    return 0;
}

static void run(const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(database, sql, row, NULL, &why) != SQLITE_OK)
        program_fail(why != NULL ? why : "sqlite3_exec failed");
}

static void fill(int orders)
{
    sqlite3_stmt *insert;
    char note[64];

    run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, city TEXT);"
        "CREATE TABLE purchase(id INTEGER PRIMARY KEY, customer INTEGER, cents INTEGER, note TEXT); BEGIN");
    for (int i = 0; i < 500; i++) {
        char sql[160];
        snprintf(sql, sizeof sql, "INSERT INTO customer VALUES(%d, 'name %x', 'city %d')", i,
                 (unsigned)program_random(), i % 37);
        run(sql);
    }
    if (sqlite3_prepare_v2(database, "INSERT INTO purchase(customer, cents, note) VALUES(?, ?, ?)", -1, &insert,
                           NULL) != SQLITE_OK)
        program_fail(sqlite3_errmsg(database));
    for (int i = 0; i < orders; i++) {
        int len = snprintf(note, sizeof note, "note %u of %u", (unsigned)(program_random() % 1000),
                           (unsigned)(program_random() % 7));
        sqlite3_bind_int(insert, 1, (int)(program_random() % 500));
        sqlite3_bind_int(insert, 2, (int)(program_random() % 100000));
        sqlite3_bind_text(insert, 3, note, len, SQLITE_TRANSIENT);
        if (sqlite3_step(insert) != SQLITE_DONE)
            program_fail(sqlite3_errmsg(database));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run("COMMIT");
}

int main(int argc, char **argv)
{
    int n = program_count(argc, argv);

    if (sqlite3_open(":memory:", &database) != SQLITE_OK)
        program_fail("sqlite3_open failed");
    fill(2000 * n);
    run("CREATE INDEX by_customer ON purchase(customer);"
        "SELECT city, count(*), sum(cents), max(note) FROM purchase JOIN customer ON customer.id = customer GROUP BY "
        "city ORDER BY 3 DESC;"
        "UPDATE purchase SET cents = cents + 1 WHERE note LIKE '%of 3';"
        "SELECT note, avg(cents) FROM purchase WHERE cents BETWEEN 1000 AND 60000 GROUP BY note HAVING count(*) > 2 "
        "ORDER BY 2 LIMIT 50;"
        "SELECT count(*) FROM purchase a JOIN purchase b ON a.customer = b.customer AND a.id < b.id WHERE a.customer < "
        "20;"
        "DELETE FROM purchase WHERE id % 3 = 0;"
        "SELECT count(*), sum(length(upper(note) || id)) FROM purchase;");
    sqlite3_close(database);
    return program_end("sqlite", n, sum);
}
