/* The daemon: everything of one shim process tied together. */
#ifndef WHERRY_SHIM_SHIM_H
#define WHERRY_SHIM_SHIM_H

struct shim;

/* Serves containers of NAMESPACE on LISTEN_FD, at ADDRESS, until containerd shuts the shim down; events go to
 * TTRPC_ADDRESS (NULL: nowhere). GRPC_ADDRESS is containerd's own socket. LIBEXEC is the directory of the helper programs
 * ("": none found), PROGRAM the path of this one. Removes the socket at the end. Returns the exit status of the process. */
int shim_serve(int listen_fd, const char *address, const char *namespace, const char *ttrpc_address,
               const char *grpc_address, const char *libexec, const char *program);

/* Ends the daemon once what is still to be said has been said, or after two seconds. */
void shim_shut_down(struct shim *shim);

/* The same, if a shutdown is wanted and the last container is gone; of a pod that ended only once that has been asked for,
 * or when nobody has asked for some seconds. */
void shim_shut_down_if_done(struct shim *shim);

/* The pod has ended: no more containers, and the shutdown is wanted. */
void shim_pod_ended(struct shim *shim);

/* A worker died: its init, if it made one, is a child of ours that nobody announced. It is killed as soon as no other
 * worker is under way whose init it could be. */
void shim_sweep(struct shim *shim);

#endif
