/* The other end of the shim's socket for tests: one call with its answer printed, or many cycles at once.
 *
 *     shim_client ADDRESS call METHOD [FIELD=VALUE]...   prints FIELD=VALUE per line; status 1 and "error CODE TEXT" on failure
 *     shim_client ADDRESS cycles COUNT CLIENTS BUNDLE...  CLIENTS processes, each create/start/kill/wait/delete COUNT times,
 *                                                        the nth with the nth BUNDLE
 *     shim_client ADDRESS raw                            sends standard input, then waits for the end of the connection
 * Fields are strings, numbers or booleans of the request; rootfs is "TYPE SOURCE OPTION..."; resources, spec and options are JSON whose Any the client
 * makes; options of CreateSandbox are "PID NETWORK IPC", CRI's numbers for a pod's namespaces. */
#include "base/fd.h"
#include "shim/cri.pb-c.h"
#include "shim/sandbox.pb-c.h"
#include "shim_call.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const struct call_type {
    const char *method;
    const ProtobufCMessageDescriptor *request, *response;
} types[] = {
    {"Create", &task__create_request__descriptor, &task__pid_response__descriptor},
    {"Start", &task__process_request__descriptor, &task__pid_response__descriptor},
    {"Delete", &task__process_request__descriptor, &task__delete_response__descriptor},
    {"Exec", &task__exec_request__descriptor, &rpc__empty__descriptor},
    {"State", &task__process_request__descriptor, &task__state_response__descriptor},
    {"Wait", &task__process_request__descriptor, &task__wait_response__descriptor},
    {"Kill", &task__kill_request__descriptor, &rpc__empty__descriptor},
    {"ResizePty", &task__resize_pty_request__descriptor, &rpc__empty__descriptor},
    {"CloseIO", &task__close_iorequest__descriptor, &rpc__empty__descriptor},
    {"Pids", &task__container_request__descriptor, &task__pids_response__descriptor},
    {"Stats", &task__container_request__descriptor, &task__stats_response__descriptor},
    {"Connect", &task__container_request__descriptor, &task__connect_response__descriptor},
    {"Pause", &task__container_request__descriptor, &rpc__empty__descriptor},
    {"Resume", &task__container_request__descriptor, &rpc__empty__descriptor},
    {"Update", &task__update_request__descriptor, &rpc__empty__descriptor},
    {"Checkpoint", &task__checkpoint_request__descriptor, &rpc__empty__descriptor},
    {"Shutdown", &task__shutdown_request__descriptor, &rpc__empty__descriptor},
    {"CreateSandbox", &sandbox__create_request__descriptor, &rpc__empty__descriptor},
    {"StartSandbox", &sandbox__id_request__descriptor, &sandbox__start_response__descriptor},
    {"Platform", &sandbox__id_request__descriptor, &sandbox__platform_response__descriptor},
    {"StopSandbox", &sandbox__id_request__descriptor, &rpc__empty__descriptor},
    {"WaitSandbox", &sandbox__id_request__descriptor, &sandbox__wait_response__descriptor},
    {"SandboxStatus", &sandbox__id_request__descriptor, &sandbox__status_response__descriptor},
    {"PingSandbox", &sandbox__id_request__descriptor, &rpc__empty__descriptor},
    {"ShutdownSandbox", &sandbox__id_request__descriptor, &rpc__empty__descriptor},
    {"SandboxMetrics", &sandbox__id_request__descriptor, &sandbox__metrics_response__descriptor},
};

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "shim_client: %s\n", what);
    exit(2);
}

static int dial(const char *address)
{
    int fd = shim_dial(address);
    if (fd < 0)
        die("nobody answers at the address");
    return fd;
}

static const struct call_type *type_find(const char *method)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].method, method) == 0)
            return &types[i];
    return NULL;
}

static void set_any(ProtobufCMessage **member, const char *json)
{
    Rpc__Any *any = calloc(1, sizeof *any);

    rpc__any__init(any);
    any->type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/X";
    any->value.data = (uint8_t *)json;
    any->value.len = strlen(json);
    *member = &any->base;
}

/* "PID NETWORK IPC" */
static void set_pod(ProtobufCMessage **member, const char *modes)
{
    static uint8_t bytes[256];
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__Linux linux_config = CRI__LINUX__INIT;
    Cri__SecurityContext security = CRI__SECURITY_CONTEXT__INIT;
    Cri__NamespaceOption options = CRI__NAMESPACE_OPTION__INIT;
    Rpc__Any *any = calloc(1, sizeof *any);
    unsigned pid = 0, network = 0, ipc = 0;

    if (sscanf(modes, "%u %u %u", &pid, &network, &ipc) != 3)
        die("options are \"PID NETWORK IPC\"");
    options.pid = (Cri__NamespaceMode)pid;
    options.network = (Cri__NamespaceMode)network;
    options.ipc = (Cri__NamespaceMode)ipc;
    security.namespace_options = &options;
    linux_config.security_context = &security;
    config.linux_config = &linux_config;
    config.hostname = (char *)"pod-name";
    rpc__any__init(any);
    any->type_url = (char *)"runtime.v1.PodSandboxConfig";
    any->value.data = bytes;
    any->value.len = cri__pod_sandbox_config__pack(&config, bytes);
    *member = &any->base;
}

