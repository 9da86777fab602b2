/*
 * engine/interp/host_alu.h: arithmetic on the host's own ALU, so that results and flags, the undefined ones
 * included, are those of silicon.
 *
 * Flags are kept as LAHF and SETO leave them in AX (x86_state.cc): one read and one write of AX around an
 * operation.
 */
#ifndef ENGINE_INTERP_HOST_ALU_H
#define ENGINE_INTERP_HOST_ALU_H

#include <stdint.h>

/* Leave the flags in AX. */
#define CC_OUT "\n\tlahf\n\tseto %%al"
/* Take the flags from AX: OF by overflowing AL = 0 or 1, the rest by SAHF, which leaves OF alone. */
#define CC_IN "addb $0x7f,%%al\n\tsahf\n\t"
/* CF alone, from bit 0 of AH. */
#define CF_IN "btw $8,%%ax\n\t"

/* The four widths: X(type, instruction suffix, tag). */
#define FOR_WIDTHS(X, ...)            \
    X(uint8_t, "b", 8, __VA_ARGS__)   \
    X(uint16_t, "w", 16, __VA_ARGS__) \
    X(uint32_t, "l", 32, __VA_ARGS__) \
    X(uint64_t, "q", 64, __VA_ARGS__)
#define FOR_WIDTHS_16UP(X, ...)       \
    X(uint16_t, "w", 16, __VA_ARGS__) \
    X(uint32_t, "l", 32, __VA_ARGS__) \
    X(uint64_t, "q", 64, __VA_ARGS__)

/* Index of a width in a table of four: 1, 2, 4, 8 bytes. */
static inline unsigned width_index(unsigned bytes)
{
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
}

#endif
