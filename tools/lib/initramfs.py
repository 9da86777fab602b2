#!/usr/bin/env python3
"""initramfs.py: writes our initramfs: busybox, an /init, a demonstration, the modules of the power button.

usage: initramfs.py [--add SOURCE:NAME]... OUTPUT [MODULE.ko]...

    --add SOURCE:NAME   a file of the host, with its permissions; NAME is its path in the guest, its folder is made

The archive is cpio's "newc" form (Linux Documentation/driver-api/early-userspace/buffer-format.rst), not compressed, since a
guest would spend more time on that than on reading it. The same input gives the same bytes. OUTPUT appears by a
rename.
"""

import os
import stat
import struct
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
BUSYBOX = "/bin/busybox"
FOLDERS = ("bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "proc", "root", "sys", "tmp")
# Busybox's acpid runs this for the power button (its own action table names the file).
POWER_BUTTON = b"#!/bin/busybox sh\nexec poweroff -f\n"
INITTAB = b"::once:/etc/console\n"

S_IFREG, S_IFDIR, S_IFCHR = 0o100000, 0o040000, 0o020000
PT_INTERP = 3


class Archive:
    def __init__(self):
        self.out = bytearray()
        self.count = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.count += 1
        encoded = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0)
        self.out += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self._pad()
        self.out += data
        self._pad()

    def _pad(self):
        self.out += bytes(-len(self.out) % 4)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.out)


class NotStatic(Exception):
    """The host's busybox is the one with shared libraries."""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def busybox():
    """The program, which must not ask for an interpreter (ELF-64 program header PT_INTERP)."""
    data = read(BUSYBOX)
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    if any(struct.unpack_from("<I", data, offset + i * size) == (PT_INTERP,) for i in range(count)):
        raise NotStatic
    return data


def build(modules, program=None, added=()):
    """The archive; `program` is a busybox other than the host's, `added` are pairs of a file and its path in the guest,
    without a leading slash."""
    a = Archive()
    folders = list(FOLDERS)
    for _, name in added:
        parts = name.split("/")[:-1]
        folders += ["/".join(parts[:n + 1]) for n in range(len(parts))]
    for folder in dict.fromkeys(folders):
        a.add(folder, S_IFDIR | 0o755)
    # The kernel opens it for /init before anything is mounted.
    a.add("dev/console", S_IFCHR | 0o600, device=(5, 1))
    a.add("dev/null", S_IFCHR | 0o666, device=(1, 3))
    a.add("bin/busybox", S_IFREG | 0o755, program or busybox())
    for name in ("init", "demo"):
        a.add(name, S_IFREG | 0o755, read(os.path.join(HERE, "guest", name)))
    a.add("etc/console", S_IFREG | 0o755, read(os.path.join(HERE, "guest", "console")))
    a.add("etc/inittab", S_IFREG | 0o644, INITTAB)
    a.add("etc/acpi/PWRF/00000080", S_IFREG | 0o755, POWER_BUTTON)
    for path in sorted(modules):
        a.add("modules/" + os.path.basename(path), S_IFREG | 0o644, read(path))
    for path, name in added:
        a.add(name, S_IFREG | stat.S_IMODE(os.stat(path).st_mode), read(path))
    return a.finish()


def write(output, modules, program=None, added=()):
    data = build(modules, program, added)
    tmp = "%s.%d.tmp" % (output, os.getpid())
    try:
        with open(tmp, "wb") as f:
            f.write(data)
        os.rename(tmp, output)
    except BaseException:
        try:
            os.unlink(tmp)
        except FileNotFoundError:
            pass
        raise


def main():
    arguments, added = sys.argv[1:], []
    while len(arguments) > 1 and arguments[0] == "--add":
        path, _, name = arguments[1].rpartition(":")
        if not path or not name.strip("/"):
            break
        added.append((path, name.strip("/")))
        del arguments[:2]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        write(arguments[0], arguments[1:], added=added)
    except OSError as e:
        mend = "; install busybox-static" if e.filename == BUSYBOX else ""
        print("initramfs.py: %s: %s%s" % (e.filename or arguments[0], e.strerror, mend), file=sys.stderr)
        return 1
    except NotStatic:
        print("initramfs.py: %s needs libraries that the guest has not: install busybox-static" % BUSYBOX, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
