/* linux.seccomp. Names become the kernel's numbers here; the names of system calls stay, because libseccomp's tables
 * say what each architecture calls them. */
#include "oci/config_reader.h"
#include <linux/seccomp.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static uint32_t read_action(struct config_reader *r, const struct json *object, const char *key, const char *errno_key)
{
    static const struct config_word actions[] = {
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
        {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
    };
    const char *name = config_required(r, object, key);
    struct optional_u64 number = config_u64(r, object, errno_key, SECCOMP_RET_DATA);
    uint32_t action;

    if (name[0] == 0)
        return 0;
    action = (uint32_t)CONFIG_WORD(r, json_get(object, key), "seccomp action", actions);
    if (action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE)
        return action | (uint32_t)(number.set ? number.value : EPERM);
    if (number.set && number.value != 0)
        config_fail_key(r, object, errno_key, "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take a number");
    return action;
}

/* The spec's name without its prefix, in lower case: SCMP_ARCH_X86_64 is libseccomp's "x86_64". */
static void read_architectures(struct config_reader *r, const struct json *seccomp, struct config_seccomp *out)
{
    static const char prefix[] = "SCMP_ARCH_";
    const struct json *list = config_get(r, seccomp, "architectures", JSON_ARRAY);
    const struct json *node = list != NULL ? list->first : NULL;

    out->architectures = config_strings(r, seccomp, "architectures");
    for (; node != NULL && !r->failed; node = node->next) {
        char *name;
        if (strncmp(node->text, prefix, sizeof prefix - 1) != 0) {
            config_fail(r, node, "'%s' is not a known architecture (SCMP_ARCH_X86_64 ...)", node->text);
            return;
        }
        name = arena_strdup(r->arena, node->text + sizeof prefix - 1);
        for (char *p = name; *p != 0; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        out->architectures.data[node->index] = name;
    }
}

static void read_args(struct config_reader *r, const struct json *rule_node, struct config_seccomp_rule *rule)
{
    static const struct config_word operators[] = {
        {"SCMP_CMP_NE", 1}, {"SCMP_CMP_LT", 2}, {"SCMP_CMP_LE", 3},        {"SCMP_CMP_EQ", 4},
        {"SCMP_CMP_GE", 5}, {"SCMP_CMP_GT", 6}, {"SCMP_CMP_MASKED_EQ", 7},
    };
    const struct json *node = config_elements(r, rule_node, "args", JSON_ARRAY, JSON_OBJECT, sizeof *rule->args,
                                              &rule->args, &rule->arg_count);

    for (; node != NULL && !r->failed; node = node->next) {
        struct config_seccomp_arg *arg = &rule->args[node->index];
        const char *op = config_required(r, node, "op");
        if (json_get(node, "index") == NULL)
            config_fail_key(r, node, "index", "it is required");
        arg->index = (uint32_t)config_u64(r, node, "index", 5).value;
        arg->value = config_u64(r, node, "value", UINT64_MAX).value;
        arg->value_two = config_u64(r, node, "valueTwo", UINT64_MAX).value;
        if (op[0] != 0)
            arg->op = (uint32_t)CONFIG_WORD(r, json_get(node, "op"), "seccomp operator", operators);
    }
}

static void read_rules(struct config_reader *r, const struct json *seccomp, struct config_seccomp *out)
{
    const struct json *node = config_elements(r, seccomp, "syscalls", JSON_ARRAY, JSON_OBJECT, sizeof *out->rules,
                                              &out->rules, &out->rule_count);

    for (; node != NULL && !r->failed; node = node->next) {
        struct config_seccomp_rule *rule = &out->rules[node->index];
        rule->names = config_strings(r, node, "names");
        rule->action = read_action(r, node, "action", "errnoRet");
        read_args(r, node, rule);
        if (rule->names.count == 0)
            config_fail_key(r, node, "names", "it must name a system call");
    }
}

/* Nothing could run until the agent has answered, and what the agent is told by is among it. */
static void check_notify(struct config_reader *r, const struct json *seccomp, const struct config_seccomp *c)
{
    if (c->default_action == SECCOMP_RET_USER_NOTIF)
        config_fail_key(r, seccomp, "defaultAction", "SCMP_ACT_NOTIFY cannot be used as the default action");
    for (uint32_t i = 0; i < c->rule_count; i++)
        if (c->rules[i].action == SECCOMP_RET_USER_NOTIF && (c->listener_path == NULL || c->listener_path[0] == 0))
            config_fail_key(r, seccomp, "listenerPath", "SCMP_ACT_NOTIFY needs it: the socket of a seccomp agent");
}

void config_read_seccomp(struct config_reader *r, const struct json *seccomp, struct config_seccomp *out)
{
    static const struct config_word flags[] = {
        {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
        {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
        {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
        {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
    };
    const struct json *flag;

    if (seccomp == NULL)
        return;
    out->set = true;
    out->default_action = read_action(r, seccomp, "defaultAction", "defaultErrnoRet");
    read_architectures(r, seccomp, out);
    flag = config_get(r, seccomp, "flags", JSON_ARRAY);
    for (flag = flag != NULL ? flag->first : NULL; flag != NULL; flag = flag->next)
        if (config_is(r, flag, JSON_STRING))
            out->flags |= CONFIG_WORD(r, flag, "seccomp flag", flags);
    out->listener_path = config_string(r, seccomp, "listenerPath");
    out->listener_metadata = config_string(r, seccomp, "listenerMetadata");
    if (out->listener_metadata != NULL && out->listener_path == NULL)
        config_fail_key(r, seccomp, "listenerMetadata", "it needs listenerPath");
    read_rules(r, seccomp, out);
    check_notify(r, seccomp, out);
}
