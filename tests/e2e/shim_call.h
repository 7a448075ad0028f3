/* Calls to a shim for tests: blocking, one at a time on a connection. */
#ifndef WHERRY_TESTS_SHIM_CALL_H
#define WHERRY_TESTS_SHIM_CALL_H

#include "shim/task.pb-c.h"

/* A connection to "unix://PATH", or -1. */
int shim_dial(const char *address);

/* Sends one request and returns its response (rpc__response__free_unpacked); NULL when the connection ended or twenty
 * seconds went by. */
Rpc__Response *shim_exchange(int fd, const char *method, const ProtobufCMessage *request);

#endif