/* "TYPE SOURCE OPTION..." becomes one more Mount of a repeated field. */
static void add_mount(size_t *count, void *member, char *words)
{
    Task__Mount *m = calloc(1, sizeof *m), ***list = member;
    char **options = calloc(strlen(words) + 1, sizeof *options);

    task__mount__init(m);
    m->type = strsep(&words, " ");
    m->source = strsep(&words, " ");
    for (char *option; (option = strsep(&words, " ")) != NULL;)
        options[m->n_options++] = option;
    m->options = options;
    *list = realloc(*count != 0 ? *list : NULL, (*count + 1) * sizeof **list);
    (*list)[(*count)++] = m;
}

static void set_field(ProtobufCMessage *message, char *assignment)
{
    char *value = strchr(assignment, '=');
    const ProtobufCFieldDescriptor *field;
    void *member;

    if (value == NULL)
        die("a field needs a value");
    *value++ = 0;
    field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, assignment);
    if (field == NULL)
        die("no such field");
    member = (char *)message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        add_mount((size_t *)((char *)message + field->quantifier_offset), member, value);
        return;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: *(char **)member = value; break;
    case PROTOBUF_C_TYPE_UINT32: *(uint32_t *)member = (uint32_t)atoi(value); break;
    case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)member = strcmp(value, "true") == 0; break;
    case PROTOBUF_C_TYPE_MESSAGE:
        (message->descriptor == &sandbox__create_request__descriptor ? set_pod : set_any)(member, value);
        break;
    default: die("a field of this type cannot be set");
    }
}

static void print_message(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *member = (const char *)message + field->offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            printf("%s=%zu\n", field->name, *(const size_t *)((const char *)message + field->quantifier_offset));
        else if (field->type == PROTOBUF_C_TYPE_STRING)
            printf("%s=%s\n", field->name, *(const char *const *)member);
        else if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_ENUM)
            printf("%s=%u\n", field->name, *(const uint32_t *)member);
    }
}

static int answer_print(const struct call_type *type, const Rpc__Response *response)
{
    ProtobufCMessage *message;

    if (response == NULL) {
        printf("error: no answer\n");
        return 1;
    }
    if (response->status != NULL && response->status->code != 0) {
        printf("error %d %s\n", response->status->code, response->status->message);
        return 1;
    }
    message = protobuf_c_message_unpack(type->response, NULL, response->payload.len, response->payload.data);
    if (message == NULL)
        die("the response cannot be read");
    print_message(message);
    return 0;
}

static int call(const char *address, char **words)
{
    const struct call_type *type = type_find(words[0]);
    struct call_type unknown = {
        .method = words[0], .request = &rpc__empty__descriptor, .response = &rpc__empty__descriptor};
    ProtobufCMessage *request;

    if (type == NULL)
        type = &unknown;
    request = calloc(1, type->request->sizeof_message);
    protobuf_c_message_init(type->request, request);
    for (char **word = words + 1; *word != NULL; word++)
        set_field(request, *word);
    return answer_print(type, shim_exchange(dial(address), type->method, request));
}

static void must(int fd, const char *method, const ProtobufCMessage *request, const char *id)
{
    Rpc__Response *response = shim_exchange(fd, method, request);

    if (response == NULL || response->status != NULL) {
        printf("%s of %s: %s\n", method, id, response != NULL ? response->status->message : "no answer");
        exit(1);
    }
    rpc__response__free_unpacked(response, NULL);
}

static void cycle(int fd, char *id, char *bundle)
{
    Task__CreateRequest create = TASK__CREATE_REQUEST__INIT;
    Task__ProcessRequest process = TASK__PROCESS_REQUEST__INIT;
    Task__KillRequest kill_request = TASK__KILL_REQUEST__INIT;

    create.id = process.id = kill_request.id = id;
    create.bundle = bundle;
    kill_request.signal = 9;
    must(fd, "Create", &create.base, id);
    must(fd, "Start", &process.base, id);
    must(fd, "Kill", &kill_request.base, id);
    must(fd, "Wait", &process.base, id);
    must(fd, "Delete", &process.base, id);
}

static int cycles(const char *address, int count, int clients, char **bundles)
{
    int status, failed = 0;

    for (int client = 0; client < clients; client++) {
        if (fork() != 0)
            continue;
        int fd = dial(address);
        char id[32];
        for (int i = 0; i < count; i++) {
            snprintf(id, sizeof id, "cycle%d", client);
            cycle(fd, id, bundles[client]);
        }
        exit(0);
    }
    while (wait(&status) > 0)
        failed |= status;
    return failed != 0;
}

/* Raw bytes; says how the connection took it. */
static int raw(const char *address)
{
    int fd = dial(address);
    char buffer[65536];
    ssize_t n;

    while ((n = read(0, buffer, sizeof buffer)) > 0)
        if (send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    shutdown(fd, SHUT_WR);
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    return n != 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[2], "call") == 0)
        return call(argv[1], argv + 3);
    if (argc >= 6 && strcmp(argv[2], "cycles") == 0 && argc - 5 >= atoi(argv[4]))
        return cycles(argv[1], atoi(argv[3]), atoi(argv[4]), argv + 5);
    if (argc == 3 && strcmp(argv[2], "raw") == 0)
        return raw(argv[1]);
    die("usage: shim_client ADDRESS call METHOD [FIELD=VALUE]... | cycles COUNT CLIENTS BUNDLE... | raw");
}
