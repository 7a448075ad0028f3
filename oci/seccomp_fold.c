/* See seccomp_fold.h.
 *
 * For one architecture a filter is a function of the system call's number that changes its value only where the filter compares:
 * at the constants in it. So it is run for each of them, up to its answer or to where it looks at an argument of the call
 * (from there its code is kept). What results are intervals of numbers with one outcome each, which become a balanced tree.
 *
 * Classic BPF jumps forward only, 255 instructions far where it compares. The code is made from its end to its start, so that
 * every target is there before what jumps to it; a label counts the instructions from the end of the filter. */
#include "oci/seccomp_fold.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>

enum { ARCHITECTURES_MAX = 32, FAR = 255, NO_LABEL = 0, OTHER_ARCHITECTURE = 0x00f01d00 /* of no machine */ };

/* What becomes of a call: an answer, or the code at an instruction that looks at its arguments. */
struct outcome {
    bool looks;
    uint32_t value; /* the answer, or the number of the instruction */
};

struct interval {
    uint32_t from; /* the first number; it ends where the next one begins */
    struct outcome outcome;
};

struct fold {
    const struct sock_filter *old;
    uint32_t old_count;
    uint32_t architectures[ARCHITECTURES_MAX]; /* that the filter asks for; the first stands for all others */
    unsigned architecture_count;
    uint32_t *starts; /* of intervals at most, in order */
    uint32_t start_count;
    struct interval *intervals; /* of the architecture at hand */
    uint32_t *labels;           /* by old instruction: where its copy is */
    struct buf reversed;        /* the new filter, last instruction first */
    bool failed;                /* the filter is beyond this */
};

/* --- running the filter --------------------------------------------------------------------------------------------- */

static bool compare(const struct sock_filter *i, uint32_t a)
{
    switch (BPF_OP(i->code)) {
    case BPF_JEQ: return a == i->k;
    case BPF_JGT: return a > i->k;
    default: return a >= i->k;
    }
}

static void note_architecture(struct fold *f, const struct sock_filter *i)
{
    for (unsigned n = 0; n < f->architecture_count; n++)
        if (f->architectures[n] == i->k) {
            f->failed = f->failed || n == 0;
            return;
        }
    if (BPF_OP(i->code) != BPF_JEQ || f->architecture_count == ARCHITECTURES_MAX)
        f->failed = true;
    else
        f->architectures[f->architecture_count++] = i->k;
}

/* Follows the filter for one call until it answers or looks at an argument. */
static struct outcome follow(struct fold *f, uint32_t architecture, uint32_t number)
{
    uint32_t a = 0;
    bool is_architecture = false;

    for (uint32_t at = 0; at < f->old_count; at++) {
        const struct sock_filter *i = &f->old[at];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            is_architecture = i->k == offsetof(struct seccomp_data, arch);
            if (!is_architecture && i->k != offsetof(struct seccomp_data, nr))
                return (struct outcome){.looks = true, .value = at};
            a = is_architecture ? architecture : number;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
            if (is_architecture)
                note_architecture(f, i);
            at += compare(i, a) ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JA: at += i->k; break;
        case BPF_RET | BPF_K: return (struct outcome){.value = i->k};
        default: f->failed = true; return (struct outcome){0};
        }
    }
    f->failed = true;
    return (struct outcome){0};
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* An outcome can change at a constant of the filter and behind it, nowhere else. */
static void find_starts(struct fold *f)
{
    uint32_t count = 1, kept = 1;

    f->starts[0] = 0;
    for (uint32_t i = 0; i < f->old_count; i++)
        if (BPF_CLASS(f->old[i].code) == BPF_JMP && BPF_OP(f->old[i].code) != BPF_JA) {
            f->starts[count++] = f->old[i].k;
            f->starts[count++] = f->old[i].k + 1; /* 0 behind the last number */
        }
    qsort(f->starts, count, sizeof f->starts[0], by_number);
    for (uint32_t i = 1; i < count; i++)
        if (f->starts[i] != f->starts[kept - 1])
            f->starts[kept++] = f->starts[i];
    f->start_count = kept;
}

