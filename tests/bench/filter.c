/* filter < RULES > PROGRAM: the BPF of a seccomp profile, for the floor program, which loads it ready made.
 *
 * The first line is the default action's errno, each further one a rule: `ACTION ERRNO NAME [INDEX OPERATOR VALUE VALUE2]...`,
 * ACTION ALLOW or ERRNO. Binary-tree form, three x86 architectures: what a manager's default profile asks for. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum scmp_compare compare_from_name(const char *name)
{
    static const struct {
        const char *name;
        enum scmp_compare compare;
    } table[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                 {"SCMP_CMP_LT", SCMP_CMP_LT},
                 {"SCMP_CMP_LE", SCMP_CMP_LE},
                 {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                 {"SCMP_CMP_GE", SCMP_CMP_GE},
                 {"SCMP_CMP_GT", SCMP_CMP_GT},
                 {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].compare;
    }
    fprintf(stderr, "filter: unknown operator %s\n", name);
    exit(1);
}

/* Names that this libseccomp does not know are passed over, as every runtime does. */
static void add_rule(scmp_filter_ctx filter, const char *line)
{
    struct scmp_arg_cmp compares[6];
    char action[16], name[64], operator[32];
    unsigned code, index, count = 0;
    unsigned long long value, value2;
    int used, more;
    if (sscanf(line, "%15s %u %63s%n", action, &code, name, &used) != 3)
        return;
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return;
    for (line += used; count < 6 && sscanf(line, "%u %31s %llu %llu%n", &index, operator, & value, &value2, &more) == 4;
         line += more)
        compares[count++] = (struct scmp_arg_cmp){index, compare_from_name(operator), value, value2};
    int result = seccomp_rule_add_array(filter, strcmp(action, "ALLOW") == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(code),
                                        number, count, compares);
    if (result != 0 && result != -EEXIST)
        fprintf(stderr, "filter: %s: %s\n", name, strerror(-result));
}

int main(void)
{
    char line[1024];
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(fgets(line, sizeof line, stdin) != NULL ? atoi(line) : EPERM));
    if (filter == NULL || seccomp_arch_add(filter, SCMP_ARCH_X86) < 0 || seccomp_arch_add(filter, SCMP_ARCH_X32) < 0 ||
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        return fprintf(stderr, "filter: libseccomp refuses to start\n"), 1;
    while (fgets(line, sizeof line, stdin) != NULL)
        add_rule(filter, line);
    return seccomp_export_bpf(filter, STDOUT_FILENO) == 0 ? 0 : 1;
}
