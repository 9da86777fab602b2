/*
 * boot-protocol-64.c: the state at the 64-bit entry, boot_params and the command line are what the protocol
 * promises.
 *
 * Linux Documentation/arch/x86/boot.rst ("64-bit boot protocol", "The real-mode kernel header"),
 * zero-page.rst. A kernel reads all this before it can print a word.
 */
#include "frame.h"

#define COMMAND_LINE "console=ttyS0 guest.test=\"a b\" last"

static uint64_t header(unsigned offset, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, boot_params_at(offset), size);
    return v;
}

/* The loader's page tables, not the frame's: what is va there? */
static uint64_t loader_translates(uint64_t va)
{
    uint64_t e = entry_state.cr3;
    for (unsigned level = 4; level >= 1; level--) {
        e = ((uint64_t *)(e & PTE_ADDRESS))[va >> (3 + 9 * level) & 511];
        if (!(e & PTE_P))
            return ~va;
        if (level == 1 || (level < 4 && e & PTE_PS)) {
            uint64_t mask = (1ull << (3 + 9 * level)) - 1;
            return (e & PTE_ADDRESS & ~mask) | (va & mask);
        }
    }
    return ~va;
}

int main(void)
{
    const struct entry_state *s = &entry_state;

    CHECK_EQ(s->cs, 0x10); /* __BOOT_CS */
    CHECK_EQ(s->ds, 0x18); /* __BOOT_DS */
    CHECK_EQ(s->es, 0x18);
    CHECK_EQ(s->ss, 0x18);
    CHECK_EQ(s->rflags & FLAG_IF, 0);
    CHECK_EQ(s->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
    CHECK_EQ(s->cr4 & CR4_PAE, CR4_PAE);
    CHECK_EQ(s->efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    CHECK(s->gdt_limit >= 0x1f);
    const uint64_t *loader_gdt = (const uint64_t *)s->gdt_base;
    CHECK_EQ(loader_gdt[2] & ~BIT(40) & 0x00ef9a000000ffff,
             0x00af9a000000ffff & 0x00ef9a000000ffff); /* 64-bit, 4G */
    CHECK_EQ(loader_gdt[3] & ~BIT(40) & 0x00cf92000000ffff, 0x00cf92000000ffff);

    /* Identity: the kernel, boot_params and the command line at least. */
    extern const char image_start[], memory_end[];
    for (uint64_t a = (uint64_t)image_start; a < (uint64_t)memory_end; a += PAGE)
        CHECK_EQ(loader_translates(a), a);
    CHECK_EQ(loader_translates(s->boot_params), s->boot_params);
    CHECK_EQ(loader_translates((uint64_t)boot_cmdline()), (uint64_t)boot_cmdline());

    /* The header was copied from the file (setup.S), with the loader's own fields filled in. */
    CHECK_EQ(header(0x1f1, 1), SETUP_SECTS);
    CHECK_EQ(header(0x1fe, 2), 0xaa55);
    CHECK_EQ(header(0x202, 4), 0x53726448); /* HdrS */
    CHECK_EQ(header(0x206, 2), 0x020f);
    CHECK(header(0x210, 1) != 0); /* type_of_loader */
    CHECK_EQ(header(0x211, 1) & 1, 1);
    CHECK_EQ(header(0x218, 4), 0); /* no initrd */
    CHECK_EQ(header(0x21c, 4), 0);
    CHECK_EQ(header(0x236, 2) & 1, 1);
    CHECK_EQ(header(0x238, 4), 2047);
    CHECK_EQ(header(0x258, 8), IMAGE_BASE);
    CHECK(header(0x260, 4) >= (uint64_t)(memory_end - image_start));
    CHECK_EQ(header(0x1ef, 1), 0); /* sentinel: boot_params were cleared */

    const char *c = boot_cmdline(), *e = COMMAND_LINE;
    for (unsigned i = 0; i < sizeof(COMMAND_LINE); i++)
        CHECK_EQ(c[i], e[i]);

    /* E820: RAM from 0, the image in RAM, entries in order, none empty, none over another. */
    CHECK(e820_count() >= 2 && e820_count() <= 128);
    bool image_in_ram = false;
    for (unsigned i = 0; i < e820_count(); i++) {
        const struct e820_entry *r = e820_get(i);
        CHECK(r->size != 0);
        CHECK(r->type >= 1);
        if (i)
            CHECK(r->start >= r[-1].start + r[-1].size);
        if (r->type == E820_RAM && r->start <= IMAGE_BASE && r->start + r->size >= (uint64_t)memory_end)
            image_in_ram = true;
    }
    CHECK(image_in_ram);
    CHECK_EQ(e820_get(0)->start, 0);
    CHECK_EQ(e820_get(0)->type, E820_RAM);
    return 0;
}