static bool same(struct outcome a, struct outcome b)
{
    return a.looks == b.looks && a.value == b.value;
}

/* Returns how many intervals there are. */
static uint32_t find_intervals(struct fold *f, uint32_t architecture)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < f->start_count; i++) {
        struct outcome outcome = follow(f, architecture, f->starts[i]);
        if (count == 0 || !same(f->intervals[count - 1].outcome, outcome))
            f->intervals[count++] = (struct interval){f->starts[i], outcome};
    }
    return count;
}

/* --- writing backwards ---------------------------------------------------------------------------------------------- */

static uint32_t put(struct fold *f, uint16_t code, uint8_t if_true, uint8_t if_false, uint32_t k)
{
    const struct sock_filter insn = {code, if_true, if_false, k};

    buf_put(&f->reversed, &insn, sizeof insn);
    return (uint32_t)(f->reversed.len / sizeof insn);
}

static uint32_t position(const struct fold *f)
{
    return (uint32_t)(f->reversed.len / sizeof(struct sock_filter));
}

static uint32_t put_jump(struct fold *f, uint32_t label)
{
    return put(f, BPF_JMP | BPF_JA, 0, 0, position(f) - label);
}

/* LABEL, or that of a jump to it if it is out of reach of a comparison that is to come soon. */
static uint32_t in_reach(struct fold *f, uint32_t label)
{
    return position(f) - label >= FAR ? put_jump(f, label) : label;
}

static uint32_t put_compare(struct fold *f, uint16_t code, uint32_t k, uint32_t if_true, uint32_t if_false)
{
    if (if_true == if_false)
        return if_true;
    if_true = in_reach(f, if_true);
    if_false = in_reach(f, if_false);
    return put(f, code, (uint8_t)(position(f) - if_true), (uint8_t)(position(f) - if_false), k);
}

/* The nearest such answer, or a new one if that is too far. */
static uint32_t put_answer(struct fold *f, uint32_t answer)
{
    const struct sock_filter *code = (const struct sock_filter *)f->reversed.data;
    uint32_t here = position(f);

    for (uint32_t label = here; label > 0 && here - label < FAR / 2; label--)
        if (code[label - 1].code == (BPF_RET | BPF_K) && code[label - 1].k == answer)
            return label;
    return put(f, BPF_RET | BPF_K, 0, 0, answer);
}

/* --- the code behind a look at an argument --------------------------------------------------------------------------- */

/* Marks in `labels` what can be reached from AT; instructions are looked at in order, since all jumps go forward. */
static void mark_reached(struct fold *f)
{
    for (uint32_t at = 0; at < f->old_count; at++) {
        const struct sock_filter *i = &f->old[at];
        bool jumps = BPF_CLASS(i->code) == BPF_JMP, always = jumps && BPF_OP(i->code) == BPF_JA;
        uint32_t next = at + 1 + (always ? i->k : jumps ? i->jt : 0), other = at + 1 + (jumps && !always ? i->jf : 0);
        if (f->labels[at] == NO_LABEL || BPF_CLASS(i->code) == BPF_RET)
            continue;
        if (next >= f->old_count || other >= f->old_count) {
            f->failed = true;
            return;
        }
        f->labels[next] = 1;
        if (!always)
            f->labels[other] = 1;
    }
}

static void copy_reached(struct fold *f)
{
    for (uint32_t at = f->old_count; at-- > 0;) {
        const struct sock_filter *i = &f->old[at];
        if (f->labels[at] == NO_LABEL)
            continue;
        if (BPF_CLASS(i->code) == BPF_RET && BPF_RVAL(i->code) == BPF_K)
            f->labels[at] = put_answer(f, i->k);
        else if (BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) == BPF_JA)
            f->labels[at] = f->labels[at + 1 + i->k];
        else if (BPF_CLASS(i->code) == BPF_JMP)
            f->labels[at] = put_compare(f, i->code, i->k, f->labels[at + 1 + i->jt], f->labels[at + 1 + i->jf]);
        else {
            if (BPF_CLASS(i->code) != BPF_RET && f->labels[at + 1] != position(f))
                put_jump(f, f->labels[at + 1]);
            f->labels[at] = put(f, i->code, i->jt, i->jf, i->k);
        }
    }
}

