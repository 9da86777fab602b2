/*
 * cpu/cpu_internal.h: what the files of cpu/ share about segments, stacks, transfers and events; not for
 * engines.
 *
 * As in cpu.h, bool functions give false with c->fault filled. `ext` is the EXT bit that goes into the error
 * codes of faults met on the way (SDM 3A 6.13): ERR_EXT while an exception or external interrupt is
 * delivered, else 0.
 */
#ifndef CPU_CPU_INTERNAL_H
#define CPU_CPU_INTERNAL_H

#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/lapic.h"
#include "cpu/vendor.h"

#define SEL_RPL 3u
#define SEL_TI  4u

static inline bool sel_null(uint16_t sel)
{
    return !(sel & ~SEL_RPL);
}
/* The error code that names a selector. */
static inline uint32_t sel_error(uint16_t sel, uint32_t ext)
{
    return (sel & ~SEL_RPL) | ext;
}
static inline bool v86(const struct x86_state *s)
{
    return s->rflags & FL_VM;
}
static inline unsigned iopl(const struct x86_state *s)
{
    return s->rflags >> 12 & 3;
}
/* A linear address as descriptor-table and TSS accesses form it: 32 bits outside long mode. */
static inline uint64_t table_lin(const struct x86_state *s, uint64_t lin)
{
    return x86_lma(s) ? lin : (uint32_t)lin;
}
/* Access rights for the stack and code of privilege level cpl. */
static inline unsigned access_at(unsigned cpl)
{
    return cpl == 3 ? ACC_USER : 0;
}

/* ---- segment.c: descriptors ---- */

