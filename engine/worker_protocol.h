/* What the compile worker and its launcher agree on. argv is "compile" KEY-IN-HEX OPTIONS MEMORY-BYTES,CPU-SECONDS;
 * the report pipe carries whole messages; success is exit status 0. */
#ifndef WHERRY_ENGINE_WORKER_PROTOCOL_H
#define WHERRY_ENGINE_WORKER_PROTOCOL_H

#include "base/err.h"
#include <stdint.h>

enum { WORKER_MODULE_FD = 3, WORKER_OUT_FD = 4, WORKER_REPORT_FD = 5 };

/* Below PIPE_BUF, so that a write is never torn. */
struct worker_message {
    uint64_t done, total; /* how far it is, while ERR has no code */
    struct err err;
};

#endif
