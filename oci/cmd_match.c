/* kill and delete --regex: the containers whose ID a pattern matches. */
#include "oci/cmd.h"
#include <dirent.h>
#include <regex.h>

int cmd_match(struct cmd *cmd, const char *pattern, struct option_texts *ids)
{
    struct dirent *entry;
    regex_t compiled;
    DIR *directory;
    char reason[128];
    int ret = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);

    ids->count = 0;
    if (ret != 0) {
        regerror(ret, &compiled, reason, sizeof reason);
        return err_set(&cmd->err, EINVAL, "'%s' is not a regular expression: %s", pattern, reason);
    }
    directory = opendir(cmd->root);
    while (directory != NULL && (entry = readdir(directory)) != NULL && ids->count < OPTION_TEXTS_MAX)
        if (container_check_id(entry->d_name, NULL) == 0 && regexec(&compiled, entry->d_name, 0, NULL, 0) == 0)
            ids->data[ids->count++] = arena_strdup(&cmd->arena, entry->d_name);
    if (directory != NULL)
        closedir(directory);
    regfree(&compiled);
    return 0;
}
