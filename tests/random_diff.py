#!/usr/bin/env python3
"""Writes an `rbd diff v1` stream of random data to standard output, for `rbd import-diff`: how tests and benchmarks fill images.

usage: random_diff.py IMAGE-BYTES sequential START BYTES | random COUNT BLOCK SEED
"""
import os
import random
import struct
import sys


def extents(kind, size, a, b, seed):
    if kind == "sequential":
        for offset in range(a, a + b, 4 << 20):
            yield offset, min(4 << 20, a + b - offset)
    else:
        for block in sorted(random.Random(seed).sample(range(size // b), a)):
            yield block * b, b


def main():
    size, kind, a, b = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    out = sys.stdout.buffer
    out.write(b"rbd diff v1\n" + b"s" + struct.pack("<Q", size))
    for offset, length in extents(kind, size, a, b, seed):
        out.write(b"w" + struct.pack("<QQ", offset, length) + os.urandom(length))
    out.write(b"e")


main()
