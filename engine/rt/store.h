/* The store: everything that instances of one process share and own, as the specification's store.
 *
 * Invariants. Whatever compiled code can reach (struct vm_*) stays where it is until store_free. Types in a store
 * are numbered process-wide from VM_OBJECT_TYPED; a valtype that the store keeps has such numbers as its concrete heap types
 * ("resolved"). References are offsets into the reference space (gen/abi.h).
 *
 * Threads. A store belongs to one thread: the one that made it, or the one that took it over with store_attach before
 * anything ran in it. So each thread of a program has a store of its own, with its own instance of the module: Wasm
 * stack, signal stack, trap state, backtrace, reference space (and what a collector manages in it), types, tables and
 * globals are never another thread's, and need no lock. What stores share, and how:
 *  - a memory with limits.shared, by its struct memory, which outlives them all: growth takes a lock, its size is read
 *    as a whole, its bytes are the guest's own affair;
 *  - mapped code (rt/code.h), which does not change while threads run;
 *  - the contexts of host functions, which see to themselves (wasi/ctx.h has a lock). */
#ifndef WHERRY_ENGINE_RT_STORE_H
#define WHERRY_ENGINE_RT_STORE_H

#include "base/err.h"
#include "base/vec.h"
#include "engine/gen/artifact.h"
#include "engine/gen/entry.h"
#include "engine/rt/heap.h"
#include "engine/rt/host.h"
#include "engine/types.h"

/* --- reference space (space.c) -------------------------------------------------------------------------------- */

struct reference_space {
    uint8_t *base;
    uint64_t used_bytes, open_bytes, reserved_bytes,
        limit_bytes; /* open: readable and writable from the second page up to here */
};

int space_reserve(struct reference_space *space, struct err *err);
void space_release(struct reference_space *space);
/* Offset of SIZE_BYTES zeroed bytes, 16-byte aligned; 0 when the space or memory is used up. */
uint32_t space_alloc(struct reference_space *space, uint64_t size_bytes);

/* --- objects (heap.c, object.c) ------------------------------------------------------------------------------------------ */

struct store;
struct tag;

/* A new object of SIZE_BYTES, its header included: everything behind the header is zero. Returns its reference, or 0
 * when there is no memory left, which is TRAP_OUT_OF_MEMORY. What other references the caller holds must be where the
 * collector looks: on a stack, or in a global, table or object. */
uint32_t heap_alloc(struct store *store, uint32_t type, uint32_t length, uint64_t size_bytes);

/* An exception of TAG whose values are zero; 0: as above. */
uint32_t heap_alloc_exception(struct store *store, const struct tag *tag);

/* A structure or array of the type NUMBER, all zero; 0: as above. */
uint32_t object_new_struct(struct store *store, uint32_t number);
uint32_t object_new_array(struct store *store, uint32_t number, uint32_t length);
/* COUNT elements of SIZE_BYTES at TO get the VALUE that the bytes there hold. */
void object_fill(uint8_t *to, const void *value, uint32_t size_bytes, uint64_t count);

/* --- types (type.c) ------------------------------------------------------------------------------------------- */

struct store_type {
    uint8_t kind; /* enum type_kind */
    bool final;
    uint32_t supertype; /* number or 0 */
    uint32_t param_count, result_count, field_count;
    const valtype *types;             /* resolved, laid out as in the artifact's valtypes */
    uint32_t arg_bytes, result_bytes; /* padded areas of a function type (gen/layout.h) */
    uint32_t size_bytes;              /* of a structure, its header included; of an array's element */
    uint32_t *references;             /* offsets of a structure's fields that are references */
    uint32_t reference_count;         /* an array: 1 if its elements are references */
    bool only_ints;                   /* no vector register and no slot takes part in a call, at most one result */
};

struct type_group { /* an interned recursion group */
    uint64_t hash;
    uint32_t first, count;
    uint32_t *serial; /* what equal groups have in common */
    uint32_t serial_len;
};

struct type_table {
    struct arena arena;
    VEC(struct store_type) types; /* number n at n - VM_OBJECT_TYPED */
    VEC(struct vm_type_row) rows; /* by number */
    VEC(struct type_group) groups;
    uint32_t *slots; /* open addressing, index into groups + 1 */
    uint32_t slot_count;
    VEC(uint32_t)
    serial; /* of the group that is interned; kept: each import brings one, and a start would map a page for each */
};

