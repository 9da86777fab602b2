/*
 * poweroff-acpi.c: SLP_TYP of \_S5 and SLP_EN in PM1a_CNT, both found from the tables, switch the machine
 * off.
 *
 * ACPI 6.4, 4.8.3.2.1 (PM1 control), 7.4.2 (\_S5), 5.2.9 (FADT). Expected end: poweroff. It is how every
 * guest ends.
 */
#include "frame.h"

#define SCI_EN     BIT(0)
#define SLP_EN     BIT(13)
#define SLP_TYP(t) ((uint16_t)((t) << 10))

int main(void)
{
    const struct acpi_fadt *f = acpi_fadt();
    uint16_t port = (uint16_t)f->pm1a_cnt;
    unsigned a, b;

    CHECK(port != 0);
    CHECK(acpi_s5_types(&a, &b));
    if (f->smi_cmd && !(inw(port) & SCI_EN)) {
        outb((uint16_t)f->smi_cmd, f->acpi_enable);
        CHECK(WAIT_FOR(inw(port) & SCI_EN, 10000));
    }
    outw(port, SLP_TYP(a) | SCI_EN); /* without SLP_EN: nothing */
    delay_us(1000);
    print("off\n");
    outw(port, (uint16_t)(SLP_TYP(a) | SLP_EN | SCI_EN));
    delay_us(1000000);
    print("still on\n");
    return 1;
}
