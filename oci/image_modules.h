/* The Wasm modules in an image, without running or unpacking anything.
 *
 * An image is an OCI layout (a directory), an archive of one, or one that `docker save` or `podman save` wrote. All are files
 * in files: archives, some of them compressed, down to the modules. So they are told apart by their bytes alone, and no name in
 * them is ever used as a path. */
#ifndef WHERRY_OCI_IMAGE_MODULES_H
#define WHERRY_OCI_IMAGE_MODULES_H

#include "base/err.h"

/* Called for each module: NAME is for people (where it was found), FD a file with its bytes, the caller's. A negative
 * return ends the search and is what image_modules returns. */
typedef int image_module_found(void *context, const char *name, int fd, struct err *e);

/* Finds every core module in PATH: the file itself if it is one, else an image. Returns 0, also if there is none, or a
 * negative errno: -EINVAL damaged, -ENOTSUP a compression that is not there yet. */
int image_modules(const char *path, image_module_found *found, void *context, struct err *e);

#endif