struct desc {
    uint64_t raw;  /* the eight bytes */
    uint64_t base; /* of a segment; desc_read_high adds bits 63 to 32 */
    uint64_t lin;  /* where it stands */
    uint16_t sel;
    uint16_t attr; /* desc_attr */
};
static inline unsigned desc_type(const struct desc *d)
{
    return d->attr & SEG_TYPE;
}
static inline unsigned desc_dpl(const struct desc *d)
{
    return (d->attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

/* Is the selector within its table? Then *lin is where its descriptor stands. `bytes`: 8 or 16. */
bool desc_lookup(const struct cpu *c, uint16_t sel, unsigned bytes, uint64_t *lin);
/* Read it; outside its table: `vec` with the selector. Null selectors are the caller's to refuse. */
bool desc_read(struct cpu *c, uint16_t sel, uint8_t vec, uint32_t ext, struct desc *d);
/* The second eight bytes of a long-mode system descriptor. #GP(sel): beyond the table, or its type field is
 * not 0. */
bool desc_read_high(struct cpu *c, const struct desc *d, uint64_t *high);
/* Set and clear bits of the type field in memory (accessed, busy), if they are not so already. */
bool desc_retype(struct cpu *c, struct desc *d, unsigned set, unsigned clear);
/* Mark a code or data descriptor accessed, as loading it does. */
bool desc_touch(struct cpu *c, struct desc *d);
/* The register contents that loading it gives; `rpl` replaces the selector's. */
struct x86_seg desc_seg(const struct desc *d, unsigned rpl);

/* A stack segment for privilege level cpl: `vec` for what is wrong with it, #SS when not present. Not null.
 */
bool ss_check(struct cpu *c, uint16_t sel, unsigned cpl, uint8_t vec, uint32_t ext, struct desc *d);
/* DS, ES, FS, GS with a selector that is not null, at privilege level cpl. */
bool data_check(struct cpu *c, uint16_t sel, unsigned cpl, uint8_t vec, uint32_t ext, struct desc *d);
/* Load a null selector; SS keeps its privilege level. */
void seg_set_null(struct cpu *c, enum x86_sreg s, uint16_t sel);
/* Load as real mode does / as virtual-8086 mode does. */
void seg_set_real(struct cpu *c, enum x86_sreg s, uint16_t sel);
void seg_set_v86(struct cpu *c, enum x86_sreg s, uint16_t sel);
/* What SYSCALL and its like load: base 0, limit 4 GiB. `attr`: of what a flat descriptor does not always
 * have. */
void seg_set_flat(struct cpu *c, enum x86_sreg s, uint16_t sel, uint16_t attr);
/* After a return to a lower privilege: DS, ES, FS, GS that it may not use become null (SDM 3A 5.8.6). */
void seg_drop_privileged(struct cpu *c);

/* ---- transfer.c: code segments as targets ---- */

enum code_rule {
    CODE_DIRECT,   /* far JMP and CALL: stays at the same privilege (SDM 3A 5.8.1) */
    CODE_JMP_GATE, /* JMP through a call gate */
    CODE_GATE,     /* CALL through a call gate, interrupt and trap gates: may go to more privilege */
    CODE_RETURN,   /* RET, IRET: the selector's RPL is the new privilege */
    CODE_TASK,     /* from a TSS: as a return, but #TS */
};
struct code_target {
    struct desc d;
    struct x86_seg seg;
    uint8_t cpl; /* after the transfer */
};
/* Check a code descriptor that has been read / read it first (a null selector too is refused). */
bool code_check(struct cpu *c, const struct desc *d, enum code_rule rule, uint32_t ext,
                struct code_target *t);
bool code_read(struct cpu *c, uint16_t sel, enum code_rule rule, uint32_t ext, struct code_target *t);
/* Is rip a place to go to in that segment? Else #GP(ext). */
bool code_rip_ok(struct cpu *c, const struct x86_seg *cs, uint64_t rip, uint32_t ext);
/* Commit: CS, CPL and RIP. The descriptor has been touched. */
void code_enter(struct cpu *c, const struct code_target *t, uint64_t rip);

/* A far return under way: RET and IRET in protected mode. */
struct far_return {
    struct code_target cs;
    uint64_t rip;
    bool outer;    /* to less privilege */
    bool loads_ss; /* ss and sp are taken from the frame */
    bool ss_null;
    struct desc ss;
    uint16_t ss_sel;
};
bool return_check_cs(struct cpu *c, uint16_t sel, uint64_t rip, struct far_return *r);
bool return_check_ss(struct cpu *c, uint16_t sel, struct far_return *r);
/* Last checks, then commit all but the flags and, where SS was not loaded, the stack pointer. */
bool return_commit(struct cpu *c, struct far_return *r, uint64_t sp);

/* ---- stack.c: frames ---- */

#define STACK_MAX 40
/*
 * A stack on which a frame is built or from which one is read. Values are collected and then written by one
 * call, so that nothing has changed when it faults.
 */
struct stack {
    struct x86_seg ss;
    bool flat; /* 64-bit: no segment, canonical addresses */
    uint64_t sp;
    uint64_t mask;   /* the bits of sp that are used */
    unsigned size;   /* of an element: 2, 4, 8 */
    unsigned access; /* ACC_USER or 0 */
    bool aligned;    /* #AC applies: the accesses of an instruction, not of an event */
    uint32_t error;  /* of #SS */
    unsigned n;
    uint64_t val[STACK_MAX];
};
/* The current one, in the current mode. */
void stack_here(struct cpu *c, struct stack *k, unsigned size);
/* An empty one in segment ss for privilege level cpl; flat where the target is 64-bit code. */
void stack_at(struct stack *k, const struct x86_seg *ss, bool flat, uint64_t sp, unsigned cpl, unsigned size,
              uint32_t error);
/*
 * The stack for a transfer to a higher privilege level: from the TSS (SDM 3A 5.8.5, 7.2.1; ist: 6.14.5). *ss
 * is the new SS's descriptor, already checked; outside long mode only.
 */
bool stack_inner(struct cpu *c, unsigned cpl, unsigned ist, unsigned size, uint32_t ext, struct stack *k,
                 struct desc *ss);
static inline void stack_push(struct stack *k, uint64_t v)
{
    assert(k->n < STACK_MAX);
    k->val[k->n++] = v;
}
/* Would all that has been pushed fit? #SS. / Write it: stack_room must have been asked. */
bool stack_room(struct cpu *c, const struct stack *k);
bool stack_write(struct cpu *c, const struct stack *k);
/* Stack pointer below what was pushed. */
static inline uint64_t stack_top(const struct stack *k)
{
    return k->sp - (uint64_t)k->n * k->size;
}
/* Read `count` elements, the first one `skip` bytes above the stack pointer. */
bool stack_read(struct cpu *c, const struct stack *k, uint64_t skip, unsigned count, uint64_t *val);
/* RSP, ESP or SP, as the mask says. */
void sp_set(struct cpu *c, uint64_t mask, uint64_t sp);
static inline uint64_t ss_mask(const struct x86_seg *ss, bool flat)
{
    return flat ? ~0ull : ss->attr & SEG_DB ? 0xffffffffu : 0xffffu;
}

/* ---- deliver.c, task_switch.c ---- */

/* What became of a transfer that may switch tasks. */
enum step {
    STEP_DONE,
    STEP_FAULT, /* c->fault; nothing has changed */
    STEP_LATE,  /* c->fault, raised in the context of the new task (SDM 3A 7.3) */
};
/* For instructions: STEP_LATE is delivered here, the instruction counts as done. */
bool step_finish(struct cpu *c, enum step r);

/* An external interrupt or NMI, at the current instruction boundary. */
enum cpu_result deliver_interrupt(struct cpu *c, uint8_t vector);

enum task_cause { TASK_JMP, TASK_CALL, TASK_EVENT, TASK_IRET };
struct task_event {
    enum task_cause why;
    uint64_t rip;   /* saved for the old task */
    uint32_t flags; /* likewise */
    uint32_t ext;
    bool has_error; /* TASK_EVENT: pushed on the new task's stack */
    uint32_t error;
};
/* To the task whose TSS descriptor has been read; type and presence are checked here. */
enum step task_switch(struct cpu *c, struct desc *tss, const struct task_event *e);
/* Through a task gate's selector. */
enum step task_gate(struct cpu *c, uint16_t sel, const struct task_event *e);
/* IRET with NT set. */
enum step task_return(struct cpu *c, uint64_t next_rip);

/* ---- flags.c ---- */

/* Store the flags; recheck events and report the mode where that follows. */
void flags_set(struct cpu *c, uint32_t flags);
/* Replace the bits of `mask`; RF is cleared unless it is in the mask. */
static inline void flags_merge(struct cpu *c, uint32_t image, uint32_t mask)
{
    flags_set(c, (x86_rflags(&c->st) & ~(mask | FL_RF)) | (image & mask));
}
/* The image that virtual-8086 mode under VME pushes, and the popping of one (SDM 3B 20.3). */
uint32_t flags_vme_image(const struct cpu *c);
bool flags_vme_pop(struct cpu *c, uint32_t image);

/* ---- walk.c ---- */

/* PAE paging outside long mode in use with these register values? (SDM 3A 4.4) */
static inline bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}
/* Read the four PDPTEs that cr3 points to into p; false (no fault filled): one has reserved bits set. */
bool pdptes_read(const struct cpu *c, uint64_t cr3, uint64_t p[4]);

static inline void mode_changed(struct cpu *c)
{
    c->ops->mode_changed(c);
}

#endif
