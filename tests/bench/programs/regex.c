/* PCRE2 without its JIT: expressions over the lines of a log. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pcre2.h"
#include "programs.h"

enum { LINES = 1000 };

static const char *const expressions[] = {"^(\\d+)\\.(\\d+)\\.(\\d+)\\.(\\d+) ",
                                          "(?i)error|warning|fatal",
                                          "\"(GET|PUT) (/[^ \"]*)\" (5\\d\\d)",
                                          "([a-z]+)-\\1",
                                          "(?<=id=)[0-9a-f]{6,}\\b",
                                          "user=(\\w+(?:\\.\\w+)*)@(\\w+\\.)+\\w{2,}"};

static size_t make_log(char *text)
{
    static const char *const level[] = {"info", "Warning", "ERROR", "debug"}, *const method[] = {"GET", "PUT", "POST"};
    size_t at = 0;

    for (int i = 0; i < LINES; i++)
        at += (size_t)sprintf(
            text + at, "%u.%u.%u.%u %s \"%s /v1/%x/list\" %u id=%x user=ann.b%u@host.example.org retry-retry\n",
            (unsigned)(program_random() % 256), (unsigned)(program_random() % 256), (unsigned)(program_random() % 256),
            (unsigned)(program_random() % 256), level[program_random() % 4], method[program_random() % 3],
            (unsigned)program_random(), 200 + 100 * (unsigned)(program_random() % 4), (unsigned)program_random(),
            (unsigned)(program_random() % 100));
    return at;
}

static uint32_t search(const char *expression, const char *text, size_t len, uint32_t sum)
{
    int error;
    PCRE2_SIZE at, start = 0;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &error, &at, NULL);
    pcre2_match_data *match = code != NULL ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;

    if (match == NULL)
        program_fail("pcre2_compile failed");
    while (pcre2_match(code, (PCRE2_SPTR)text, len, start, 0, match, NULL) > 0) {
        const PCRE2_SIZE *found = pcre2_get_ovector_pointer(match);
        sum = program_sum(sum, text + found[0], found[1] - found[0]);
        start = found[1];
    }
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    return sum;
}

int main(int argc, char **argv)
{
    static char text[LINES * 160];
    int n = program_count(argc, argv);
    uint32_t sum = 2166136261u;

    for (int i = 0; i < n; i++) {
        size_t len = make_log(text);
        for (size_t k = 0; k < sizeof expressions / sizeof expressions[0]; k++)
            sum = search(expressions[k], text, len, sum);
    }
    return program_end("regex", n, sum);
}
