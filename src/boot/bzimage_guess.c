/*
 * bzimage_guess.c: says what a file that was given as a kernel looks like, so that the message can name the
 * mend. What is accepted instead is said by whoever makes the message.
 */
#include "boot/bzimage.h"

struct signature {
    const char *bytes;
    uint8_t offset, len;
    const char *looks;
};

#define SIG(at, s, text)           \
    {                              \
        s, at, sizeof(s) - 1, text \
    }

static const struct signature signatures[] = {
    SIG(0, "\177ELF", "it is an ELF file with neither a multiboot header nor a PVH entry"),
    SIG(0, "\x1f\x8b", "it is gzip data: give the bzImage as built; an initrd goes to --initrd"),
    SIG(0,
        "\xfd"
        "7zXZ",
        "it is xz data: give the bzImage as built; an initrd goes to --initrd"),
    SIG(0, "\x28\xb5\x2f\xfd", "it is zstd data: give the bzImage as built; an initrd goes to --initrd"),
    SIG(0, "BZh", "it is bzip2 data: give the bzImage as built; an initrd goes to --initrd"),
    SIG(0, "\x02\x21\x4c\x18", "it is lz4 data: give the bzImage as built; an initrd goes to --initrd"),
    SIG(0, "07070", "it is a cpio archive, an initrd: give it with --initrd and a bzImage with --kernel"),
    SIG(0, "QFI\xfb", "it is a qcow2 disk image: give the Linux bzImage (vmlinuz) that is inside it"),
    SIG(0, "!<arch>\n", "it is an ar archive (a Debian package?): unpack it and give boot/vmlinuz-*"),
    SIG(0, "MZ", "it is an EFI program (PE) without a Linux setup header"),
    SIG(0, "#!", "it is a script"),
    SIG(56, "ARM\x64", "it is a kernel for arm64: give one for x86-64 (amd64)"),
};

static bool is_text(const uint8_t *data, uint64_t size)
{
    for (uint64_t i = 0; i < MIN(size, 512); i++)
        if (!(data[i] >= ' ' && data[i] != 0x7f) && !(data[i] >= '\t' && data[i] <= '\r'))
            return false;
    return size > 0;
}

const char *bzimage_guess(const uint8_t *data, uint64_t size)
{
    for (unsigned i = 0; i < ARRAY_LEN(signatures); i++) {
        const struct signature *s = &signatures[i];
        if (range_within(s->offset, s->len, size) && memcmp(data + s->offset, s->bytes, s->len) == 0)
            return s->looks;
    }
    if (is_text(data, size))
        return "it is text";
    if (size >= 512 && data[510] == 0x55 && data[511] == 0xaa)
        return "it begins with a boot sector but has no Linux setup header (a disk image?)";
    return "it has no header of any kernel";
}
