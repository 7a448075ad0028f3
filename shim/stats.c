/* See stats.h. Every figure comes from one file that is read whole into a buffer on the stack; nothing is cached, since a
 * kubelet asks every ten seconds at most. */
#include "shim/stats.h"
#include "base/fd.h"
#include "shim/cgroup_path.h"
#include "shim/metrics.pb-c.h"
#include "shim/proc.h"
#include "shim/sandbox.pb-c.h"
#include <dirent.h>

enum { FILE_BYTES = 8192, HUGETLB_MAX = 8, DEVICES_MAX = 32, DEPTH_MAX = 16 };

/* A figure of its own file; what is not there is 0. */
static uint64_t number(const char *cgroup, const char *controller, const char *file)
{
    char text[64];
    return cgroup_path_read(cgroup, controller, file, text, sizeof text) > 0 ? cgroup_text_number(text) : 0;
}

/* The uint64 members of the message at BASE that has DESCRIPTOR, filled in from lines "key value" by the names of the
 * fields: the messages were named after the kernel's keys. RENAMED are pairs of field and key where they differ. */
static void fill(void *base, const ProtobufCMessageDescriptor *descriptor, const char *text, const char *const *renamed)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        const char *key = field->name;
        uint64_t value;

        if (field->type != PROTOBUF_C_TYPE_UINT64 || field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        for (const char *const *pair = renamed; pair != NULL && *pair != NULL; pair += 2)
            if (strcmp(field->name, pair[0]) == 0)
                key = pair[1];
        value = cgroup_text_value(text, key);
        if (value != 0)
            *(uint64_t *)((char *)base + field->offset) = value;
    }
}

/* SANDBOX: its id; NULL: the figures are a container's, asked of the task service. */
static void reply_any(struct call *call, const char *sandbox, const char *type_url, const ProtobufCMessage *message)
{
    Task__StatsResponse response = TASK__STATS_RESPONSE__INIT;
    Sandbox__MetricsResponse sandbox_response = SANDBOX__METRICS_RESPONSE__INIT;
    Sandbox__Metric metric = SANDBOX__METRIC__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;
    Rpc__Any any = RPC__ANY__INIT;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    when.seconds = now.tv_sec;
    when.nanos = (int32_t)now.tv_nsec;
    metric.timestamp = &when;
    metric.id = (char *)sandbox;
    metric.data = &any;
    sandbox_response.metrics = &metric;
    any.type_url = (char *)type_url;
    response.stats = &any;
    if (!ttrpc_pack(message, &any.value)) {
        call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
        return;
    }
    call_reply(call, sandbox != NULL ? &sandbox_response.base : &response.base);
    free(any.value.data);
}

/* --- huge pages: one set of files per page size --------------------------------------------------------------------- */

struct page_size {
    char text[16]; /* "2MB" */
};

static unsigned page_sizes(struct page_size *out, unsigned max)
{
    DIR *directory = opendir("/sys/kernel/mm/hugepages");
    struct dirent *entry;
    unsigned count = 0, kib;

    while (directory != NULL && count < max && (entry = readdir(directory)) != NULL) {
        if (sscanf(entry->d_name, "hugepages-%ukB", &kib) != 1)
            continue;
        if (kib >= 1u << 20)
            snprintf(out[count++].text, sizeof out->text, "%uGB", kib >> 20);
        else
            snprintf(out[count++].text, sizeof out->text, "%uMB", kib >> 10);
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

static uint64_t page_figure(const char *cgroup, const char *page_size, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "hugetlb.%s.%s", page_size, name);
    return number(cgroup, "hugetlb", file);
}

/* --- version 1 ------------------------------------------------------------------------------------------------------- */

static void memory_entry1(const char *cgroup, const char *prefix, Metrics__MemoryEntry1 *out)
{
    static const char *const names[] = {"limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"};
    uint64_t *const values[] = {&out->limit, &out->usage, &out->max, &out->failcnt};
    char file[64];

    for (unsigned i = 0; i < 4; i++) {
        snprintf(file, sizeof file, "%s.%s", prefix, names[i]);
        *values[i] = number(cgroup, "memory", file);
    }
}

static void cpu1(const char *cgroup, Metrics__Cpu1 *out, uint64_t *per_cpu, size_t per_cpu_max)
{
    char text[FILE_BYTES], *at;
    uint64_t tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);

    out->usage->total = number(cgroup, "cpuacct", "cpuacct.usage");
    if (cgroup_path_read(cgroup, "cpuacct", "cpuacct.stat", text, sizeof text) > 0) {
        out->usage->user = cgroup_text_value(text, "user") * tick_ns;
        out->usage->kernel = cgroup_text_value(text, "system") * tick_ns;
    }
    if (cgroup_path_read(cgroup, "cpuacct", "cpuacct.usage_percpu", text, sizeof text) > 0)
        for (at = text; out->usage->n_per_cpu < per_cpu_max && strspn(at, "0123456789") != 0; at += strspn(at, " \n"))
            per_cpu[out->usage->n_per_cpu++] = strtoull(at, &at, 10);
    out->usage->per_cpu = per_cpu;
    if (cgroup_path_read(cgroup, "cpu", "cpu.stat", text, sizeof text) > 0) {
        out->throttling->periods = cgroup_text_value(text, "nr_periods");
        out->throttling->throttled_periods = cgroup_text_value(text, "nr_throttled");
        out->throttling->throttled_time = cgroup_text_value(text, "throttled_time");
    }
}

