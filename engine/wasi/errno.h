/* Linux's error numbers in WASI's words. */
#ifndef WHERRY_ENGINE_WASI_ERRNO_H
#define WHERRY_ENGINE_WASI_ERRNO_H

#include "engine/wasi/p1_abi.h"

/* WASI's number for the Linux errno CODE (0 or positive); WASI_IO for one that WASI has no word for. */
enum wasi_errno wasi_errno(int code);

#endif
