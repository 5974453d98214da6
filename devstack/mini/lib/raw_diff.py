"""Writes what differs between two raw images of one size as an `rbd diff v1` stream, in blocks of 4 KiB: raw_diff.py OLD NEW."""
import struct
import sys

BLOCK = 4096


def main(old, new):
    out = sys.stdout.buffer
    with open(old, "rb") as a, open(new, "rb") as b:
        size = b.seek(0, 2)
        b.seek(0)
        out.write(b"rbd diff v1\n" + b"s" + struct.pack("<Q", size))
        for offset in range(0, size, BLOCK):
            x, y = a.read(BLOCK), b.read(BLOCK)
            if x != y:
                out.write(b"w" + struct.pack("<QQ", offset, len(y)) + y)
        out.write(b"e")


main(*sys.argv[1:])
