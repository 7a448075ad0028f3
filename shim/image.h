/* Wasm modules that are layers of an image by themselves. containerd does not unpack them and tells the shim nothing: they
 * are found in its content store, by name of the image. Blocking: for workers only. */
#ifndef WHERRY_SHIM_IMAGE_H
#define WHERRY_SHIM_IMAGE_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct image_request {
    const char *address, *namespace; /* containerd's gRPC socket */
    const char *container;           /* its id, by which containerd knows the image ... */
    const char *image;               /* ... unless its name is known; NULL */
    const char *entry;               /* process.args[0]: chooses among several modules by their title */
    bool by_title;                   /* an only module, too, is meant only by its title: there are other programs */
};

enum { IMAGE_DIGEST_BYTES = 32 };

/* Opens the module of the image. DIGEST is the one that the image names it by; whether the bytes have it is for the cache of
 * compiled code to find out, which need not look at them each time. *FD is -1 if the image has no Wasm layer. Returns 0 or a negative errno with *E. */
int image_open_module(const struct image_request *request, int *fd, uint8_t digest[IMAGE_DIGEST_BYTES], struct err *e);

/* A layer of this media type is a Wasm module or component. */
bool image_is_wasm_layer(const char *media_type);

#endif
