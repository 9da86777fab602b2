/*
 * cpu/gate.h: call, interrupt, trap and task gates as descriptors (SDM 3A figures 5-8, 5-9, 6-2, 6-8).
 */
#ifndef CPU_GATE_H
#define CPU_GATE_H

#include "x86/x86.h"

struct gate {
    uint64_t offset;
    uint16_t sel;
    uint8_t type; /* SYS_* */
    uint8_t dpl;
    uint8_t count; /* call gates: parameters; 64-bit interrupt and trap gates: IST */
    uint8_t size;  /* of what is pushed: 2, 4, 8 bytes */
    bool present, system;
};

/* `high`: the second eight bytes of a gate in long mode, where `wide` is true. */
static inline struct gate gate_decode(uint64_t raw, uint64_t high, bool wide)
{
    uint16_t attr = desc_attr(raw);
    struct gate g = {
        .sel = (uint16_t)bits(raw, 16, 16),
        .type = attr & SEG_TYPE,
        .dpl = (attr & SEG_DPL) >> SEG_DPL_SHIFT,
        .count = (uint8_t)bits(raw, 32, wide ? 3 : 5),
        .size = wide       ? 8
                : attr & 8 ? 4
                           : 2,
        .present = attr & SEG_P,
        .system = !(attr & SEG_S),
        .offset = bits(raw, 0, 16) | bits(raw, 48, 16) << 16 | (wide ? high << 32 : 0),
    };
    if (g.size == 2)
        g.offset &= 0xffff;
    return g;
}

#endif
