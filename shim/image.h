/* Wasm modules that are layers of an image by themselves. containerd does not unpack them and tells the shim nothing: they
 * are found in its content store, by name of the image. Blocking: for workers only. */
#ifndef WHERRY_SHIM_IMAGE_H
#define WHERRY_SHIM_IMAGE_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

struct image_request {
    const char *address, *namespace; /* containerd's gRPC socket */
    const char *container;           /* its id, by which containerd knows the image ... */
    const char *image;               /* ... unless its name is known; NULL */
    const char *entry;               /* process.args[0]: chooses among several modules by their title */
    bool by_title;                   /* an only module, too, is meant only by its title: there are other programs */
};

/* Opens the module of the image, whose bytes are checked against its digest. *FD is -1 if the image has no Wasm layer.
 * Returns 0 or a negative errno with *E. */
int image_open_module(const struct image_request *request, int *fd, struct err *e);

/* A layer of this media type is a Wasm module or component. */
bool image_is_wasm_layer(const char *media_type);

#endif
