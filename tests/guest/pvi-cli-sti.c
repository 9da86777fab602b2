/*
 * pvi-cli-sti.c: with CR4.PVI, CLI and STI at CPL 3 work on VIF; STI with VIP is #GP; PUSHF and POPF are not
 * changed.
 *
 * SDM 3B 20.4, 2A "CLI" table 3-7, 2B "STI"; APM 2 8.9.
 */
#include "frame32.h"

extern const char cli_at[], sti_at[], pops[];
asm(TEXT_BEGIN
    "cli_at: cli\n int $0x81\n sti_at: sti\n int $0x81\n"
    "pops: pushl $0x0\n popf\n pushf\n pop %eax\n int $0x81\n");

static struct trap go(const char *at, uint32_t flags)
{
    struct regs r = regs_user(at);
    r.eflags |= flags;
    return run(&r);
}

int main(void)
{
    CHECK_END(go(cli_at, FLAG_IF), GP, 0, cli_at);
    CHECK_END(go(sti_at, 0), GP, 0, sti_at);
    if (!cpu_has_vme())
        exit_skip("no VME in CPUID");
    write_cr4(read_cr4() | CR4_PVI);
    struct trap t = go(cli_at, FLAG_IF | FLAG_VIF);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eflags & (FLAG_IF | FLAG_VIF), FLAG_IF);
    t = go(sti_at, 0);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eflags & (FLAG_IF | FLAG_VIF), FLAG_VIF);
    CHECK_END(go(sti_at, FLAG_VIP), GP, 0, sti_at);
    t = go(pops, FLAG_IF | FLAG_VIF);
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eax & FLAG_IF, FLAG_IF); /* POPF below IOPL leaves IF */
    CHECK_EQ(t.regs.eflags & FLAG_VIF, FLAG_VIF);
    /* IOPL 3: the true flag. */
    t = go(cli_at, FLAG_IF | FLAG_VIF | FLAG_IOPL(3));
    CHECK_RETURN(t);
    CHECK_EQ(t.regs.eflags & (FLAG_IF | FLAG_VIF), FLAG_VIF);
    return 0;
}
