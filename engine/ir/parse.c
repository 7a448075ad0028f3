/* The IR from its text (print.c says what it looks like): for tests of single passes, and to try what a pass makes
 * of IR that no module leads to. Text that is none is refused with the line; what is read is checked like a pass's
 * work (verify.c). */
#include "engine/ir/ir.h"
#include <errno.h>

enum { NUMBERS_PER_BYTE = 64 }; /* a value's or block's number is below so many times the text's length */

struct number_list {
    uint32_t *data;
    size_t len, capacity;
};

struct parser {
    struct ir_func *f;
    const struct module *module;
    const char *at;
    uint32_t line;
    uint32_t block;                /* that is being read */
    struct number_list args;       /* of the instruction at hand */
    struct number_list successors; /* of the block at hand */
    struct number_list table;      /* the same */
    struct number_list numbers;    /* predecessors of the block at hand */
    struct number_list newest;     /* by depth: the loop that began last */
    struct err *err;
};

#define FAIL(p, ...) (fail((p), __VA_ARGS__), false)

__attribute__((format(printf, 2, 3))) static void fail(struct parser *p, const char *format, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    err_set(p->err, EINVAL, "line %u of the IR: %s", p->line, what);
}

/* --- words -------------------------------------------------------------------------------------------------------- */
static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
    if (*p->at == ';')
        p->at += strcspn(p->at, "\n");
}

static bool line_ends(struct parser *p)
{
    skip_blanks(p);
    return *p->at == '\n' || *p->at == 0;
}

/* To the next line that holds something; false: there is none. */
static bool next_line(struct parser *p)
{
    while (line_ends(p) && *p->at != 0) {
        p->at++;
        p->line++;
    }
    return *p->at != 0;
}

static bool end_line(struct parser *p)
{
    return line_ends(p) || FAIL(p, "\"%.*s\" is not expected", (int)strcspn(p->at, " \t\n"), p->at);
}

/* The word ahead, up to a blank. */
static struct name peek(struct parser *p)
{
    skip_blanks(p);
    return (struct name){p->at, (uint32_t)strcspn(p->at, " \t\n;")};
}

static bool name_is(struct name name, const char *word)
{
    return name.len == strlen(word) && memcmp(name.data, word, name.len) == 0;
}

static bool take_word(struct parser *p, const char *word)
{
    struct name next = peek(p);

    if (!name_is(next, word))
        return false;
    p->at += next.len;
    return true;
}

static bool expect_word(struct parser *p, const char *word)
{
    return take_word(p, word) || FAIL(p, "\"%s\" is expected", word);
}

/* PREFIX and a number: decimal, with a sign, or hexadecimal. False: something else is ahead. */
static bool take_number(struct parser *p, const char *prefix, uint64_t *out)
{
    struct name next = peek(p);
    size_t skip = strlen(prefix);
    char digits[32], *end;

    if (next.len <= skip || next.len - skip >= sizeof digits || memcmp(next.data, prefix, skip) != 0)
        return false;
    memcpy(digits, next.data + skip, next.len - skip);
    digits[next.len - skip] = 0;
    if (digits[next.len - skip - 1] == ':')
        digits[next.len - skip - 1] = 0;
    if (digits[0] != '-' && (digits[0] < '0' || digits[0] > '9'))
        return false;
    *out = digits[0] == '-' ? (uint64_t)strtoll(digits, &end, 0) : strtoull(digits, &end, 0);
    if (*end != 0 || end == digits)
        return false;
    p->at += next.len;
    return true;
}

static bool expect_u32(struct parser *p, const char *prefix, uint32_t *out)
{
    uint64_t number;

    if (!take_number(p, prefix, &number) || number > UINT32_MAX)
        return FAIL(p, "\"%s\" and a number are expected", prefix);
    *out = (uint32_t)number;
    return true;
}

