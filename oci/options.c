/* See options.h. */
#include "oci/options.h"
#include <limits.h>
#include <stdlib.h>

struct parser {
    char **argv;
    int argc, at;
    struct err *e;
};

static const struct option_spec *find(const struct option_spec *specs, const char *name, size_t len)
{
    for (const struct option_spec *s = specs; s->name != NULL; s++)
        if ((strlen(s->name) == len && memcmp(s->name, name, len) == 0) || (len == 1 && s->letter == name[0]))
            return s;
    return NULL;
}

static int set_flag(const struct option_spec *spec, const char *value, struct err *e)
{
    if (value != NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return err_set(e, EINVAL, "--%s takes true or false, not '%s'", spec->name, value);
    if (spec->kind == OPTION_FLAG)
        *(bool *)spec->value = value == NULL || strcmp(value, "true") == 0;
    return 0;
}

static int set_number(const struct option_spec *spec, const char *value, struct err *e)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end != 0 || number > INT_MAX)
        return err_set(e, EINVAL, "--%s takes a number, not '%s'", spec->name, value);
    *(unsigned *)spec->value = (unsigned)number;
    return 0;
}

static int add_text(const struct option_spec *spec, const char *value, struct err *e)
{
    struct option_texts *texts = spec->value;

    if (texts->count == OPTION_TEXTS_MAX)
        return err_set(e, E2BIG, "--%s is given more than %d times", spec->name, OPTION_TEXTS_MAX);
    texts->data[texts->count++] = value;
    return 0;
}

static int take(struct parser *p, const struct option_spec *spec, const char *value)
{
    if (spec->kind == OPTION_REFUSED)
        return err_set(p->e, ENOTSUP, "--%s is not supported yet", spec->name);
    if (spec->kind == OPTION_FLAG || spec->kind == OPTION_IGNORED_FLAG)
        return set_flag(spec, value, p->e);
    if (value == NULL && p->at + 1 >= p->argc)
        return err_set(p->e, EINVAL, "--%s needs a value", spec->name);
    if (value == NULL)
        value = p->argv[++p->at];
    if (spec->kind == OPTION_TEXTS)
        return add_text(spec, value, p->e);
    if (spec->kind == OPTION_NUMBER)
        return set_number(spec, value, p->e);
    if (spec->kind == OPTION_TEXT)
        *(const char **)spec->value = value;
    return 0;
}

static int read_one(struct parser *p, const struct option_spec *specs)
{
    const char *word = p->argv[p->at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    const struct option_spec *spec = find(specs, name, len);

    if (spec == NULL)
        return err_set(p->e, EINVAL, "flag provided but not defined: %s", word);
    return take(p, spec, name[len] == '=' ? name + len + 1 : NULL);
}

int options_read(int argc, char **argv, const struct option_spec *specs, bool stop_at_word, struct err *e)
{
    struct parser p = {.argv = argv, .argc = argc, .at = 1, .e = e};
    bool only_words = false;
    int words = 0;

    for (; p.at < argc; p.at++) {
        char *word = argv[p.at];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && word[0] == '-' && word[1] != 0) {
            int ret = read_one(&p, specs);
            if (ret < 0)
                return ret;
        } else {
            argv[++words] = word;
            only_words = only_words || stop_at_word;
        }
    }
    argv[words + 1] = NULL;
    return words;
}

void options_help(const struct option_spec *specs)
{
    for (const struct option_spec *s = specs; s->name != NULL; s++)
        if (s->help != NULL)
            printf("   --%s%s%c  %s\n", s->name, s->letter != 0 ? ", -" : "", s->letter != 0 ? s->letter : ' ',
                   s->help);
}
