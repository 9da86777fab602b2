/*
 * boot-protocol-32.c: the state at the 32-bit entry of a kernel that has no 64-bit one, boot_params, command
 * line and initrd are what the protocol promises.
 *
 * Linux Documentation/arch/x86/boot.rst ("32-bit boot protocol"). 32-bit kernels start this way.
 */
#include "frame.h"

#define COMMAND_LINE "console=ttyS0 last"
#define INITRD       "the initial RAM disk"

/* Not the frame's value: no XLF_KERNEL_64. */
asm(".globl image_xloadflags\n"
    "image_xloadflags = 0");

static uint64_t header(unsigned offset, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, boot_params_at(offset), size);
    return v;
}

int main(void)
{
    const struct entry_32_state *s = &entry_32_state;

    CHECK_EQ(s->cs, 0x10); /* __BOOT_CS */
    CHECK_EQ(s->ds, 0x18); /* __BOOT_DS */
    CHECK_EQ(s->es, 0x18);
    CHECK_EQ(s->ss, 0x18);
    CHECK_EQ(s->eflags & FLAG_IF, 0);
    CHECK_EQ(s->cr0 & (uint32_t)(CR0_PE | CR0_PG), CR0_PE);
    CHECK_EQ(s->ebp | s->edi | s->ebx, 0);
    CHECK_EQ(s->esi, entry_state.boot_params);
    CHECK(s->gdt_limit >= 0x1f);
    const uint64_t *loader_gdt = (const uint64_t *)(uint64_t)s->gdt_base;
    CHECK_EQ(loader_gdt[2] & ~BIT(40), 0x00cf9a000000ffff); /* 32-bit code, 4G */
    CHECK_EQ(loader_gdt[3] & ~BIT(40), 0x00cf92000000ffff);

    CHECK_EQ(header(0x202, 4), 0x53726448); /* HdrS */
    CHECK_EQ(header(0x236, 2) & 1, 0);
    CHECK(header(0x210, 1) != 0); /* type_of_loader */
    CHECK_EQ(header(0x21c, 4), sizeof(INITRD) - 1);
    CHECK(!memcmp((const char *)header(0x218, 4), INITRD, sizeof(INITRD) - 1));
    CHECK(!memcmp(boot_cmdline(), COMMAND_LINE, sizeof(COMMAND_LINE)));
    CHECK(e820_count() >= 2 && e820_count() <= 128);
    CHECK_EQ(e820_get(0)->start, 0);
    CHECK_EQ(e820_get(0)->type, E820_RAM);
    return 0;
}
