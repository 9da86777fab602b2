"""bzimage.py: kernel files for tests: the smallest bzImage that is one, and its damaged and foreign relatives.

Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". The code is one HLT in a loop: enough to be loaded.
"""

import struct

SECTOR = 512
HLT_FOR_EVER = b"\xf4\xeb\xfd"
ENTRY_64 = 0x200


def bzimage(setup_sects=4, syssize=None, boot_flag=0xaa55, jump=0x66, magic=b"HdrS", version=0x20f, loadflags=1,
            initrd_max=0x7fffffff, alignment=0x100000, xloadflags=1, cmdline_size=2047, pref_address=0x100000,
            init_size=0x10000, mz=False):
    """The file's bytes; every argument is the field of that name in the setup header."""
    kernel = bytes(ENTRY_64) + HLT_FOR_EVER
    kernel += bytes(-len(kernel) % 16)
    setup = bytearray((setup_sects + 1) * SECTOR)

    def put(offset, form, value):
        struct.pack_into("<" + form, setup, offset, value)

    if mz:  # an EFI stub makes the file a PE program as well
        setup[0:2] = b"MZ"
    put(0x1f1, "B", setup_sects)
    put(0x1f4, "I", len(kernel) // 16 if syssize is None else syssize)
    put(0x1fe, "H", boot_flag)
    setup[0x200:0x202] = bytes([0xeb, jump])
    setup[0x202:0x206] = magic
    put(0x206, "H", version)
    put(0x211, "B", loadflags)
    put(0x214, "I", 0x100000)
    put(0x22c, "I", initrd_max)
    put(0x230, "I", alignment)
    put(0x236, "H", xloadflags)
    put(0x238, "I", cmdline_size)
    put(0x258, "Q", pref_address)
    put(0x260, "I", init_size)
    return bytes(setup) + kernel


def elf(machine, bits):
    """An ELF header: of vmlinux, or of some program."""
    return struct.pack("<4sBBB9xHHI", b"\x7fELF", 2 if bits == 64 else 1, 1, 1, 2, machine, 1) + bytes(200)


def multiboot(flags):
    """A file that is a multiboot header and nothing else, for 1 MiB."""
    magic, base = 0x1badb002, 0x100000
    return struct.pack("<8I", magic, flags, -(magic + flags) & 0xffffffff, base, base, 0, 0, base) + bytes(480)


def boot_sector():
    """A disk image's first sector."""
    return b"\xfa\x31\xc0" + bytes(507) + b"\x55\xaa" + bytes(SECTOR)
