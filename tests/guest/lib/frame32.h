/*
 * frame32.h: what a 32-bit image can use: one C file with main(), compiled for 32 bits; returning 0 from it
 * is exit_pass().
 *
 * main() starts at CPL 0 in 32-bit protected mode without paging: flat segments, CR0 = PE NE, CR4 = 0, EFER =
 * 0, interrupts off, 8259s masked, local APIC enabled; the first 640 KiB but .low (0x8000 to 0xffff) and the
 * real-mode interrupt table at 0 are free.
 */
#ifndef GUEST_FRAME32_H
#define GUEST_FRAME32_H

#include "apic.h"
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "mem.h"
#include "trap32.h"

int main(void);

/* End of a run() or real_run() that went as it should. */
#define CHECK_RETURN(t) CHECK_EQ((t).vector, VEC_RETURN)
/* Vector, error code and EIP of how a run ended. */
#define CHECK_END(t, vec, err, at) CHECK_TRAP_AT(t, vec, err, (uint32_t)(at))

#endif
