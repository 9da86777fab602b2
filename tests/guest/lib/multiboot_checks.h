/*
 * multiboot_checks.h: what every multiboot image checks: registers, memory information, command line, two
 * modules. images.json gives the command line "one \"two three\"" and the modules "first a b" and "second".
 */
#ifndef GUEST_MULTIBOOT_CHECKS_H
#define GUEST_MULTIBOOT_CHECKS_H

#include "multiboot.h"

static const char *at_text(uint32_t address)
{
    return (const char *)(uint64_t)address;
}

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = length(s), e = length(end);
    return n >= e && !memcmp(s + n - e, end, e + 1);
}

static void check_registers(void)
{
    const struct entry_32_state *s = &loader_state;
    CHECK_EQ(s->eax, MULTIBOOT_EAX);
    CHECK_EQ(s->cr0 & (uint32_t)(CR0_PE | CR0_PG), CR0_PE);
    CHECK_EQ(s->eflags & (FLAG_IF | FLAG_VM), 0);
}

static void check_memory(const struct multiboot_info *m)
{
    extern const char image_start[], memory_end[];
    bool image_in_ram = false;
    uint64_t end = 0, at = m->mmap_addr, upper = 0;

    CHECK_EQ(m->flags & 0x41, 0x41); /* mem_lower and mem_upper; mmap */
    CHECK(m->mem_lower >= 600 && m->mem_lower <= 640);
    while (at < m->mmap_addr + m->mmap_length) {
        const struct multiboot_mmap *r = (const struct multiboot_mmap *)at;
        CHECK(r->size >= 20);
        CHECK(r->len != 0);
        CHECK(r->addr >= end);
        end = r->addr + r->len;
        if (r->type == E820_RAM && r->addr <= (uint64_t)image_start && end >= (uint64_t)memory_end) {
            image_in_ram = true;
            upper = (end - 0x100000) >> 10;
        }
        at += r->size + 4;
    }
    CHECK_EQ(at, m->mmap_addr + m->mmap_length);
    CHECK(image_in_ram);
    CHECK(m->mem_upper <= upper && m->mem_upper > 120 * 1024);
}

static void check_module(const struct multiboot_module *m, const char *text, const char *words)
{
    extern const char memory_end[];
    CHECK_EQ(m->start & (PAGE - 1), 0);
    CHECK(m->start >= (uint64_t)memory_end);
    CHECK_EQ(m->end - m->start, length(text));
    CHECK(!memcmp(at_text(m->start), text, length(text)));
    CHECK(ends_with(at_text(m->string), words));
}

static void check_multiboot(void)
{
    const struct multiboot_info *m = (const struct multiboot_info *)(uint64_t)loader_state.ebx;
    check_registers();
    check_memory(m);

    /* The kernel's name comes first. */
    CHECK(m->flags & 4);
    CHECK(ends_with(at_text(m->cmdline), " one \"two three\""));

    CHECK(m->flags & 8);
    CHECK_EQ(m->mods_count, 2);
    const struct multiboot_module *mods = (const struct multiboot_module *)(uint64_t)m->mods_addr;
    check_module(&mods[0], "the first module", "first a b");
    check_module(&mods[1], "second", "/second");
    CHECK(mods[0].end <= mods[1].start);

    CHECK(m->flags & 0x200);
    CHECK(length(at_text(m->boot_loader_name)) > 0);
}

#endif
