/* ttrpc framing as pure functions over bytes; no descriptors, no state.
 *
 * A frame is a header of ten bytes (u32 big-endian length, u32 big-endian stream, u8 type, u8 flags) and a payload of at
 * most 4 MiB. Only unary calls are used here: a request is one frame with a serialized Request, a response one with a
 * Response. Protocol: PROTOCOL.md of the ttrpc project. */
#ifndef WHERRY_SHIM_TTRPC_H
#define WHERRY_SHIM_TTRPC_H

#include "shim/bytes.h"
#include "shim/rpc.pb-c.h"

enum { TTRPC_HEADER_BYTES = 10, TTRPC_PAYLOAD_MAX = 4 << 20 };

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

/* The codes of google.rpc.Code that we give or act on. */
enum ttrpc_code {
    TTRPC_OK = 0,
    TTRPC_UNKNOWN = 2,
    TTRPC_INVALID_ARGUMENT = 3,
    TTRPC_NOT_FOUND = 5,
    TTRPC_ALREADY_EXISTS = 6,
    TTRPC_PERMISSION_DENIED = 7,
    TTRPC_RESOURCE_EXHAUSTED = 8,
    TTRPC_FAILED_PRECONDITION = 9,
    TTRPC_UNIMPLEMENTED = 12,
    TTRPC_UNAVAILABLE = 14
};

enum ttrpc_result {
    TTRPC_FRAME,     /* a whole frame */
    TTRPC_MORE,      /* not all of it is there yet */
    TTRPC_TOO_LARGE, /* the header announces more than the protocol allows; only the header is filled in */
};

struct ttrpc_frame {
    uint32_t len, stream;
    uint8_t type, flags;
    const uint8_t *payload; /* LEN bytes inside the parsed buffer */
};

/* Looks at the frame that begins at DATA. On TTRPC_FRAME it takes TTRPC_HEADER_BYTES + out->len bytes. */
enum ttrpc_result ttrpc_parse(const uint8_t *data, size_t len, struct ttrpc_frame *out);

/* Append a frame to OUT: false when memory is short or the message exceeds TTRPC_PAYLOAD_MAX; OUT is then untouched.
 * REQUEST asks for METHOD of SERVICE with serialized ARGUMENTS; a response carries MESSAGE (NULL: an empty one) or, with
 * a CODE other than TTRPC_OK, that and TEXT. */
bool ttrpc_put_request(struct bytes *out, uint32_t stream, const char *service, const char *method,
                       const ProtobufCMessage *arguments);
bool ttrpc_put_response(struct bytes *out, uint32_t stream, const ProtobufCMessage *message);
bool ttrpc_put_failure(struct bytes *out, uint32_t stream, enum ttrpc_code code, const char *text);

/* Serializes MESSAGE into *OUT (data from malloc). Returns false when memory is short. */
bool ttrpc_pack(const ProtobufCMessage *message, ProtobufCBinaryData *out);

#endif
