/* What makes a musl program of `wherry` (docs/RATIONALE.md says what that saves): the checked forms of four functions that
 * Debian's archives of yajl and nettle take for granted, since they were compiled for glibc; and glibc's words for errors
 * (linked by --wrap=strerror), which the shim has too and managers know from runc. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t len, size_t room);
int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...);
int __snprintf_chk(char *to, size_t limit, int flag, size_t room, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
char *__real_strerror(int code);
char *__wrap_strerror(int code);

void *__memcpy_chk(void *to, const void *from, size_t len, size_t room)
{
    if (len > room)
        abort();
    return memcpy(to, from, len);
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(to, room, format, ap);
    va_end(ap);
    if (len >= 0 && (size_t)len >= room)
        abort();
    return len;
}

int __snprintf_chk(char *to, size_t limit, int flag, size_t room, const char *format, ...)
{
    va_list ap;
    int len;

    if (limit > room)
        abort();
    va_start(ap, format);
    len = vsnprintf(to, limit, format, ap);
    va_end(ap);
    return len;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = vfprintf(file, format, ap);
    va_end(ap);
    return len;
}

char *__wrap_strerror(int code)
{
    static const struct {
        int code;
        const char *text;
    } other[] = {
        {EIO, "Input/output error"},
        {ECHILD, "No child processes"},
        {ENOMEM, "Cannot allocate memory"},
        {EBUSY, "Device or resource busy"},
        {EXDEV, "Invalid cross-device link"},
        {EMFILE, "Too many open files"},
        {ENOTTY, "Inappropriate ioctl for device"},
        {ESPIPE, "Illegal seek"},
        {EDOM, "Numerical argument out of domain"},
        {ERANGE, "Numerical result out of range"},
        {EDEADLK, "Resource deadlock avoided"},
        {ENAMETOOLONG, "File name too long"},
        {ELOOP, "Too many levels of symbolic links"},
        {ETIME, "Timer expired"},
        {EOVERFLOW, "Value too large for defined data type"},
        {EILSEQ, "Invalid or incomplete multibyte or wide character"},
        {EUSERS, "Too many users"},
        {ENOTSOCK, "Socket operation on non-socket"},
        {EMSGSIZE, "Message too long"},
        {EOPNOTSUPP, "Operation not supported"},
        {EADDRINUSE, "Address already in use"},
        {EADDRNOTAVAIL, "Cannot assign requested address"},
        {ENETUNREACH, "Network is unreachable"},
        {ECONNABORTED, "Software caused connection abort"},
        {EISCONN, "Transport endpoint is already connected"},
        {ENOTCONN, "Transport endpoint is not connected"},
        {ETIMEDOUT, "Connection timed out"},
        {EHOSTUNREACH, "No route to host"},
        {EINPROGRESS, "Operation now in progress"},
        {EUCLEAN, "Structure needs cleaning"},
        {EDQUOT, "Disk quota exceeded"},
    };

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        if (other[i].code == code)
            return (char *)other[i].text;
    return __real_strerror(code);
}
