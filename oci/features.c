/* See features.h. It says what is there, so that managers ask for no more: CRI-O and Kubernetes go by mountOptions ("rro")
 * and mountExtensions.idmap. */
#include "oci/features.h"
#include "oci/caps.h"
#include "oci/json_write.h"
#include "oci/mount_options.h"
#include "oci/version.h"

static void put_array(struct json_writer *w, const char *key, const char *const *names, size_t count)
{
    json_key(w, key);
    json_put_strings(w, names, count);
}
#define PUT_ARRAY(w, key, ...)                                                                                         \
    do {                                                                                                               \
        static const char *const names[] = {__VA_ARGS__};                                                              \
        put_array((w), (key), names, sizeof names / sizeof names[0]);                                                  \
    } while (0)

static void put_flag(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_put_bool(w, value);
}

static void put_enabled(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_open(w, '{');
    put_flag(w, "enabled", value);
    json_close(w, '}');
}

static void put_capabilities(struct json_writer *w)
{
    uint64_t known = caps_of_kernel();

    json_key(w, "capabilities");
    json_open(w, '[');
    for (unsigned i = 0; i < 64; i++)
        if ((known >> i & 1) != 0 && caps_name(i) != NULL)
            json_put_string(w, caps_name(i));
    json_close(w, ']');
}

static void put_seccomp(struct json_writer *w)
{
    json_key(w, "seccomp");
    json_open(w, '{');
    put_flag(w, "enabled", true);
    PUT_ARRAY(w, "actions", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
              "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP");
    PUT_ARRAY(w, "operators", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
              "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE");
    PUT_ARRAY(w, "archs", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64");
    PUT_ARRAY(w, "knownFlags", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
              "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
    PUT_ARRAY(w, "supportedFlags", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
              "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
    json_close(w, '}');
}

static void put_linux(struct json_writer *w)
{
    json_key(w, "linux");
    json_open(w, '{');
    PUT_ARRAY(w, "namespaces", "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts");
    put_capabilities(w);
    json_key(w, "cgroup");
    json_open(w, '{');
    put_flag(w, "v1", true);
    put_flag(w, "v2", true);
    put_flag(w, "systemd", true);
    put_flag(w, "systemdUser", true);
    put_flag(w, "rdma", true);
    json_close(w, '}');
    put_seccomp(w);
    put_enabled(w, "apparmor", true);
    put_enabled(w, "selinux", true);
    json_key(w, "intelRdt");
    json_open(w, '{');
    put_flag(w, "enabled", true);
    put_flag(w, "schemata", true);
    put_flag(w, "monitoring", true);
    json_close(w, '}');
    json_key(w, "mountExtensions");
    json_open(w, '{');
    put_enabled(w, "idmap", true);
    json_close(w, '}');
    put_enabled(w, "netDevices", true);
    json_close(w, '}');
}

static void put_mount_options(struct json_writer *w)
{
    const char *name;

    json_key(w, "mountOptions");
    json_open(w, '[');
    for (size_t i = 0; (name = mount_option_name(i)) != NULL; i++)
        json_put_string(w, name);
    json_close(w, ']');
}

void features_write(struct buf *out, unsigned indent)
{
    struct json_writer w = {.out = out, .indent = indent};

    json_open(&w, '{');
    json_key(&w, "ociVersionMin");
    json_put_string(&w, "1.0.0");
    json_key(&w, "ociVersionMax");
    json_put_string(&w, WHERRY_SPEC_VERSION);
    PUT_ARRAY(&w, "hooks", "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop");
    put_mount_options(&w);
    put_linux(&w);
    json_key(&w, "annotations");
    json_open(&w, '{');
    json_key(&w, "wherry.version");
    json_put_string(&w, WHERRY_VERSION);
    json_close(&w, '}');
    PUT_ARRAY(&w, "potentiallyUnsafeConfigAnnotations", "wherry.wasm.host-network");
    json_close(&w, '}');
}
