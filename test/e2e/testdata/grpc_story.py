"""What gRPC for Python sees of a service: ADDRESS, HOST and CA file are the arguments. Messages are written by hand, so that no
generated code is needed: field 2 of a request is the size of the answer, field 7 holds a status."""
import sys
import time

import grpc

address, host, ca = sys.argv[1:4]
SERVICE = "/grpc.testing.TestService/"


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


def number(n, value):
    return bytes([n << 3]) + varint(value)


with open(ca, "rb") as f:
    credentials = grpc.ssl_channel_credentials(f.read())
channel = grpc.secure_channel(address, credentials, options=[
    ("grpc.ssl_target_name_override", host), ("grpc.default_authority", host),
    ("grpc.max_receive_message_length", 32 << 20), ("grpc.max_send_message_length", 32 << 20)])

# Metadata, both ways.
_, call = channel.unary_unary(SERVICE + "EmptyCall").with_call(b"", timeout=30, metadata=(
    ("x-grpc-test-echo-initial", "one"), ("x-grpc-test-echo-trailing-bin", b"\x00\xff\xab")))
assert ("x-grpc-test-echo-initial", "one") in [tuple(m) for m in call.initial_metadata()], call.initial_metadata()
assert ("x-grpc-test-echo-trailing-bin", b"\x00\xff\xab") in [tuple(m) for m in call.trailing_metadata()], call.trailing_metadata()

# Large messages, many at once.
LARGE = 8 << 20
unary = channel.unary_unary(SERVICE + "UnaryCall")
assert len(unary(number(2, LARGE) + field(3, field(2, bytes(LARGE))), timeout=60)) > LARGE
for f in [unary.future(number(2, 100000), timeout=60) for _ in range(30)]:
    assert len(f.result()) > 100000

# Statuses.
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
try:
    unary(field(7, number(1, 2) + field(2, SPECIAL.encode())), timeout=30)
    raise AssertionError("no status")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.UNKNOWN and e.details() == SPECIAL, (e.code(), e.details())

# Streams: from the client, both ways, and one longer than a request may take.
sizes = [27182, 8, 1828, 45904]
total = channel.stream_unary(SERVICE + "StreamingInputCall")(iter([field(1, field(2, bytes(n))) for n in sizes]), timeout=30)
assert total == number(1, sum(sizes)), total
answers = channel.stream_stream(SERVICE + "FullDuplexCall")(iter([field(2, number(1, n)) for n in sizes]), timeout=30)
assert [len(a) for a in answers] == [len(field(1, field(2, bytes(n)))) for n in sizes]
down = channel.unary_stream(SERVICE + "StreamingOutputCall")
began, n = time.monotonic(), 0
stream = down(field(7, field(2, b"every 50ms")))
for _ in stream:
    n += 1
    if time.monotonic() - began > 12:
        stream.cancel()
        break
assert n > 20, n

# Deadline.
try:
    for _ in down(field(7, field(2, b"every 50ms")), timeout=0.5):
        pass
    raise AssertionError("no end")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED, e.code()
channel.close()
