"""Succeeds when a broker lets a user log in: amqp_login.py PORT USER, the password on standard input (AMQP 0-9-1)."""
import socket
import struct
import sys

START, START_OK, TUNE = 10, 11, 30


def long_string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def read_exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the broker closed the connection, which is how it refuses a login")
        data += piece
    return data


def read_method(connection: socket.socket) -> int:
    """The number of the next method, which must be one of the class `connection`."""
    kind, _, size = struct.unpack(">BHI", read_exactly(connection, 7))
    family, method = struct.unpack(">HH", read_exactly(connection, size + 1)[:4])
    if (kind, family) != (1, 10):
        raise ConnectionError(f"unexpected frame {kind}, class {family}")
    return method


def main(port: str, user: str) -> int:
    password = sys.stdin.read().strip()
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(b"AMQP\0\0\x09\x01")
        if read_method(connection) != START:
            return 1
        login = long_string(b"\0" + user.encode() + b"\0" + password.encode())
        arguments = long_string(b"") + b"\x05PLAIN" + login + b"\x05en_US"
        payload = struct.pack(">HH", 10, START_OK) + arguments
        connection.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")
        return 0 if read_method(connection) == TUNE else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as error:
        sys.exit(str(error))