/* A block's number; every one that the text names exists (reserve_numbers). */
static bool take_block(struct parser *p, uint32_t *out)
{
    uint64_t number;

    if (!take_number(p, "b", &number) || number == 0 || number >= p->f->blocks.len)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool expect_block(struct parser *p, uint32_t *out)
{
    return take_block(p, out) || FAIL(p, "a block is expected");
}

/* --- the head ----------------------------------------------------------------------------------------------------- */
static bool take_type(struct parser *p, uint8_t *out)
{
    static const uint8_t types[] = {VT_I32, VT_I64, VT_F32, VT_F64, VT_V128, VT_REF_NULL};

    for (unsigned i = 0; i < sizeof types; i++) {
        if (take_word(p, ir_type_name(types[i]))) {
            *out = types[i];
            return true;
        }
    }
    return false;
}

static bool parse_types(struct parser *p, const valtype *types, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (!take_word(p, ir_type_name(valtype_is_ref(types[k]) ? VT_REF_NULL : (uint8_t)types[k])))
            return FAIL(p, "the module's function %u has another type", p->f->index);
    return true;
}

static bool parse_origin(struct parser *p, struct site_origin *out)
{
    *out = (struct site_origin){0};
    return expect_u32(p, "@", &out->wasm_offset) && (!take_word(p, "in") || expect_u32(p, "", &out->inlining));
}

static bool parse_inlining(struct parser *p)
{
    struct code_inlining inlining;
    uint32_t number;

    if (!expect_u32(p, "", &number) || !expect_word(p, "func") || !expect_u32(p, "", &inlining.func) ||
        !parse_origin(p, &inlining.call))
        return false;
    if (number != p->f->inlinings.len + 1 || inlining.call.inlining >= number)
        return FAIL(p, "inlinings are numbered from 1, and each is in an earlier one");
    if (inlining.func >= p->module->func_count)
        return FAIL(p, "there is no function %u", inlining.func);
    vec_push(&p->f->inlinings, inlining);
    return end_line(p);
}

static bool parse_head(struct parser *p)
{
    const struct type_def *type;
    uint32_t index;

    if (!next_line(p) || !expect_word(p, "func") || !expect_u32(p, "", &index))
        return FAIL(p, "a function is expected: \"func 0 : i32 -> i32\"");
    if (index < p->module->imported_func_count || index >= p->module->func_count)
        return FAIL(p, "the module defines no function %u", index);
    ir_func_init(p->f, p->module, index);
    type = p->f->type;
    if (!expect_word(p, ":") || !parse_types(p, type->params, type->param_count) || !expect_word(p, "->") ||
        !parse_types(p, type->results, type->result_count) || !end_line(p))
        return false;
    if (next_line(p) && take_word(p, "explicit_bounds_checks")) {
        p->f->explicit_bounds_checks = true;
        if (!end_line(p))
            return false;
    }
    while (next_line(p) && take_word(p, "inlining"))
        if (!parse_inlining(p))
            return false;
    return true;
}

/* All values and blocks that the text names, so that they may be named before they are made. */
static bool reserve_numbers(struct parser *p)
{
    uint64_t largest[2] = {0, 0}, limit = strlen(p->at) * NUMBERS_PER_BYTE;

    for (const char *at = p->at; *at != 0; at++) {
        if ((*at == 'v' || *at == 'b') && at[1] >= '0' && at[1] <= '9' && (at[-1] == ' ' || at[-1] == '\n')) {
            uint64_t number = strtoull(at + 1, NULL, 10);
            if (number > limit)
                return FAIL(p, "there are not as many values or blocks as %c%llu", *at, (unsigned long long)number);
            if (number > largest[*at == 'b'])
                largest[*at == 'b'] = number;
        }
    }
    while (p->f->insts.len <= largest[0])
        vec_push(&p->f->insts, (struct ir_inst){.op = IR_COPY});
    while (p->f->blocks.len <= largest[1])
        ir_new_block(p->f);
    return true;
}

static uint32_t *copied(struct ir_func *f, const struct number_list *list)
{
    uint32_t *copy = arena_array(&f->arena, uint32_t, list->len);

    if (list->len != 0)
        memcpy(copy, list->data, list->len * sizeof *copy);
    return copy;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */
/* The loop that HEAD begins, which the block at hand is in; it may be that head. */
static bool parse_loop(struct parser *p, struct ir_block *b)
{
    struct ir_func *f = p->f;
    uint32_t head, depth;

    if (!expect_block(p, &head) || !expect_word(p, "depth") || !expect_u32(p, "", &depth))
        return false;
    if (head == p->block) {
        if (depth == 0 || depth > p->newest.len + 1)
            return FAIL(p, "no loop of depth %u is around a loop of depth %u", depth - 1, depth);
        p->newest.len = depth - 1;
        vec_push(
            &f->loops,
            ((struct ir_loop){
                .head = head, .parent = depth == 1 ? 0 : *vec_last(&p->newest), .depth = depth, .first = b->order}));
        vec_push(&p->newest, (uint32_t)f->loops.len - 1);
        b->loop = (uint32_t)f->loops.len - 1;
    } else {
        b->loop = ir_block(f, head)->loop;
        if (b->loop == 0 || f->loops.data[b->loop].head != head || f->loops.data[b->loop].depth != depth)
            return FAIL(p, "b%u begins no loop of depth %u", head, depth);
    }
    for (uint32_t l = b->loop; l != 0; l = f->loops.data[l].parent)
        f->loops.data[l].end = b->order + 1;
    return true;
}

static bool has_ended(const struct ir_func *f, uint32_t b)
{
    ir_value last = ir_block(f, b)->last;
    return last != IR_NONE && (ir_effects(ir_inst(f, last)->op) & IR_TERMINATOR) != 0;
}

static bool parse_block_line(struct parser *p)
{
    struct ir_func *f = p->f;
    uint32_t pred, number;
    struct ir_block *b;

    if (!expect_block(p, &number))
        return false;
    if (p->at[-1] != ':')
        return FAIL(p, "a block's line begins with its number and a colon");
    b = ir_block(f, number);
    if (f->order.len != 0 && (b->order != 0 || number == f->entry))
        return FAIL(p, "b%u is here twice", number);
    if (p->block != 0 && !has_ended(f, p->block))
        return FAIL(p, "b%u has no end", p->block);
    p->block = number;
    b->order = (uint32_t)f->order.len;
    vec_push(&f->order, number);
    f->entry = f->order.data[0];
    p->numbers.len = 0;
    if (take_word(p, "from"))
        while (take_block(p, &pred))
            vec_push(&p->numbers, pred);
    b->preds = copied(f, &p->numbers);
    b->pred_count = b->pred_capacity = (uint32_t)p->numbers.len;
    if (take_word(p, "loop") && !parse_loop(p, b))
        return false;
    b->unlikely = take_word(p, "unlikely");
    b->cold = take_word(p, "cold");
    return end_line(p);
}

/* --- instructions ------------------------------------------------------------------------------------------------- */
static bool is_op(unsigned op)
{
    return op < OPCODE_COUNT ? opcode_infos[op].immediate != IMMEDIATE_ILLEGAL : op > IR_COPY;
}

/* The IR's own first: some are called like the instruction that they stand for. */
static bool find_op(struct name name, unsigned *out)
{
    for (unsigned n = 0; n < IR_OP_COUNT; n++) {
        *out = (n + OPCODE_COUNT) % IR_OP_COUNT;
        if (is_op(*out) && name_is(name, ir_op_name(*out)))
            return true;
    }
    return false;
}

static bool parse_args(struct parser *p)
{
    uint64_t number;

    for (p->args.len = 0;;) {
        if (take_word(p, "-"))
            vec_push(&p->args, IR_NONE);
        else if (!take_number(p, "v", &number))
            return true;
        else if (number == 0 || number >= p->f->insts.len)
            return FAIL(p, "there is no such value");
        else
            vec_push(&p->args, (ir_value)number);
    }
}

/* Behind a switch: the successors are the blocks of the table, in the order in which they first stand there. */
static bool parse_table(struct parser *p)
{
    uint32_t block;

    while (take_block(p, &block)) {
        uint32_t slot = 0;
        while (slot < p->successors.len && p->successors.data[slot] != block)
            slot++;
        if (slot == p->successors.len)
            vec_push(&p->successors, block);
        vec_push(&p->table, slot);
    }
    return p->table.len != 0 || FAIL(p, "a switch leads somewhere");
}

static bool parse_catches(struct parser *p)
{
    uint32_t block, tag;

    if (!expect_block(p, &block))
        return false;
    vec_push(&p->successors, block);
    while (!line_ends(p)) {
        tag = IR_CATCH_ALL;
        if (!take_word(p, "all") && (!expect_word(p, "tag") || !expect_u32(p, "", &tag)))
            return false;
        if (!expect_block(p, &block))
            return false;
        vec_push(&p->table, tag);
        vec_push(&p->successors, block);
    }
    return true;
}

static bool parse_successors(struct parser *p, unsigned op)
{
    unsigned wanted = op == IR_JUMP ? 1 : op == IR_BRANCH ? 2 : 0;
    struct ir_block *b = ir_block(p->f, p->block);
    uint32_t block;

    p->successors.len = p->table.len = 0;
    if (take_word(p, "->")) {
        if (op == IR_SWITCH ? !parse_table(p) : op == IR_CATCH && !parse_catches(p))
            return false;
        while (take_block(p, &block))
            vec_push(&p->successors, block);
    }
    if (op == IR_SWITCH || op == IR_CATCH ? p->successors.len == 0 : p->successors.len != wanted)
        return FAIL(p, "%s leads to another number of blocks", ir_op_name(op));
    b->succs = copied(p->f, &p->successors);
    b->succ_count = (uint32_t)p->successors.len;
    b->table = copied(p->f, &p->table);
    b->table_count = (uint32_t)p->table.len;
    return true;
}

/* What stands behind the operands: numbers, a lane, successors, where it comes from. */
static bool parse_rest(struct parser *p, ir_value v)
{
    struct ir_inst *i = ir_inst(p->f, v);
    bool wide = i->op == OP_I8X16_SHUFFLE || (i->op == IR_CONST && i->type == VT_V128);
    uint64_t high, lane;

    if (take_number(p, "#", &i->imm) && wide && take_number(p, "#", &high))
        memcpy(i->op == IR_CONST ? &i->arg[0] : &i->arg[2], &high, 8);
    if (i->type == VT_I32 || i->type == VT_REF_NULL)
        i->imm = i->op == IR_CONST ? (uint32_t)i->imm : i->imm;
    if (take_word(p, "lane")) {
        if (!take_number(p, "", &lane) || lane > UINT8_MAX)
            return FAIL(p, "there is no such lane");
        i->lane = (uint8_t)lane;
    }
    if ((ir_effects(i->op) & IR_TERMINATOR) != 0 && !parse_successors(p, i->op))
        return false;
    if (*peek(p).data == '@' && !parse_origin(p, &i->origin))
        return false;
    return end_line(p);
}

static bool find_type(struct parser *p, unsigned op, bool has_value, uint8_t *type)
{
    *type = VT_BOTTOM;
    if (!has_value || take_type(p, type) || op == IR_CALL || op == IR_CALL_ADDRESS)
        return true;
    *type = op < OPCODE_COUNT ? ir_wasm_type(op) : VT_BOTTOM;
    return *type != VT_BOTTOM || FAIL(p, "the value needs a type");
}

static bool parse_inst(struct parser *p)
{
    struct ir_func *f = p->f;
    uint64_t number = IR_NONE;
    bool has_value = take_number(p, "v", &number);
    struct name name;
    ir_value v;
    uint8_t type;
    unsigned op;

    if (has_value &&
        (!expect_word(p, "=") || number == 0 || number >= f->insts.len || ir_inst(f, (ir_value)number)->block != 0))
        return FAIL(p, "a value is made once: \"v3 = \" and so on");
    name = peek(p);
    if (!find_op(name, &op))
        return FAIL(p, "there is no instruction %.*s", name.len < 64 ? (int)name.len : 64, name.data);
    p->at += name.len;
    if (has_ended(f, p->block))
        return FAIL(p, "b%u has ended already", p->block);
    if (!find_type(p, op, has_value, &type) || !parse_args(p))
        return false;
    if (!ir_is_variadic(op) && p->args.len > (op == OP_I8X16_SHUFFLE ? 2 : op == IR_CONST ? 0 : IR_FIXED_ARGS))
        return FAIL(p, "%s has not as many operands", ir_op_name(op));
    v = (ir_value)number;
    if (has_value)
        ir_append_as(f, v, p->block, op, type, p->args.data, (uint32_t)p->args.len, 0);
    else
        v = ir_append(f, p->block, op, type, p->args.data, (uint32_t)p->args.len, 0);
    if (!parse_rest(p, v))
        return false;
    if (op == IR_CONST && p->block == f->entry && type != VT_V128)
        ir_note_const(f, v);
    return true;
}

static bool parse_blocks(struct parser *p)
{
    while (next_line(p)) {
        if (*peek(p).data == 'b' && p->at[1] >= '0' && p->at[1] <= '9') {
            if (!parse_block_line(p))
                return false;
        } else if (p->block == 0) {
            return FAIL(p, "a block is expected");
        } else if (!parse_inst(p)) {
            return false;
        }
    }
    if (p->block == 0 || !has_ended(p->f, p->block))
        return FAIL(p, "the function ends without its last block's end");
    return true;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */
static bool is_in_order(const struct ir_func *f, uint32_t b)
{
    return ir_block(f, b)->order < f->order.len && f->order.data[ir_block(f, b)->order] == b;
}

/* What ir_check relies on. */
static bool check_order(struct parser *p)
{
    struct ir_func *f = p->f;
    uint32_t *arrivals = arena_array(&f->arena, uint32_t, f->blocks.len);

    for (size_t n = 0; n < f->order.len; n++) {
        const struct ir_block *b = ir_block(f, f->order.data[n]);
        bool earlier = n == 0;
        for (uint32_t k = 0; k < b->pred_count; k++) {
            if (!is_in_order(f, b->preds[k]))
                return FAIL(p, "b%u, which leads to b%u, is not there", b->preds[k], f->order.data[n]);
            earlier |= ir_block(f, b->preds[k])->order < n;
        }
        if (!earlier || (n == 0 && b->pred_count != 0))
            return FAIL(p, n == 0 ? "something leads to b%u, the first" : "no earlier block leads to b%u",
                        f->order.data[n]);
        for (uint32_t k = 0; k < b->succ_count; k++) {
            if (!is_in_order(f, b->succs[k]))
                return FAIL(p, "b%u leads to b%u, which is not there", f->order.data[n], b->succs[k]);
            arrivals[b->succs[k]]++;
        }
    }
    for (size_t n = 0; n < f->order.len; n++)
        if (arrivals[f->order.data[n]] != ir_block(f, f->order.data[n])->pred_count)
            return FAIL(p, "b%u has another number of predecessors", f->order.data[n]);
    return true;
}

int ir_parse(struct ir_func *f, const struct module *m, const char *text, struct err *err)
{
    struct parser p = {.f = f, .module = m, .at = text, .line = 1, .err = err};
    bool read = parse_head(&p) && reserve_numbers(&p) && parse_blocks(&p) && check_order(&p);

    vec_done(&p.args);
    vec_done(&p.successors);
    vec_done(&p.table);
    vec_done(&p.numbers);
    vec_done(&p.newest);
    if (!read)
        return -EINVAL;
    return ir_check(f, err);
}
