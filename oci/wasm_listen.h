/* Listening sockets for a module: annotation `wherry.wasm.listen`, and what socket activation handed to the runtime
 * (LISTEN_FDS). Preview 1 can accept on a socket and not make one, so they are made for it, in the container's network. */
#ifndef WHERRY_OCI_WASM_LISTEN_H
#define WHERRY_OCI_WASM_LISTEN_H

#include "base/arena.h"
#include "base/err.h"
#include "wherry/grant.h"

/* Reads TEXT, comma-separated `PORT` (on every address), `ADDRESS:PORT` or `[ADDRESS]:PORT`, into SOCKETS, which lives in
 * ARENA; every fd is -1 and the name is the address as written. Returns 0 or -EINVAL. */
int wasm_listen_read(const char *text, struct arena *arena, struct grant_socket **sockets, uint32_t *count,
                     struct err *e);

/* Makes the stream socket that NAME (from wasm_listen_read) stands for, bound and listening. Returns the descriptor or a
 * negative errno. */
int wasm_listen_open(const char *name, struct err *e);

#endif
