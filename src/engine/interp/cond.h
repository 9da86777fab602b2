/*
 * engine/interp/cond.h: the sixteen conditions (SDM 1 appendix B) on flags kept as LAHF and SETO leave them.
 */
#ifndef ENGINE_INTERP_COND_H
#define ENGINE_INTERP_COND_H

#include "x86/x86.h"

static ALWAYS_INLINE bool cond_holds(uint16_t cc, unsigned code)
{
    bool less = (cc >> 15 ^ cc) & 1, r;
    switch (code >> 1) {
    case 0: r = cc & CC_OF; break;
    case 1: r = cc & CC_CF; break;
    case 2: r = cc & CC_ZF; break;
    case 3: r = cc & (CC_CF | CC_ZF); break;
    case 4: r = cc & CC_SF; break;
    case 5: r = cc & CC_PF; break;
    case 6: r = less; break;
    default: r = less || (cc & CC_ZF); break;
    }
    return r != (code & 1);
}

/* X(code, name in the manual) */
#define FOR_CONDITIONS(X) \
    X(0, O)               \
    X(1, NO)              \
    X(2, B)               \
    X(3, NB)              \
    X(4, Z)               \
    X(5, NZ) X(6, BE) X(7, NBE) X(8, S) X(9, NS) X(10, P) X(11, NP) X(12, L) X(13, NL) X(14, LE) X(15, NLE)

#endif