/* Interns all types of A and writes their numbers to NUMBERS. Returns 0, or -ESTALE for a damaged artifact. */
int types_intern(struct type_table *table, const struct artifact *a, uint32_t *numbers, struct err *err);
/* The number of the function type with these TYPES (parameters, then results; no concrete references), final, no
 * supertype. */
uint32_t types_intern_func(struct type_table *table, const valtype *types, uint32_t param_count, uint32_t result_count);
const struct store_type *types_get(const struct type_table *table, uint32_t number);
bool types_is_subtype(const struct type_table *table, uint32_t sub, uint32_t super);
/* Both resolved. */
bool types_value_matches(const struct type_table *table, valtype sub, valtype super);
/* A valtype of a module with NUMBERS, resolved. */
valtype types_resolve(valtype type, const uint32_t *numbers);
void types_free(struct type_table *table);

/* --- what instances share ------------------------------------------------------------------------------------- */

struct memory {
    struct vm_memory vm; /* first: vm->memories points here */
    struct limits limits;
    uint64_t size_pages;
    void *reservation;
    uint64_t reservation_bytes, grown_max_bytes;
    uint64_t front_bytes; /* of the reservation, in front of the memory */
    struct memory *next;
};

struct table {
    struct vm_table vm; /* first: vm->tables points here */
    struct limits limits;
    valtype type; /* resolved */
    uint64_t capacity;
    struct table *next;
};

struct global {
    union vm_value value; /* first: vm->globals points here */
    valtype type;         /* resolved */
    bool mutable;
};

struct tag {
    uint32_t type; /* number */
};

/* A function of C. Compiled code sees memory0_base only (r14 is reloaded from the callee's context). */
struct vm_host_func {
    struct entry_host_head head; /* first */
    host_function *function;
    void *context;
    uint32_t param_count, result_count;
    const valtype *types;
    uint32_t arg_bytes;
};

struct external {
    enum external_kind kind;
    union {
        uint32_t func; /* reference */
        struct memory *memory;
        struct table *table;
        struct global *global;
        struct tag *tag;
    };
};

struct code;

struct instance {
    struct vm vm; /* first: vm->owner points back */
    struct store *store;
    const struct code *code;
    const struct artifact *artifact;
    struct global *globals; /* own ones */
    struct tag **tags;
    uint32_t **elements; /* per segment: evaluated references; NULL once dropped or empty */
    uint32_t *element_lens;
    bool *data_dropped;
    struct instance *next;
};

struct frame { /* of a backtrace */
    const void *pc;
    bool faulted; /* it is where an instruction trapped; else a return address */
};

enum { BACKTRACE_MAX = 64 };

struct store {
    struct reference_space space;
    struct type_table types;
    struct arena arena; /* host functions, globals, tags, instances */
    struct instance *instances;
    struct memory *memories;
    struct table *tables;
    struct vm_thread *thread;
    struct heap heap;
    uint64_t memory_max_bytes; /* growth above fails; 0: no limit */
    /* the newest trap */
    struct frame frames[BACKTRACE_MAX];
    uint32_t frame_count;
};

/* A store with one Wasm stack of STACK_BYTES (0: the default), its signal handlers installed. */
int store_new(struct store **out, uint64_t stack_bytes, struct err *err);
/* The same for another thread, which calls store_attach before it runs anything in it. */
int store_new_detached(struct store **out, uint64_t stack_bytes, struct err *err);
void store_attach(struct store *store);
void store_free(struct store *store);

/* --- memories and tables (memory.c, table.c) ------------------------------------------------------------------ */

/* A memory of LIMITS->min pages. EXPLICIT_CHECKS: the code that uses it compares, so that a smaller reservation will
 * do. Returns 0, -ENOMEM, or -ENOSPC when the address space for the guard region is refused. */
int memory_new(struct store *store, const struct limits *limits, bool explicit_checks, struct memory **out,
               struct err *err);
/* Old size in pages or UINT64_MAX. */
uint64_t memory_grow(struct store *store, struct memory *memory, uint64_t delta_pages);
/* Puts SIZE_BYTES of FD from OFFSET at AT, private and writable; all page-aligned, inside the memory. */
int memory_map_image(struct memory *memory, uint64_t at, uint64_t size_bytes, int fd, uint64_t offset, struct err *err);
/* The same by copying BYTES, once no file can be mapped any more. */
int memory_copy_image(struct memory *memory, uint64_t at, uint64_t size_bytes, const void *bytes, struct err *err);
void memory_free(struct memory *memory);

