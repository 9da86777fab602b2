#!/usr/bin/env python3
"""vmlinux.py: takes the ELF file out of a Linux bzImage.

usage: vmlinux.py BZIMAGE OUTPUT

The setup header says where the compressed kernel lies (Linux Documentation/arch/x86/boot.rst, payload_offset and
payload_length). What xz and gzip have packed is understood.
"""

import lzma
import struct
import sys
import zlib

SECTOR = 512


class Failure(Exception):
    """A message that names the thing."""


def extract(image):
    """The ELF file's bytes."""
    if image[0x202:0x206] != b"HdrS":
        raise Failure("is no bzImage")
    start = ((image[0x1f1] or 4) + 1) * SECTOR
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset:start + offset + length]
    # The size follows the packed data, so decompressors that stop at its end are needed.
    if payload[:6] == b"\xfd7zXZ\0":
        kernel = lzma.LZMADecompressor().decompress(payload)
    elif payload[:2] == b"\x1f\x8b":
        kernel = zlib.decompressobj(31).decompress(payload)
    else:
        raise Failure("is packed by neither xz nor gzip")
    if kernel[:4] != b"\x7fELF":
        raise Failure("holds no ELF file")
    return kernel


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        with open(sys.argv[1], "rb") as f:
            kernel = extract(f.read())
        with open(sys.argv[2], "wb") as f:
            f.write(kernel)
    except Failure as e:
        print("vmlinux.py: %s %s" % (sys.argv[1], e), file=sys.stderr)
        return 1
    except OSError as e:
        print("vmlinux.py: %s: %s" % (e.filename, e.strerror), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
