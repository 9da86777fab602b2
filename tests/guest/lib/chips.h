/*
 * chips.h: the PC's chips by their registers: 8259 pair, 8254, IOAPIC, RTC memory; and time for tests that
 * wait.
 */
#ifndef GUEST_CHIPS_H
#define GUEST_CHIPS_H

#include "cpu.h"

#define PIC_BASE 0x20 /* vector of IRQ 0; IRQ 8 is at 0x28 */
#define PIT_HZ   1193182

/* ICW1-4: edge triggered, cascade on IRQ 2, normal EOI; everything masked. */
void pic_init(void);
/* IRQ 0 to 15; unmasking 8 and more unmasks the cascade as well. */
void pic_mask(unsigned irq, bool masked);
/* Non-specific EOI, to both for IRQ 8 and more. */
void pic_eoi(unsigned irq);
/* IRR and ISR of both, master in the low byte (OCW3). */
uint16_t pic_irr(void);
uint16_t pic_isr(void);

/* Mode 0 to 5, binary, low then high byte; count 0 means 65536. */
void pit_start(unsigned channel, unsigned mode, uint16_t count);
/* Latched count; and by read-back: status byte in *status. */
uint16_t pit_read(unsigned channel);
uint16_t pit_read_back(unsigned channel, uint8_t *status);
/* OUT goes low, and the channel stands still until the next pit_start: mode 0 without a count. */
void pit_stop(unsigned channel);
/* Wait by channel 2 in mode 0, whose output port 0x61 shows. */
void delay_us(unsigned us);
/* Wait until the TSC is there. */
void wait_tsc(uint64_t tsc);
/*
 * Poll until condition holds, at most so many milliseconds of the guest's time. Gives its last value. What
 * must come gets seconds: the host may have something else to do.
 */
#define WAIT_FOR(condition, ms)                                \
    ({                                                         \
        bool holds_ = (condition);                             \
        for (unsigned i_ = 0; !holds_ && i_ < (ms)*10; i_++) { \
            delay_us(100);                                     \
            holds_ = (condition);                              \
        }                                                      \
        holds_;                                                \
    })

uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t v);

/* IOAPIC at its address from the MADT (82093AA data sheet). */
#define IOAPIC_MASKED BIT(16)
#define IOAPIC_LEVEL  BIT(15)
#define IOAPIC_RIRR   BIT(14)
#define IOAPIC_LOW    BIT(13)
void ioapic_init(void);
uint32_t ioapic_read(unsigned index);
void ioapic_write(unsigned index, uint32_t v);
unsigned ioapic_pins(void);
uint64_t ioapic_entry(unsigned pin);
void ioapic_set_entry(unsigned pin, uint64_t v);
/* The GSI an ISA interrupt arrives at (MADT interrupt source override). */
unsigned ioapic_isa_gsi(unsigned irq);

#endif
