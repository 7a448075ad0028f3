/* wherry list */
#include "base/fd.h"
#include "base/vec.h"
#include "oci/cmd.h"
#include <dirent.h>

static void print_table(const struct cmd *cmd, const struct state *states, size_t count)
{
    int id_width = 2, bundle_width = 6;

    for (size_t i = 0; i < count; i++)
        if ((int)strlen(states[i].id) > id_width)
            id_width = (int)strlen(states[i].id);
    for (size_t i = 0; i < count; i++)
        if ((int)strlen(states[i].bundle) > bundle_width)
            bundle_width = (int)strlen(states[i].bundle);
    printf("%-*s   %-8s %-8s %-*s   %-31s %s\n", id_width, "ID", "PID", "STATUS", bundle_width, "BUNDLE", "CREATED",
           "OWNER");
    for (size_t i = 0; i < count; i++) {
        enum state_status status = state_status(cmd->root, &states[i]);
        printf("%-*s   %-8d %-8s %-*s   %-31s %s\n", id_width, states[i].id,
               status == STATE_STOPPED ? 0 : (int)states[i].pid, state_status_name(status), bundle_width,
               states[i].bundle, states[i].created, states[i].owner == 0 ? "root" : "");
    }
}

static void print_json(const struct cmd *cmd, const struct state *states, size_t count)
{
    struct buf text = {0};

    buf_put_u8(&text, '[');
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            buf_put_u8(&text, ',');
        state_print(&states[i], state_status(cmd->root, &states[i]), true, 0, &text);
    }
    buf_put_str(&text, "]\n");
    fd_write_all(1, text.data, text.len);
    buf_done(&text);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct state *)a)->id, ((const struct state *)b)->id);
}

int cmd_list(struct cmd *cmd, int argc, char **argv)
{
    const char *format = "table";
    bool quiet = false;
    const struct option_spec specs[] = {{"format", 'f', OPTION_TEXT, &format, "table or json"},
                                        {"quiet", 'q', OPTION_FLAG, &quiet, "only the IDs"},
                                        {0}};
    VEC(struct state) states = {0};
    struct dirent *entry;
    DIR *directory;
    int status;

    if (cmd_options(cmd, argc, argv, specs, "list [options]", 0, 0, &status) < 0)
        return status;
    if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
        err_set(&cmd->err, EINVAL, "invalid format option: '%s' is neither table nor json", format);
        return cmd_fail(cmd, 1);
    }
    directory = opendir(cmd->root);
    if (directory == NULL && (errno != ENOENT || cmd->root_given)) { /* the default is made by the first create */
        err_sys(&cmd->err, "cannot open the state directory '%s'", cmd->root);
        return cmd_fail(cmd, 1);
    }
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct state state;
        if (container_check_id(entry->d_name, NULL) < 0)
            continue;
        /* gone since, or just being made: no reason to hide the others */
        if (state_read(cmd->root, entry->d_name, &cmd->arena, &state, &cmd->err) == 0)
            vec_push(&states, state);
    }
    if (directory != NULL)
        closedir(directory);
    if (states.len != 0)
        qsort(states.data, states.len, sizeof *states.data, compare_ids);
    if (quiet)
        for (size_t i = 0; i < states.len; i++)
            printf("%s\n", states.data[i].id);
    else if (strcmp(format, "json") == 0)
        print_json(cmd, states.data, states.len);
    else
        print_table(cmd, states.data, states.len);
    vec_done(&states);
    return 0;
}
