/* Fuzzes the block of grants that crosses the exec into `engine`: what is accepted encodes to the same bytes. */
#include "tests/fuzz/fuzz.h"
#include "wherry/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grant grant;
    struct buf again = {0};
    struct err e = {0};

    if (grant_decode(data, size, &grant, &e) != 0) {
        assert(e.text[0] != 0);
        return 0;
    }
    grant_encode(&grant, &again);
    assert(again.len == size && memcmp(again.data, data, size) == 0);
    buf_done(&again);
    grant_decoded_free(&grant);
    return 0;
}
