/* See ttrpc.h. */
#include "shim/ttrpc.h"

static uint32_t read_u32be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_u32be(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

enum ttrpc_result ttrpc_parse(const uint8_t *data, size_t len, struct ttrpc_frame *out)
{
    if (len < TTRPC_HEADER_BYTES)
        return TTRPC_MORE;
    *out = (struct ttrpc_frame){
        .len = read_u32be(data), .stream = read_u32be(data + 4), .type = data[8], .flags = data[9]};
    if (out->len > TTRPC_PAYLOAD_MAX)
        return TTRPC_TOO_LARGE;
    if (len - TTRPC_HEADER_BYTES < out->len)
        return TTRPC_MORE;
    out->payload = data + TTRPC_HEADER_BYTES;
    return TTRPC_FRAME;
}

static bool put_frame(struct bytes *out, enum ttrpc_type type, uint32_t stream, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *p;

    if (len > TTRPC_PAYLOAD_MAX || !bytes_reserve(out, TTRPC_HEADER_BYTES + len))
        return false;
    p = out->data + out->len;
    write_u32be(p, (uint32_t)len);
    write_u32be(p + 4, stream);
    p[8] = type;
    p[9] = 0; /* a unary call needs no flags, and containerd 1.6 knows none */
    protobuf_c_message_pack(message, p + TTRPC_HEADER_BYTES);
    out->len += TTRPC_HEADER_BYTES + len;
    return true;
}

bool ttrpc_pack(const ProtobufCMessage *message, ProtobufCBinaryData *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = malloc(len != 0 ? len : 1);

    if (data == NULL)
        return false;
    protobuf_c_message_pack(message, data);
    *out = (ProtobufCBinaryData){.len = len, .data = data};
    return true;
}

bool ttrpc_put_request(struct bytes *out, uint32_t stream, const char *service, const char *method,
                       const ProtobufCMessage *arguments)
{
    Rpc__Request request = RPC__REQUEST__INIT;
    bool done;

    request.service = (char *)service;
    request.method = (char *)method;
    if (!ttrpc_pack(arguments, &request.payload))
        return false;
    done = put_frame(out, TTRPC_REQUEST, stream, &request.base);
    free(request.payload.data);
    return done;
}

bool ttrpc_put_response(struct bytes *out, uint32_t stream, const ProtobufCMessage *message)
{
    Rpc__Response response = RPC__RESPONSE__INIT;
    bool done;

    if (message != NULL && !ttrpc_pack(message, &response.payload))
        return false;
    done = put_frame(out, TTRPC_RESPONSE, stream, &response.base);
    free(response.payload.data);
    return done;
}

bool ttrpc_put_failure(struct bytes *out, uint32_t stream, enum ttrpc_code code, const char *text)
{
    Rpc__Response response = RPC__RESPONSE__INIT;
    Rpc__Status status = RPC__STATUS__INIT;

    status.code = (int32_t)code;
    status.message = (char *)text;
    response.status = &status;
    return put_frame(out, TTRPC_RESPONSE, stream, &response.base);
}
