/* containerd-shim-wherry-v1: how containerd runs wherry. Arguments as Go's flag package reads them: one dash or two, a
 * value behind "=" or in the next argument, the verb last. */
#include "shim/verb.h"
#include "shim/version.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct flag {
    const char *name;
    size_t at;
    bool has_value;
} flags[] = {
    {"namespace", offsetof(struct arguments, namespace), true},
    {"address", offsetof(struct arguments, address), true},
    {"publish-binary", offsetof(struct arguments, publish_binary), true},
    {"id", offsetof(struct arguments, id), true},
    {"bundle", offsetof(struct arguments, bundle), true},
    {"socket", offsetof(struct arguments, socket), true},
    {"listening", offsetof(struct arguments, listening), true},
    {"libexec", offsetof(struct arguments, libexec), true},
    {"debug", offsetof(struct arguments, debug), false},
    {"v", offsetof(struct arguments, version), false},
    {"version", offsetof(struct arguments, version), false},
    {"info", offsetof(struct arguments, info), false},
};

static const struct flag *flag_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    return NULL;
}

/* Returns false after saying what is wrong. */
static bool arguments_read(int argc, char **argv, struct arguments *out)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1] != 0; i++) {
        const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1), *equals = strchrnul(name, '=');
        const struct flag *flag = flag_find(name, (size_t)(equals - name));
        if (flag == NULL) {
            fprintf(stderr, "containerd-shim-wherry-v1: %s is not an option\n", argv[i]);
            return false;
        }
        if (!flag->has_value) {
            *(bool *)((char *)out + flag->at) = strcmp(equals, "=false") != 0;
            continue;
        }
        if (*equals == 0 && i + 1 == argc) {
            fprintf(stderr, "containerd-shim-wherry-v1: option %s needs a value\n", argv[i]);
            return false;
        }
        *(const char **)((char *)out + flag->at) = *equals != 0 ? equals + 1 : argv[++i];
    }
    out->verb = i < argc ? argv[i] : NULL;
    return true;
}

static bool arguments_complete(const struct arguments *a)
{
    if (a->verb == NULL || (strcmp(a->verb, "start") != 0 && strcmp(a->verb, "delete") != 0 &&
                            (strcmp(a->verb, "serve") != 0 || a->listening == NULL)))
        fprintf(stderr, "containerd-shim-wherry-v1 is run by containerd, with the verb start or delete, not %s\n",
                a->verb != NULL ? a->verb : "without one");
    else if (a->id == NULL || a->id[0] == 0)
        fprintf(stderr, "containerd-shim-wherry-v1: -id is missing\n");
    else if (a->namespace == NULL || a->namespace[0] == 0)
        fprintf(stderr, "containerd-shim-wherry-v1: -namespace is missing\n");
    else if (strchr(a->id, '/') != NULL || strchr(a->namespace, '/') != NULL)
        fprintf(stderr, "containerd-shim-wherry-v1: -id and -namespace contain no slash\n");
    else
        return true;
    return false;
}

int main(int argc, char **argv)
{
    struct arguments a = {.program = argv[0], .address = ""};

    if (!arguments_read(argc, argv, &a))
        return 2;
    if (a.version) {
        printf("containerd-shim-wherry-v1 %s\n", SHIM_VERSION);
        return 0;
    }
    if (a.info)
        return verb_info();
    if (a.verb != NULL && strcmp(a.verb, "pause") == 0)
        return verb_pause();
    if (!arguments_complete(&a))
        return 2;
    assert(a.verb != NULL);
    if (strcmp(a.verb, "serve") == 0)
        return verb_serve(&a);
    return strcmp(a.verb, "start") == 0 ? verb_start(&a) : verb_delete(&a);
}