/* --- the tree --------------------------------------------------------------------------------------------------------- */

static uint32_t put_outcome(struct fold *f, struct outcome outcome)
{
    return outcome.looks ? f->labels[outcome.value] : put_answer(f, outcome.value);
}

/* The intervals FIRST to LAST. */
static uint32_t put_tree(struct fold *f, uint32_t first, uint32_t last)
{
    const struct interval *i = f->intervals;
    uint32_t middle = first + (last - first + 1) / 2, high, low;

    if (first == last)
        return put_outcome(f, i[first].outcome);
    if (last - first == 2 && i[last].from - i[middle].from == 1 && same(i[first].outcome, i[last].outcome)) {
        high = put_outcome(f, i[middle].outcome); /* one number among others */
        low = put_outcome(f, i[first].outcome);
        return put_compare(f, BPF_JMP | BPF_JEQ | BPF_K, i[middle].from, high, low);
    }
    high = put_tree(f, middle, last);
    low = put_tree(f, first, middle - 1);
    return put_compare(f, BPF_JMP | BPF_JGE | BPF_K, i[middle].from, high, low);
}

/* All numbers of an architecture: the code that loads the number and finds its interval. */
static uint32_t put_architecture(struct fold *f, uint32_t architecture)
{
    uint32_t count = find_intervals(f, architecture), label = put_tree(f, 0, count - 1);

    if (count == 1)
        return label;
    if (label != position(f))
        put_jump(f, label);
    return put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
}

static void put_all(struct fold *f)
{
    uint32_t labels[ARCHITECTURES_MAX] = {0}, label;

    copy_reached(f);
    for (unsigned i = f->architecture_count; i-- > 0;)
        labels[i] = put_architecture(f, f->architectures[i]);
    label = labels[0];
    for (unsigned i = f->architecture_count; i-- > 1;)
        label = put_compare(f, BPF_JMP | BPF_JEQ | BPF_K, f->architectures[i], labels[i], label);
    if (label != position(f))
        put_jump(f, label);
    put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
}

/* Which architectures the filter asks for, and which of its instructions look at arguments: any call may show another. */
static void explore(struct fold *f)
{
    f->architectures[f->architecture_count++] = OTHER_ARCHITECTURE;
    for (unsigned a = 0; a < f->architecture_count; a++)
        for (uint32_t i = 0; i < f->start_count && !f->failed; i++) {
            struct outcome outcome = follow(f, f->architectures[a], f->starts[i]);
            if (outcome.looks)
                f->labels[outcome.value] = 1;
        }
    if (!f->failed)
        mark_reached(f);
}

bool seccomp_fold(const struct buf *filter, struct buf *out)
{
    struct arena arena = {0};
    struct fold f = {.old = (const struct sock_filter *)filter->data,
                     .old_count = (uint32_t)(filter->len / sizeof f.old[0])};
    const struct sock_filter *code;

    f.starts = arena_array(&arena, uint32_t, 2 * (size_t)f.old_count + 1);
    f.intervals = arena_array(&arena, struct interval, 2 * (size_t)f.old_count + 1);
    f.labels = arena_array(&arena, uint32_t, (size_t)f.old_count + 1);
    find_starts(&f);
    explore(&f);
    if (!f.failed)
        put_all(&f);
    code = (const struct sock_filter *)f.reversed.data;
    for (uint32_t i = f.failed ? 0 : position(&f); i > 0; i--)
        buf_put(out, &code[i - 1], sizeof code[0]);
    buf_done(&f.reversed);
    arena_free(&arena);
    return !f.failed;
}
