/*
 * nmi-blocking.c: an NMI comes with IF clear, and while one is handled the next waits for IRET, of which one
 * is kept; an IRET that faults ends the blocking on Intel's processors only.
 *
 * SDM 3A 6.7.1, 6.8.3; APM 2 8.2.3 (#NMI), 8.5.6. NMI handlers are not made to be entered twice.
 */
#include "frame.h"

static volatile unsigned count, depth, deepest;
static volatile uint64_t flags_seen;

static void send_nmi(void)
{
    apic_write(APIC_ICR2, apic_id() << 24);
    apic_write(APIC_ICR, 4u << 8 | BIT(14));
}
static void wait(void)
{
    for (unsigned i = 0; i < 1000; i++)
        cpu_relax();
}

static void nested(struct regs *r)
{
    count++;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    flags_seen = read_flags();
    if (count == 1) {
        send_nmi();
        send_nmi(); /* one is remembered, not two */
        send_nmi();
        wait();
    }
    depth--;
}

/* In the handler: an IRET that faults (its CS is no code), then a look whether NMIs come. */
static volatile unsigned inside, before_iret;
static void faulting(struct regs *r)
{
    count++;
    if (count > 1)
        return;
    send_nmi();
    wait();
    CHECK_EQ(count, 1);
    struct trap t = TRY("pushq $0x10; pushq $0; pushq $2; pushq $0x400; pushq $0; iretq", : : : "memory");
    CHECK_EQ(t.vector, GP);
    before_iret = 1;
    wait();
    inside = count;
}

int main(void)
{
    trap_set_handler(NMI, nested);
    cli();
    send_nmi();
    wait();
    CHECK_EQ(count, 2);
    CHECK_EQ(deepest, 1);
    CHECK_EQ(flags_seen & FLAG_IF, 0);

    count = 0;
    trap_set_handler(NMI, faulting);
    send_nmi();
    wait();
    CHECK_EQ(count, 2);
    CHECK_EQ(before_iret, 1);
    return 0;
}
