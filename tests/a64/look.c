/* A function that can be replaced, on the machine itself (gen/target.h, target_patch_look): what an empty slot means, and
 * what a full one does. Prints TAP. */
#include "engine/a64/masm_a64.h"
#include <sys/mman.h>

enum { PAGE = 4096, SLOT = 5 };

typedef int function(void);

/* What the function does when nothing better is there, or the better one: returns VALUE. */
static void put_function(struct masm *m, uint32_t value)
{
    masm_const(m, VT_I32, X0, value);
    a64_rr(enc(m), A64_RET, 0, LR);
}

static int report(int number, const char *name, bool passed)
{
    printf("%sok %d - %s\n", passed ? "" : "not ", number, name);
    return passed ? 0 : 1;
}

int main(void)
{
    uint8_t *slots = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *code = slots + PAGE, *better = slots + 3 * PAGE;
    struct code_object out = {0};
    struct masm m;
    uint32_t entry, stub, plain, distance = (uint32_t)(better - code);
    int failed = 0;

    masm_init(&m, &out, 0, 0);
    for (unsigned i = 0; i < PAGE / 4 + 8; i++) /* so that look and stub are in another page than the code's first */
        a64_word(enc(&m), A64_NOP);
    entry = masm_replaceable(&m);
    put_function(&m, 1);
    stub = a64_offset(enc(&m));
    for (unsigned i = 0; i < TARGET_STUB_BYTES / 4; i++)
        a64_word(enc(&m), A64_UDF);
    plain = a64_offset(enc(&m));
    put_function(&m, 2);
    memcpy(code, m.code.start, a64_offset(enc(&m)));
    memcpy(better, m.code.start + plain, 8);
    target_put_stub(code, stub);
    target_patch_look(code, entry, SLOT * 4 - PAGE, stub);
    __builtin___clear_cache((char *)code, (char *)better + PAGE);
    if (slots == MAP_FAILED || mprotect(code, 3 * PAGE, PROT_READ | PROT_EXEC) != 0)
        return 1;
    printf("TAP version 13\n1..2\n");
    failed += report(1, "an empty slot: the function itself", ((function *)(code + entry))() == 1);
    memcpy(slots + SLOT * 4, &distance, sizeof distance);
    failed += report(2, "a full one: the better function", ((function *)(code + entry))() == 2);
    masm_done(&m);
    return failed != 0;
}