int table_new(struct store *store, const struct limits *limits, valtype type, uint32_t init, struct table **out,
              struct err *err);
uint64_t table_grow(struct table *table, uint64_t delta, uint32_t init); /* old size or UINT64_MAX */
void table_free(struct table *table);

/* --- instances (instance.c) ----------------------------------------------------------------------------------- */

/* Allocates an instance of CODE over IMPORTS (one per import, already checked by link.c), its memories' images
 * mapped, its globals evaluated. IMAGE_FD: the artifact, -1: not at hand any more. Nothing of the module has run
 * yet. */
int instance_new(struct store *store, const struct code *code, int image_fd, const struct external *imports,
                 struct instance **out, struct err *err);
/* Active segments and the start function. */
enum trap_kind instance_initialize(struct instance *instance);
bool instance_export(struct instance *instance, struct name name, struct external *out);
/* Releases what the arena does not hold. */
void instance_release(struct instance *instance);

/* The limits of a memory or table, as an artifact has them. */
struct limits instance_limits(const struct artifact_limits *limits);

/* Evaluates a constant expression of INSTANCE's artifact. Returns 0 or -ESTALE. */
int constant_evaluate(struct instance *instance, struct artifact_range expression, union vm_value *out);

/* The three that both instantiation and builtins need; traps as the instructions do. */
enum trap_kind instance_table_init(struct instance *i, uint32_t table, uint32_t segment, uint64_t to, uint64_t from,
                                   uint64_t count);
enum trap_kind instance_memory_init(struct instance *i, uint32_t memory, uint32_t segment, uint64_t to, uint64_t from,
                                    uint64_t count);
void instance_elem_drop(struct instance *i, uint32_t segment);

/* --- functions (host.c, call.c) ------------------------------------------------------------------------------- */

static inline struct vm_func *store_func(const struct store *store, uint32_t reference)
{
    return (struct vm_func *)(store->space.base + reference);
}

static inline void *store_object(const struct store *store, uint32_t reference)
{
    return store->space.base + reference;
}

/* A reference to a new host function; 0 when the reference space is full. CONTEXT is borrowed. */
uint32_t host_func_new(struct store *store, const struct host_function_def *def, void *context);

/* Calls FUNC. VALUES: in, the arguments; out, the results. Returns TRAP_NONE or why it ended; a backtrace is then in
 * STORE. */
enum trap_kind call_func(struct store *store, uint32_t func, union vm_value *values);

/* --- exceptions (exception.c) --------------------------------------------------------------------------------- */

/* A reference to a new exception whose values lie below SLOTS_END as in BUILTIN_THROW; 0 when the reference space is
 * full. */
uint32_t exception_new(struct store *store, const struct tag *tag, const uint8_t *slots_end);
/* Throws from the Wasm frame of VM that made the newest call into C: goes on at the handler, or ends the newest entry
 * with the exception pending in vm->thread. Only on the C stack. */
_Noreturn void exception_throw(struct vm *vm, uint32_t reference);
/* Appends a sentence and a newline about an exception that nobody has caught: its tag's name or number, its values. */
void exception_print(const struct store *store, uint32_t reference, struct buf *out);

/* --- traps (trap.c, backtrace.c) ------------------------------------------------------------------------------ */

int thread_new(struct vm_thread **out, uint64_t stack_bytes, struct err *err);
void thread_free(struct vm_thread *thread);
/* Faults of the calling thread are THREAD's from now on, handled on its signal stack. */
void thread_attach(struct vm_thread *thread);
int trap_install_handlers(struct err *err);

const char *trap_text(enum trap_kind kind); /* the specification's words; a static string */
struct wasm_frame {
    const void *pc; /* a return address in compiled code */
    const void *fp; /* frame pointer of the frame that it returns to */
};

/* Goes on to the caller of FRAME; false where the entry from C is reached. */
bool frame_up(const struct vm_thread *thread, struct wasm_frame *frame);

/* Records the frames of THREAD's newest trap in STORE. */
void backtrace_take(struct store *store, const struct vm_thread *thread);
/* Appends one line per frame: number, function name or index, offset in the module. */
void backtrace_print(const struct store *store, struct buf *out);

#endif
