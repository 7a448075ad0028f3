/* See mountinfo.h. */
#include "oci/mountinfo.h"
#include <string.h>

/* Cuts the next word off *P, or NULL at the end of the line. */
static char *next_word(char **p)
{
    char *word = *p, *end = word + strcspn(word, " ");

    if (*word == 0)
        return NULL;
    *p = *end == 0 ? end : end + 1;
    *end = 0;
    return word;
}

static bool is_octal(const char *p)
{
    return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* The kernel writes blanks and backslashes of a path as \\040 and the like. */
static char *unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != 0; from++)
        if (*from == '\\' && is_octal(from + 1)) {
            *to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    *to = 0;
    return text;
}

/* id parent device root point options [optional...] - type source super-options */
bool mountinfo_read(char *line, struct mountinfo *out)
{
    char *words[5], *word;

    for (int i = 0; i < 5; i++)
        if ((words[i] = next_word(&line)) == NULL)
            return false;
    do {
        word = next_word(&line);
        if (word == NULL)
            return false;
    } while (strcmp(word, "-") != 0);
    out->root = unescape(words[3]);
    out->point = unescape(words[4]);
    out->type = next_word(&line);
    next_word(&line);
    out->options = next_word(&line);
    return out->options != NULL;
}
