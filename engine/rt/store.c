#include "engine/rt/store.h"
#include <stdlib.h>

int store_new_detached(struct store **out, uint64_t stack_bytes, struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    int status;

    if (store == NULL)
        return err_set(err, ENOMEM, "out of memory");
    if ((status = space_reserve(&store->space, err)) != 0 ||
        (status = thread_new(&store->thread, stack_bytes, err)) != 0 || (status = trap_install_handlers(err)) != 0) {
        store_free(store);
        return status;
    }
    *out = store;
    return 0;
}

void store_attach(struct store *store)
{
    thread_attach(store->thread);
}

int store_new(struct store **out, uint64_t stack_bytes, struct err *err)
{
    int status = store_new_detached(out, stack_bytes, err);

    if (status == 0)
        store_attach(*out);
    return status;
}

void store_free(struct store *store)
{
    for (struct memory *m = store->memories; m != NULL; m = m->next)
        memory_free(m);
    for (struct table *t = store->tables; t != NULL; t = t->next)
        table_free(t);
    for (struct instance *i = store->instances; i != NULL; i = i->next)
        instance_release(i);
    types_free(&store->types);
    if (store->thread != NULL)
        thread_free(store->thread);
    heap_release(&store->heap);
    space_release(&store->space);
    arena_free(&store->arena);
    free(store);
}
