"""Publishes a message as Nova does, and waits for the broker's confirm: amqp_publish.py PORT USER EXCHANGE ROUTING-KEY.

The password is in AMQP_PASSWORD, the body on standard input (AMQP 0-9-1, topic exchange, not durable, as oslo.messaging declares it)."""
import os
import socket
import struct
import sys


def short(text):
    return bytes([len(text)]) + text.encode()


def long(data):
    return struct.pack(">I", len(data)) + data


class Channel:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.socket.sendall(b"AMQP\0\0\x09\x01")

    def frame(self, kind, channel, payload):
        self.socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def call(self, channel, family, method, arguments, answer):
        self.frame(1, channel, struct.pack(">HH", family, method) + arguments)
        self.expect(*answer)

    def expect(self, family, method):
        kind, _, size = struct.unpack(">BHI", self.read(7))
        payload = self.read(size + 1)
        got = struct.unpack(">HH", payload[:4]) if kind == 1 else (0, 0)
        if got != (family, method):
            raise ConnectionError(f"the broker answered {got}, not {(family, method)}: {payload[4:200]!r}")

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            data += piece
        return data


def main(port, user, exchange, key):
    body = sys.stdin.buffer.read()
    login = b"\0" + user.encode() + b"\0" + os.environ["AMQP_PASSWORD"].encode()
    link = Channel(int(port))
    link.expect(10, 10)
    link.call(0, 10, 11, long(b"") + short("PLAIN") + long(login) + short("en_US"), (10, 30))
    link.frame(1, 0, struct.pack(">HHHIH", 10, 31, 2047, 131072, 0))
    link.call(0, 10, 40, short("/") + short("") + b"\0", (10, 41))
    link.call(1, 20, 10, short(""), (20, 11))
    link.call(1, 40, 10, b"\0\0" + short(exchange) + short("topic") + b"\0" + long(b""), (40, 11))
    link.call(1, 85, 10, b"\0", (85, 11))
    link.frame(1, 1, struct.pack(">HH", 60, 40) + b"\0\0" + short(exchange) + short(key) + b"\0")
    properties = short("application/json") + short("utf-8") + b"\x02\x00"
    link.frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0xD800) + properties)
    link.frame(3, 1, body)
    link.expect(60, 80)


main(*sys.argv[1:])