static void memory1(const char *cgroup, Metrics__Memory1 *out)
{
    static const char *const renamed[] = {"pg_pg_in",
                                          "pgpgin",
                                          "pg_pg_out",
                                          "pgpgout",
                                          "pg_fault",
                                          "pgfault",
                                          "pg_maj_fault",
                                          "pgmajfault",
                                          "hierarchical_swap_limit",
                                          "hierarchical_memsw_limit",
                                          "total_pg_pg_in",
                                          "total_pgpgin",
                                          "total_pg_pg_out",
                                          "total_pgpgout",
                                          "total_pg_fault",
                                          "total_pgfault",
                                          "total_pg_maj_fault",
                                          "total_pgmajfault",
                                          NULL};
    char text[FILE_BYTES];

    if (cgroup_path_read(cgroup, "memory", "memory.stat", text, sizeof text) > 0)
        fill(out, &metrics__memory1__descriptor, text, renamed);
    memory_entry1(cgroup, "memory", out->usage);
    memory_entry1(cgroup, "memory.memsw", out->swap);
    memory_entry1(cgroup, "memory.kmem", out->kernel);
    memory_entry1(cgroup, "memory.kmem.tcp", out->kernel_tcp);
}

/* Lines "8:0 Read 4096" and a last one "Total 4096". OPERATIONS has room for ENTRIES_MAX names. */
static size_t blkio1(const char *cgroup, const char *file, Metrics__BlkioEntry1 *entries,
                     Metrics__BlkioEntry1 **pointers, char (*operations)[16])
{
    char text[FILE_BYTES];
    size_t count = 0;
    unsigned major, minor;
    unsigned long long value;

    if (cgroup_path_read(cgroup, "blkio", file, text, sizeof text) <= 0)
        return 0;
    for (const char *line = text; *line != 0 && count < DEVICES_MAX; line = *line != 0 ? line + 1 : line) {
        if (sscanf(line, "%u:%u %15s %llu", &major, &minor, operations[count], &value) == 4) {
            entries[count] = (Metrics__BlkioEntry1)METRICS__BLKIO_ENTRY1__INIT;
            entries[count].op = operations[count];
            entries[count].major = major;
            entries[count].minor = minor;
            entries[count].value = value;
            pointers[count] = &entries[count];
            count++;
        }
        line = strchrnul(line, '\n');
    }
    return count;
}

struct blkio_space {
    Metrics__BlkioEntry1 entries[DEVICES_MAX], *pointers[DEVICES_MAX];
    char operations[DEVICES_MAX][16];
};

static void oom1(const char *cgroup, Metrics__MemoryOomControl1 *out)
{
    static const char *const renamed[] = {NULL};
    char text[FILE_BYTES];

    if (cgroup_path_read(cgroup, "memory", "memory.oom_control", text, sizeof text) > 0)
        fill(out, &metrics__memory_oom_control1__descriptor, text, renamed);
}

