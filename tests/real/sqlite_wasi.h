/* What SQLite's unix file layer names and WASI has not: file locks, owners and modes. Included in front of sqlite3.c when
 * it is built as a guest. The locks are never asked for (vfs unix-none); owner and mode calls say that they cannot. */
#ifndef TESTS_REAL_SQLITE_WASI_H
#define TESTS_REAL_SQLITE_WASI_H

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_GETLK 12
#define F_SETLK 13

static inline int fchmod(int fd, mode_t mode)
{
    errno = ENOSYS;
    return -1;
}

static inline int fchown(int fd, uid_t owner, gid_t group)
{
    errno = ENOSYS;
    return -1;
}

static inline uid_t geteuid(void)
{
    return 1; /* not root: SQLite then never tries fchown */
}

#endif
