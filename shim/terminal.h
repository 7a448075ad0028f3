/* A container's terminal: the shim owns the master and copies between it and the fifos, the only copying it does. */
#ifndef WHERRY_SHIM_TERMINAL_H
#define WHERRY_SHIM_TERMINAL_H

#include "shim/loop.h"

struct terminal;

/* Copies between MASTER and IN and OUT (either -1: nothing to read, output is thrown away). The three are taken over. All
 * become non-blocking. Returns NULL when memory is short (then all are closed). */
struct terminal *terminal_new(struct loop *loop, int master, int in, int out);

/* Sets the window's size. Returns 0 or a negative errno. */
int terminal_resize(struct terminal *t, unsigned width, unsigned height);

/* The process has ended: takes what can be read now, sends on what the reader takes now, and frees. T may be NULL. */
void terminal_free(struct terminal *t);

#endif
