/* Reading an artifact: identity, checksums, section bounds (format: artifact.h).
 *
 * The digests find damage, not malice: whoever may write the cache may write code anyway. */
#include "engine/gen/artifact.h"
#include "engine/gen/target.h"
#include "wherry/engine.h"
#include <stddef.h>
#include <string.h>

/* Multiply and fold: a start must not spend time on hashing, and damage is not an adversary. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ 0x2545f4914f6cdd1du;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Four words at a time, each in a chain of its own, so that none waits for another's product. */
static uint64_t digest(uint64_t hash, const uint8_t *p, size_t len)
{
    uint64_t a = hash, b = hash + 1, c = hash + 2, d = hash + 3;
    uint8_t last[32] = {0};

    for (size_t left = len; left >= 32; p += 32, left -= 32) {
        a = mix(a, word_at(p));
        b = mix(b, word_at(p + 8));
        c = mix(c, word_at(p + 16));
        d = mix(d, word_at(p + 24));
    }
    memcpy(last, p, len % 32);
    a = mix(a, word_at(last));
    b = mix(b, word_at(last + 8));
    c = mix(c, word_at(last + 16));
    d = mix(d, word_at(last + 24));
    return mix(mix(mix(mix(a, b), c), d), len);
}

uint64_t artifact_body_digest(const void *bytes, uint64_t len)
{
    if (len < ARTIFACT_PAGE_BYTES)
        return 0;
    return digest(len, (const uint8_t *)bytes + ARTIFACT_PAGE_BYTES, len - ARTIFACT_PAGE_BYTES);
}

uint64_t artifact_header_checksum(const struct artifact_header *header)
{
    const uint8_t *page = (const uint8_t *)header;
    uint64_t hash = digest(ARTIFACT_FORMAT, page, offsetof(struct artifact_header, checksum));
    return digest(hash, page + sizeof *header, ARTIFACT_PAGE_BYTES - sizeof *header);
}

static const char *foreign(const struct artifact_header *h, uint64_t file_bytes,
                           const struct artifact_identity *identity)
{
    if (memcmp(h->magic, "wherryAR", 8) != 0 || h->format != ARTIFACT_FORMAT)
        return "is no artifact of this format";
    if (h->checksum != artifact_header_checksum(h) || h->file_bytes != file_bytes)
        return "is damaged or truncated";
    if (h->architecture != target_native_architecture)
        return "was made for another architecture";
    if (strncmp(h->build_id, engine_build_id, sizeof h->build_id) != 0)
        return "was made by another build of the engine";
    if (identity->key == NULL)
        return NULL;
    if (memcmp(h->key, identity->key, sizeof h->key) != 0)
        return "was made from another module";
    if (h->compiler != identity->compiler || h->features != identity->features ||
        h->explicit_bounds_checks != identity->explicit_bounds_checks)
        return "was made with other options";
    return NULL;
}

int artifact_check_header(const struct artifact_header *header, uint64_t file_bytes,
                          const struct artifact_identity *identity, struct err *err)
{
    const char *why = foreign(header, file_bytes, identity);
    if (why == NULL && identity->key != NULL && (header->cpu_features & ~identity->cpu_features) != 0)
        why = "was made for a CPU with more features";
    return why == NULL ? 0 : err_set(err, ESTALE, "the artifact %s", why);
}

#define X(field, type) {offsetof(struct artifact, field), offsetof(struct artifact, field##_count), sizeof(type)},
static const struct {
    uint16_t pointer, count, element_bytes;
} layout[ARTIFACT_SECTION_COUNT] = {ARTIFACT_SECTIONS(X)};
#undef X

int artifact_open(struct artifact *a, const void *bytes, uint64_t len, struct err *err)
{
    const struct artifact_header *h = bytes;

    a->header = h;
    for (unsigned i = 0; i < ARTIFACT_SECTION_COUNT; i++) {
        const struct artifact_section *s = &h->sections[i];
        const void *at;
        uint64_t count = s->size_bytes / layout[i].element_bytes;
        uint64_t align = artifact_section_align(i);
        if (!artifact_range_fits(s->offset, s->size_bytes, len) || s->offset % align != 0 ||
            s->size_bytes % layout[i].element_bytes != 0)
            return err_set(err, ESTALE, "the artifact is damaged: its section %u lies outside the file", i);
        at = (const uint8_t *)bytes + s->offset;
        memcpy((char *)a + layout[i].pointer, &at, sizeof at);
        memcpy((char *)a + layout[i].count, &count, sizeof count);
    }
    if (a->entries_count > a->funcs_count + 1)
        return err_set(err, ESTALE, "the artifact is damaged: it has code for more functions than there are");
    return 0;
}
