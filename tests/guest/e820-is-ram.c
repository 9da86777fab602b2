/*
 * e820-is-ram.c: what E820 calls RAM is memory, all of what was asked for, each page its own.
 *
 * ACPI 6.4, 15 ("System Address Map Interfaces"). A page that is announced and not there, or there twice, is
 * found by a kernel hours later.
 */
#include "frame.h"

extern const char image_start[], memory_end[];

int main(void)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < e820_count(); i++) {
        const struct e820_entry *r = e820_get(i);
        if (r->type == E820_RAM)
            total += r->size;
    }
    CHECK(total <= 128 << 20);
    CHECK(total >= 126 << 20); /* less tables and the hole below 1 MiB */
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < e820_count(); i++) {
            const struct e820_entry *r = e820_get(i);
            uint64_t end = r->start + r->size;
            if (r->type != E820_RAM)
                continue;
            /* Every 64 KiB and the last word, above the image and low memory, which are in use. */
            for (uint64_t a = r->start; a < end;
                 a = a + 0x10000 >= end && a < end - 8 ? end - 8 : a + 0x10000) {
                if (a < (uint64_t)memory_end)
                    continue;
                if (!pass)
                    write8(a & ~7ull, a * 0x9e3779b97f4a7c15);
                else
                    CHECK_EQ(read8(a & ~7ull), a * 0x9e3779b97f4a7c15);
            }
        }
    }
    return 0;
}
