/*
 * moves.h: what the guest of the moves and the test say to each other, at MOVES_SHARED.
 */
#ifndef CONFORM_MOVES_H
#define CONFORM_MOVES_H

#include <stdint.h>

#define MOVES_LOAD   0x10000
#define MOVES_SHARED 0x50000
#define MOVES_STACK  0x60000
#define MOVES_CS     0x10 /* boot/long_mode.c's */
#define MOVES_PORT   0x1f

enum moves_failure {
    MOVES_GOOD,
    MOVES_TSC_BACK,
    MOVES_TIMER_EARLY,
    MOVES_X87,
    MOVES_X87_CONTROL,
    MOVES_VECTOR,
    MOVES_MXCSR,
    MOVES_IPI_LOST,
    MOVES_IPI_EARLY,
};

struct moves_shared {
    volatile uint32_t stop; /* the test: come to an end */
    volatile uint32_t failure;
    volatile uint32_t rounds, ticks, ipis;
    volatile uint32_t digest[8];
    uint64_t avx; /* the test: there is AVX2 */
};

#endif
