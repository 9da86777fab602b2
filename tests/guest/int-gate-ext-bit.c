/*
 * int-gate-ext-bit.c: what goes wrong while an external interrupt is delivered has EXT in its error code;
 * what goes wrong with an INT has not.
 *
 * SDM 3A 6.13; APM 2 8.4.1 (whose text names sources outside the processor only, so that an exception's own
 * delivery is asked of Intel's).
 */
#include "frame.h"

int main(void)
{
    trap_clear_gate(0x92);
    struct trap t = TRY("int $0x92", : : : "memory");
    CHECK_FAULT(t, NP, 0x92 * 8 + 2);
    apic_self_ipi(0x92);
    t = TRY("sti; nop; nop; cli", : : : "memory");
    CHECK_EQ(t.vector, NP);
    CHECK_EQ(t.error, 0x92 * 8 + 3);
    apic_eoi();
    if (!cpu_is_amd()) {
        trap_clear_gate(UD);
        CHECK_FAULT(TRY("ud2", : : : "memory"), NP, UD * 8 + 3);
    }
    return 0;
}
