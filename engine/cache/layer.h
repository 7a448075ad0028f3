/* On an overlay, the file of the layer that a descriptor really shows.
 *
 * An overlay's own device and inode numbers change with every mount and are used again; the layer's file keeps its
 * own for as long as the image is on the node. */
#ifndef WHERRY_ENGINE_CACHE_LAYER_H
#define WHERRY_ENGINE_CACHE_LAYER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Finds the file of a layer behind FD, which lies on an overlay and has the state FILE, from the mounts that process
 * MOUNTS_OF sees (0: the caller). Returns whether it was found beyond doubt; *LAYER_FILE is then its state, *MAGIC the
 * type of the file system it lies on (as statfs says it). */
bool layer_find(int fd, const struct stat *file, pid_t mounts_of, struct stat *layer_file, long *magic);

/* The part of the above that needs no mounts: the layers of an overlay whose line in mountinfo has these OPTIONS (the
 * last field), the upper one first, looked through for PATH (below the overlay's root, without a leading slash). */
bool layer_search(const char *options, const char *path, const struct stat *file, struct stat *layer_file, long *magic);

#endif
