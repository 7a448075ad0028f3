/* See seccomp_notify.h. */
#include "oci/seccomp_notify.h"
#include "base/fd.h"
#include "oci/json_write.h"
#include "oci/socket.h"
#include <linux/seccomp.h>

bool seccomp_notifies(const struct config_seccomp *profile)
{
    for (uint32_t i = 0; i < profile->rule_count; i++)
        if (profile->rules[i].action == SECCOMP_RET_USER_NOTIF)
            return true;
    return false;
}

static void encode(const struct config_seccomp *profile, const struct state *state, enum state_status status, pid_t pid,
                   struct buf *out)
{
    static const char *const fds[] = {"seccompFd"};
    struct json_writer w = {.out = out};
    struct buf nested = {0};

    json_open(&w, '{');
    json_key(&w, "ociVersion");
    json_put_string(&w, state->oci_version);
    json_key(&w, "fds");
    json_put_strings(&w, fds, 1);
    json_key(&w, "pid");
    json_put_int(&w, pid);
    if (profile->listener_metadata != NULL) {
        json_key(&w, "metadata");
        json_put_string(&w, profile->listener_metadata);
    }
    json_key(&w, "state");
    state_print(state, status, false, 0, &nested);
    json_put_raw(&w, buf_cstr(&nested));
    json_close(&w, '}');
    buf_done(&nested);
}

int seccomp_notify_agent(const struct config_seccomp *profile, const struct state *state, enum state_status status,
                         pid_t pid, int listener, struct err *e)
{
    cleanup_fd int socket = socket_connect(profile->listener_path, "its socket", e);
    struct buf text = {0};
    int ret = socket < 0 ? socket : 0;

    if (ret < 0)
        return err_prefix(e, "linux.seccomp.listenerPath: failed to connect with seccomp agent");
    encode(profile, state, status, pid, &text);
    errno = -socket_send_fd(socket, text.data, text.len, listener);
    if (errno != 0)
        ret = err_sys(e, "linux.seccomp.listenerPath: cannot send the listener to '%s'", profile->listener_path);
    buf_done(&text);
    return ret;
}
