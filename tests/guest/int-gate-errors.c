/*
 * int-gate-errors.c: INT n through a gate that is absent, beyond the limit or too privileged names the
 * vector.
 *
 * SDM 3A 6.13 (error code: index, IDT bit), APM 2 8.4.1: eight times the vector plus 2, although gates are 16
 * bytes.
 */
#include "frame.h"

#define VECTOR_ABSENT 0x90
#define IDT_BIT       2u

static USER_CODE uint64_t user_int(uint64_t arg)
{
    asm volatile(".globl user_int_insn; user_int_insn: int $0x90");
    return 0;
}

extern const char user_int_insn[];

int main(void)
{
    trap_clear_gate(VECTOR_ABSENT);
    CHECK_FAULT(TRY("int $0x90", : : : "memory"), NP, VECTOR_ABSENT * 8 | IDT_BIT);
    trap_set_gate(VECTOR_ABSENT, 0, 0, false);
    CHECK_TRAP_AT(user_try(user_int, 0), GP, VECTOR_ABSENT * 8 | IDT_BIT, user_int_insn);

    /* EXT: while an earlier exception is delivered, not for INT n. */
    trap_clear_gate(UD);
    CHECK_FAULT(TRY("ud2", : : : "memory"), NP, UD * 8 | IDT_BIT | 1);
    trap_set_gate(UD, 0, 0, false);

    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr;
    asm volatile("sidt %0" : "=m"(idtr));
    idt_load(idtr.base, 0x90 * 16 + 14); /* cuts off the last byte of gate 0x90 */
    CHECK_FAULT(TRY("int $0x90", : : : "memory"), GP, VECTOR_ABSENT * 8 | IDT_BIT);
    return 0;
}
