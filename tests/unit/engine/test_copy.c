/* copy_bytes against memmove: every length and distance up to a few vectors, both directions. */
#include "engine/rt/copy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { LONGEST = 600, FARTHEST = 150, SPACE = LONGEST + 2 * FARTHEST };

static void test_against_memmove(void **state)
{
    uint8_t ours[SPACE], theirs[SPACE];

    for (int distance = -FARTHEST; distance <= FARTHEST; distance++) {
        for (size_t len = 0; len <= LONGEST; len++) {
            for (int i = 0; i < SPACE; i++)
                ours[i] = theirs[i] = (uint8_t)(i * 7 + i / 256);
            copy_bytes(ours + FARTHEST + distance, ours + FARTHEST, len);
            memmove(theirs + FARTHEST + distance, theirs + FARTHEST, len);
            if (memcmp(ours, theirs, SPACE) != 0)
                fail_msg("length %zu, distance %d", len, distance);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_memmove)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
