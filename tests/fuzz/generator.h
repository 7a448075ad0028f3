/* What the parts of the generator share: generate.c makes the module and its functions, generate_code.c expressions and
 * statements, generate_loop.c loops over arrays, generate_object.c what has to do with references, generate_unwind.c exceptions and tail calls. */
#ifndef WHERRY_TESTS_GENERATOR_H
#define WHERRY_TESTS_GENERATOR_H

#include "engine/opcodes.h"
#include "tests/fuzz/generate.h"
#include <stdbool.h>

enum {
    PARAMS_MAX = 6,
    RESULTS_MAX = 3,
    LOCALS = 6,
    COUNTERS = 3, /* loops in loops */
    ROUNDS = 4,
    CALLS_MAX = 400,
    TYPES = 6,
    MEMORIES_MAX = 2,
    SEGMENT_BYTES = 64, /* of each of the two passive data segments */
    FUNC_TABLE_MAX = GENERATE_FUNCTIONS + 8,
    ANY_TABLE_MIN = 8,

    VT_ANY = 0x6e, /* anyref, as the format abbreviates it */
    VT_EXN = 0x69, /* exnref */
    VT_FUNC = 0x70,
    NO_RESULT = 0x40, /* as the type of a block */

    GLOBAL_FIRST = 1, /* behind the one that counts calls: one of each type */

    /* indices of types; behind () -> () and those of the functions */
    TYPE_TAG_I32 = 1 + GENERATE_FUNCTIONS, /* (i32) -> () */
    TYPE_TAG_F64,                          /* (f64) -> () */
    TYPE_CAUGHT,                           /* () -> (i32 exnref), where there are exceptions */
    TYPE_POINT,                            /* structures and arrays, where there is garbage collection */
    TYPE_POINT_MORE,
    TYPE_ARRAY_I8,
    TYPE_ARRAY_I16,
    TYPE_ARRAY_I64,
    TYPE_ARRAY_F32,
    TYPE_ARRAY_V128,
    TYPE_ARRAY_ANY,
    TYPE_END,

    TAG_EMPTY = 0,
    TAG_I32,
    TAG_F64,
    TAGS
};

struct shape {
    uint8_t params[PARAMS_MAX], results[RESULTS_MAX];
    unsigned param_count, result_count;
};

struct generator {
    uint64_t state;
    uint32_t features;   /* enum generate_feature: what this module uses */
    unsigned type_count; /* of value_types */
    unsigned memory_count;
    bool memory_is64[MEMORIES_MAX], table_is64;
    struct buf out; /* the body being made */
    struct shape shapes[GENERATE_FUNCTIONS];
    unsigned func, loops, budget;
    uint8_t locals[PARAMS_MAX + LOCALS];
    unsigned local_count;
};

extern const uint8_t value_types[TYPES];

static inline bool has(const struct generator *g, enum generate_feature feature)
{
    return (g->features & feature) != 0;
}

static inline unsigned below(struct generator *g, unsigned bound)
{
    return (unsigned)(generate_random(&g->state) % bound);
}

unsigned type_index(uint8_t type);

/* --- bytes: generate_code.c */
void put_u32(struct buf *b, uint32_t v);
void put_signed(struct buf *b, int64_t v);
void put_op(struct buf *b, unsigned op);
void put_with(struct buf *b, unsigned op, uint32_t immediate);
void put_i32(struct buf *b, int32_t v);
void put_const(struct generator *g, uint8_t type);
/* A number as the address type of what IS64 says. */
void put_address(struct buf *b, bool is64, uint32_t v);

/* --- code: generate_code.c */
void generate_prepare(void);
void expression(struct generator *g, uint8_t type, unsigned depth);
void statements(struct generator *g, unsigned depth);
/* The number of the scratch local of a type: behind the others. */
uint32_t scratch(const struct generator *g, uint8_t type);
/* LOCAL_GET, _SET or _TEE of some local of the type; false if there is none. */
bool get_local(struct generator *g, uint8_t type, unsigned op);
/* The operands of a call of FUNC, a function behind this one. */
void arguments(struct generator *g, const struct shape *s, unsigned depth);
/* The call itself, its operands on the stack: of FUNC directly, through the table, or by a reference; TAIL: as its last deed. */
void put_call(struct generator *g, unsigned func, bool tail);

/* --- loops over memory 0, whose indexes are 32 bits wide: generate_loop.c */
void array_loop(struct generator *g);

/* --- references: generate_object.c */
void reference(struct generator *g, unsigned depth);                  /* an anyref */
void object_value(struct generator *g, uint8_t type, unsigned depth); /* a number out of an object */
void object_statement(struct generator *g, unsigned depth);
void table_statement(struct generator *g, unsigned depth);

/* --- exceptions and tail calls: generate_unwind.c */
void try_value(struct generator *g, uint8_t type, unsigned depth);
void throw_statement(struct generator *g, unsigned depth);
bool tail_call_statement(struct generator *g, unsigned depth);

#endif