static void reply_v1(struct call *call, const char *sandbox, const char *cgroup)
{
    Metrics__Metrics1 metrics = METRICS__METRICS1__INIT;
    Metrics__Pids pids = METRICS__PIDS__INIT;
    Metrics__Cpu1 cpu = METRICS__CPU1__INIT;
    Metrics__CpuUsage1 usage = METRICS__CPU_USAGE1__INIT;
    Metrics__Throttle1 throttle = METRICS__THROTTLE1__INIT;
    Metrics__Memory1 memory = METRICS__MEMORY1__INIT;
    Metrics__MemoryEntry1 entries[4];
    Metrics__Blkio1 blkio = METRICS__BLKIO1__INIT;
    Metrics__MemoryOomControl1 oom = METRICS__MEMORY_OOM_CONTROL1__INIT;
    Metrics__Hugetlb1 hugetlb[HUGETLB_MAX], *hugetlb_pointers[HUGETLB_MAX];
    struct page_size sizes[HUGETLB_MAX];
    struct blkio_space bytes, operations;
    uint64_t per_cpu[512];

    for (unsigned i = 0; i < 4; i++)
        entries[i] = (Metrics__MemoryEntry1)METRICS__MEMORY_ENTRY1__INIT;
    memory.usage = &entries[0];
    memory.swap = &entries[1];
    memory.kernel = &entries[2];
    memory.kernel_tcp = &entries[3];
    cpu.usage = &usage;
    cpu.throttling = &throttle;
    metrics.pids = &pids;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    metrics.blkio = &blkio;
    metrics.memory_oom_control = &oom;
    pids.current = number(cgroup, "pids", "pids.current");
    pids.limit = number(cgroup, "pids", "pids.max");
    if (pids.limit == UINT64_MAX)
        pids.limit = 0; /* "max" is 0 in this message */
    cpu1(cgroup, &cpu, per_cpu, sizeof per_cpu / sizeof *per_cpu);
    memory1(cgroup, &memory);
    oom1(cgroup, &oom);
    blkio.io_service_bytes_recursive = bytes.pointers;
    blkio.n_io_service_bytes_recursive =
        blkio1(cgroup, "blkio.throttle.io_service_bytes_recursive", bytes.entries, bytes.pointers, bytes.operations);
    blkio.io_serviced_recursive = operations.pointers;
    blkio.n_io_serviced_recursive = blkio1(cgroup, "blkio.throttle.io_serviced_recursive", operations.entries,
                                           operations.pointers, operations.operations);
    metrics.n_hugetlb = page_sizes(sizes, HUGETLB_MAX);
    metrics.hugetlb = hugetlb_pointers;
    for (size_t i = 0; i < metrics.n_hugetlb; i++) {
        hugetlb[i] = (Metrics__Hugetlb1)METRICS__HUGETLB1__INIT;
        hugetlb[i].pagesize = sizes[i].text;
        hugetlb[i].usage = page_figure(cgroup, sizes[i].text, "usage_in_bytes");
        hugetlb[i].max = page_figure(cgroup, sizes[i].text, "max_usage_in_bytes");
        hugetlb[i].failcnt = page_figure(cgroup, sizes[i].text, "failcnt");
        hugetlb_pointers[i] = &hugetlb[i];
    }
    reply_any(call, sandbox, "io.containerd.cgroups.v1.Metrics", &metrics.base);
}

/* --- version 2 ------------------------------------------------------------------------------------------------------- */

static void memory2(const char *cgroup, Metrics__Memory2 *out)
{
    char text[FILE_BYTES];

    if (cgroup_path_read(cgroup, "memory", "memory.stat", text, sizeof text) > 0)
        fill(out, &metrics__memory2__descriptor, text, NULL);
    out->usage = number(cgroup, "memory", "memory.current");
    out->usage_limit = number(cgroup, "memory", "memory.max");
    out->max_usage = number(cgroup, "memory", "memory.peak");
    out->swap_usage = number(cgroup, "memory", "memory.swap.current");
    out->swap_limit = number(cgroup, "memory", "memory.swap.max");
    out->swap_max_usage = number(cgroup, "memory", "memory.swap.peak");
}

/* Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0". */
static size_t io2(const char *cgroup, Metrics__IoEntry2 *entries, Metrics__IoEntry2 **pointers)
{
    char text[FILE_BYTES];
    size_t count = 0;
    unsigned major, minor;
    unsigned long long read_bytes, write_bytes, reads, writes;

    if (cgroup_path_read(cgroup, "io", "io.stat", text, sizeof text) <= 0)
        return 0;
    for (const char *line = text; *line != 0 && count < DEVICES_MAX; line = *line != 0 ? line + 1 : line) {
        if (sscanf(line, "%u:%u rbytes=%llu wbytes=%llu rios=%llu wios=%llu", &major, &minor, &read_bytes, &write_bytes,
                   &reads, &writes) == 6) {
            Metrics__IoEntry2 *entry = &entries[count];
            *entry = (Metrics__IoEntry2)METRICS__IO_ENTRY2__INIT;
            entry->major = major;
            entry->minor = minor;
            entry->rbytes = read_bytes;
            entry->wbytes = write_bytes;
            entry->rios = reads;
            entry->wios = writes;
            pointers[count++] = entry;
        }
        line = strchrnul(line, '\n');
    }
    return count;
}

static void reply_v2(struct call *call, const char *sandbox, const char *cgroup)
{
    Metrics__Metrics2 metrics = METRICS__METRICS2__INIT;
    Metrics__Pids pids = METRICS__PIDS__INIT;
    Metrics__Cpu2 cpu = METRICS__CPU2__INIT;
    Metrics__Memory2 memory = METRICS__MEMORY2__INIT;
    Metrics__MemoryEvents2 events = METRICS__MEMORY_EVENTS2__INIT;
    Metrics__Io2 io = METRICS__IO2__INIT;
    Metrics__IoEntry2 io_entries[DEVICES_MAX], *io_pointers[DEVICES_MAX];
    Metrics__Hugetlb2 hugetlb[HUGETLB_MAX], *hugetlb_pointers[HUGETLB_MAX];
    struct page_size sizes[HUGETLB_MAX];
    char text[FILE_BYTES];

    metrics.pids = &pids;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    metrics.memory_events = &events;
    metrics.io = &io;
    pids.current = number(cgroup, "pids", "pids.current");
    pids.limit = number(cgroup, "pids", "pids.max");
    if (cgroup_path_read(cgroup, "cpu", "cpu.stat", text, sizeof text) > 0)
        fill(&cpu, &metrics__cpu2__descriptor, text, NULL);
    if (cgroup_path_read(cgroup, "memory", "memory.events", text, sizeof text) > 0)
        fill(&events, &metrics__memory_events2__descriptor, text, NULL);
    memory2(cgroup, &memory);
    io.usage = io_pointers;
    io.n_usage = io2(cgroup, io_entries, io_pointers);
    metrics.n_hugetlb = page_sizes(sizes, HUGETLB_MAX);
    metrics.hugetlb = hugetlb_pointers;
    for (size_t i = 0; i < metrics.n_hugetlb; i++) {
        hugetlb[i] = (Metrics__Hugetlb2)METRICS__HUGETLB2__INIT;
        hugetlb[i].pagesize = sizes[i].text;
        hugetlb[i].current = page_figure(cgroup, sizes[i].text, "current");
        hugetlb[i].max = page_figure(cgroup, sizes[i].text, "max");
        hugetlb_pointers[i] = &hugetlb[i];
    }
    reply_any(call, sandbox, "io.containerd.cgroups.v2.Metrics", &metrics.base);
}

static void reply(struct call *call, const char *sandbox, const char *cgroup)
{
    if (cgroup_path_is_unified(cgroup))
        reply_v2(call, sandbox, cgroup);
    else
        reply_v1(call, sandbox, cgroup);
}

void stats_reply(struct call *call, const struct container *c)
{
    if (c->init.state == PROCESS_STOPPED)
        call_fail(call, TTRPC_NOT_FOUND, "container %s has ended and has no figures any more", c->id);
    else
        reply(call, NULL, c->cgroup);
}

/* Takes the last name off the directory, which is absolute, in each line. */
static void to_parents(char *cgroup)
{
    char *out = cgroup;

    for (const char *line = cgroup; *line != 0;) {
        const char *end = strchrnul(line, '\n'), *slash = memrchr(line, '/', (size_t)(end - line));
        const char *next = *end != 0 ? end + 1 : end;
        if (slash != NULL) {
            memmove(out, line, (size_t)(slash - line));
            out += slash - line;
            *out++ = '\n';
        }
        line = next;
    }
    *out = 0;
}

void stats_reply_pod(struct call *call, const char *sandbox, const struct container *c)
{
    char *cgroup = NULL;

    while (c != NULL && (c->cgroup == NULL || c->init.state == PROCESS_STOPPED))
        c = c->next;
    if (c == NULL) {
        call_fail(call, TTRPC_NOT_FOUND, "sandbox %s has no running container, and so no figures", sandbox);
        return;
    }
    cgroup = strdup(c->cgroup);
    if (cgroup == NULL) {
        call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
        return;
    }
    to_parents(cgroup);
    reply(call, sandbox, cgroup);
    free(cgroup);
}

