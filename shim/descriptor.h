/* Receiving a descriptor through a Unix socket. */
#ifndef WHERRY_SHIM_DESCRIPTOR_H
#define WHERRY_SHIM_DESCRIPTOR_H

/* Takes one message with one descriptor (close-on-exec) from SOCKET, without waiting. Returns it or a negative errno. */
int descriptor_receive(int socket);

#endif
