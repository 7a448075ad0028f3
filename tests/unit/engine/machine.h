/* One module, compiled by one of the compilers, instantiated, its export "f" ready to be called: for tests that compare what
 * compilers make. Included behind cmocka.h. */
#ifndef WHERRY_TESTS_MACHINE_H
#define WHERRY_TESTS_MACHINE_H

#include "base/fd.h"
#include "engine/rt/code.h"
#include "engine/rt/store.h"
#include "wherry/engine.h"
#include <sys/mman.h>

struct machine {
    struct store *store;
    struct code *code;
    struct instance *instance;
    struct external func;
    int fd;
};

static inline void machine_start(struct machine *m, const uint8_t *module, size_t len, enum engine_compiler compiler)
{
    static const uint8_t key[32];
    struct engine_options options = {.compiler = compiler};
    struct artifact_identity identity = {0};
    struct buf artifact = {0};
    struct err err = {0};

    m->fd = memfd_create("artifact", MFD_CLOEXEC);
    if (engine_compile(module, len, key, &options, &artifact, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(fd_write_all(m->fd, artifact.data, artifact.len), 0);
    assert_int_equal(store_new(&m->store, 0, &err), 0);
    assert_int_equal(code_map(m->fd, &identity, &m->code, &err), 0);
    assert_int_equal(instance_new(m->store, m->code, m->fd, NULL, &m->instance, &err), 0);
    assert_true(instance_export(m->instance, (struct name){"f", 1}, &m->func));
    buf_done(&artifact);
}

static inline void machine_stop(struct machine *m)
{
    store_free(m->store);
    code_unmap(m->code);
    close(m->fd);
}

#endif