/* --- processes ------------------------------------------------------------------------------------------------------- */

struct pids {
    uint32_t *data;
    size_t count, capacity;
    bool out_of_memory;
};

static void pids_add(struct pids *out, uint32_t pid)
{
    if (out->count == out->capacity) {
        size_t want = out->capacity != 0 ? out->capacity * 2 : 64;
        uint32_t *grown = realloc(out->data, want * sizeof *grown);
        if (grown == NULL) {
            out->out_of_memory = true;
            return;
        }
        out->data = grown;
        out->capacity = want;
    }
    out->data[out->count++] = pid;
}

static void pids_read(int directory, struct pids *out)
{
    cleanup_fd int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "re") : NULL;
    unsigned pid;

    if (file == NULL)
        return;
    fd = -1;
    while (!out->out_of_memory && fscanf(file, "%u", &pid) == 1)
        pids_add(out, pid);
    fclose(file);
}

/* The directory and those below, which a container makes in a cgroup namespace of its own. */
static void pids_walk(int directory_fd, struct pids *out, unsigned depth)
{
    DIR *directory = fdopendir(directory_fd);
    struct dirent *entry;

    if (directory == NULL) {
        close(directory_fd);
        return;
    }
    pids_read(dirfd(directory), out);
    while (depth < DEPTH_MAX && !out->out_of_memory && (entry = readdir(directory)) != NULL) {
        int below;
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        below = openat(dirfd(directory), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0)
            pids_walk(below, out, depth + 1);
    }
    closedir(directory);
}

static const char *exec_of(const struct container *c, uint32_t pid)
{
    for (const struct process *p = c->execs; p != NULL; p = p->next)
        if ((uint32_t)p->pid == pid && !p->exited)
            return p->id;
    return NULL;
}

/* One process; the Any's bytes are the caller's to free. */
struct pid_entry {
    Task__ProcessInfo info;
    Rpc__Any any;
};

static bool pid_entry_fill(struct pid_entry *entry, const struct container *c, uint32_t pid)
{
    const char *exec_id = exec_of(c, pid);
    Task__ProcessDetails details = TASK__PROCESS_DETAILS__INIT;

    entry->info = (Task__ProcessInfo)TASK__PROCESS_INFO__INIT;
    entry->any = (Rpc__Any)RPC__ANY__INIT;
    entry->info.pid = pid;
    if (exec_id == NULL)
        return true;
    details.exec_id = (char *)exec_id;
    entry->any.type_url = (char *)"containerd.runc.v1.ProcessDetails";
    entry->info.info = &entry->any;
    return ttrpc_pack(&details.base, &entry->any.value);
}

void stats_reply_pids(struct call *call, const struct container *c)
{
    Task__PidsResponse response = TASK__PIDS_RESPONSE__INIT;
    struct pids pids = {0};
    struct pid_entry *entries = NULL;
    char path[PATH_MAX];
    bool good;
    int fd;

    /* on v1 every hierarchy has all of them; devices is always there where containers are */
    good = cgroup_path_of(c->cgroup, "pids", ".", path) || cgroup_path_of(c->cgroup, "devices", ".", path) ||
           cgroup_path_of(c->cgroup, "memory", ".", path);
    fd = good ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        pids_walk(fd, &pids, 0);
    if (pids.count == 0 && c->init.state == PROCESS_STOPPED)
        pids_add(&pids, (uint32_t)c->init.pid);
    entries = calloc(pids.count + 1, sizeof *entries);
    response.processes = calloc(pids.count + 1, sizeof *response.processes);
    good = !pids.out_of_memory && entries != NULL && response.processes != NULL;
    for (size_t i = 0; good && i < pids.count; i++) {
        good = pid_entry_fill(&entries[i], c, pids.data[i]);
        response.processes[response.n_processes++] = &entries[i].info;
    }
    if (good)
        call_reply(call, &response.base);
    else
        call_fail(call, TTRPC_RESOURCE_EXHAUSTED, "the shim is out of memory");
    for (size_t i = 0; i < response.n_processes; i++)
        free(entries[i].any.value.data);
    free(response.processes);
    free(entries);
    free(pids.data);
}
