/*
 * cpu/msr_impl.h: the table of model-specific registers, shared by the msr files and by nobody else.
 */
#ifndef CPU_MSR_IMPL_H
#define CPU_MSR_IMPL_H

#include "cpu/cpu.h"

enum msr_vendor { MSR_ANY, MSR_INTEL, MSR_AMD };

/*
 * One register, or a run of equal ones. `read` and `write` return false for #GP(0) and have changed nothing
 * then; a NULL one is #GP always. What the generic functions use: `field` is an offset in struct cpu of an
 * array of uint64_t, one for each register of the run; `mask` are the bits that may be set; `value` is what a
 * constant reads as.
 */
struct msr_desc {
    uint32_t first, last;
    const char *name;
    bool (*read)(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v);
    bool (*write)(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v);
    uint16_t field;
    uint8_t vendor; /* enum msr_vendor */
    uint64_t mask, value;
};
/* In ascending order of index. */
extern const struct msr_desc msr_table[];
extern const unsigned msr_count;

/* mtrr.c: memory types (SDM 3A 12.11, 12.12). */
bool mtrr_read_cap(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t *v);
bool mtrr_write_variable(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v);
bool mtrr_write_fixed(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v);
bool mtrr_write_def_type(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v);
bool mtrr_write_pat(struct cpu *c, const struct msr_desc *d, uint32_t index, uint64_t v);

#endif
