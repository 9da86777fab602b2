/*
 * acts.c: a guest that does what its command line says, so that a test can have every end that a machine can
 * come to.
 *
 *   poweroff        switches the machine off
 *   debug-exit=N    writes N to port 0xf4, as a byte where it is one
 *   triple-fault    shuts the processor down; says "again" and powers off when it is started a second time
 *   reset           resets the machine; likewise
 *   halt, spin      says "ready" and waits for ever, in HLT with interrupts off or in a loop
 *   button          says "ready" and waits for the power button, then powers off
 *   echo            says "ready" and answers every byte on the serial port with its value, "<41>"; "q" powers
 * off flood           says "ready", writes 4096 lines of 63 digits and powers off
 *
 * Built on the frame of tests/guest (docs/guest-images.md).
 */
#include "frame.h"

#define STARTS      0x7a /* a byte of CMOS memory: it outlives a reset, and is 0 at first */
#define COM1        0x3f8
#define LSR_DR      BIT(0)
#define PM1_PWRBTN  BIT(8)
#define SLP_EN      BIT(13)
#define SLP_TYP(t)  ((uint16_t)((t) << 10))
#define FLOOD_LINES 4096

static void power_off(void)
{
    unsigned a, b;
    CHECK(acpi_s5_types(&a, &b));
    outw((uint16_t)acpi_fadt()->pm1a_cnt, (uint16_t)(SLP_TYP(a) | SLP_EN));
    for (;;)
        asm volatile("pause");
}

/* The argument of an act that the command line names, NULL: another act. */
static const char *act(const char *name)
{
    const char *line = boot_cmdline();
    while (*name && *line == *name) {
        line++;
        name++;
    }
    return *name ? NULL : line;
}

static uint32_t number(const char *s)
{
    uint32_t n = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint32_t)(*s - '0');
    return n;
}

static char next_byte(void)
{
    while (!(inb(COM1 + 5) & LSR_DR))
        cpu_relax();
    return (char)inb(COM1);
}

static void second_start_ends(void)
{
    if (cmos_read(STARTS) == 0) {
        cmos_write(STARTS, 1);
        return;
    }
    print("again\n");
    power_off();
}

static void echo(void)
{
    for (;;) {
        char c = next_byte();
        print("<%02x>", (unsigned)(uint8_t)c);
        if (c == 'q')
            power_off();
    }
}

static void flood(void)
{
    for (unsigned i = 0; i < FLOOD_LINES; i++)
        print("%063u\n", i);
    power_off();
}

int main(void)
{
    const char *argument;
    if (act("poweroff"))
        power_off();
    if ((argument = act("debug-exit="))) {
        uint32_t n = number(argument);
        if (n < 256)
            outb(0xf4, (uint8_t)n);
        else
            outl(0xf4, n);
    }
    if (act("triple-fault")) {
        second_start_ends();
        idt_load(0, 0);
        asm volatile("ud2");
    }
    if (act("reset")) {
        second_start_ends();
        outb(0xcf9, 2);
        outb(0xcf9, 6);
    }
    print("ready\n");
    if (act("button")) {
        while (!(inw((uint16_t)acpi_fadt()->pm1a_evt) & PM1_PWRBTN))
            cpu_relax();
        power_off();
    }
    if (act("echo"))
        echo();
    if (act("flood"))
        flood();
    if (act("spin"))
        for (;;)
            cpu_relax();
    for (;;)
        asm volatile("cli; hlt");
}
