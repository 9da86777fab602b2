/*
 * deliver.c: exceptions and interrupts through the interrupt table of each mode, and what becomes of
 * exceptions met while delivering one (SDM 3A 6.10 to 6.15, APM 2 8.6 to 8.9; virtual-8086 mode: SDM
 * 3B 20.2, 20.3).
 */
#include "cpu/cpu_internal.h"
#include "cpu/gate.h"

/* What is to be delivered. */
struct event {
    uint8_t vector;
    bool soft;      /* INT n, INT3, INTO: the gate's DPL counts */
    bool has_error; /* pushed in protected mode */
    uint32_t error;
    uint32_t ext;
    uint64_t rip; /* as pushed */
    uint32_t flags;
};

static enum step fault_step(bool done)
{
    return done ? STEP_DONE : STEP_FAULT;
}
static uint32_t idt_error(const struct event *e)
{
    return (uint32_t)e->vector << 3 | ERR_IDT | e->ext;
}

/* ---- real mode ---- */

/* Through the table of four-byte pointers at `table`. */
static bool deliver_ivt(struct cpu *c, const struct event *e, uint64_t table, uint32_t image, uint32_t clear)
{
    struct x86_state *s = &c->st;
    uint8_t ptr[4];
    struct stack k;
    if (!c->ops->read(c, table_lin(s, table + 4u * e->vector), ptr, 4, ACC_IMPLICIT))
        return false;
    stack_here(c, &k, 2);
    k.aligned = false;
    stack_push(&k, image);
    stack_push(&k, s->seg[SEG_CS].sel);
    stack_push(&k, e->rip);
    if (!stack_room(c, &k) || !stack_write(c, &k))
        return false;
    sp_set(c, k.mask, stack_top(&k));
    uint16_t sel = (uint16_t)load_le(ptr + 2, 2);
    if (v86(s)) {
        seg_set_v86(c, SEG_CS, sel);
        s->seg[SEG_CS].attr |= SEG_T_CODE;
    } else {
        seg_set_real(c, SEG_CS, sel);
    }
    s->rip = load_le(ptr, 2);
    flags_set(c, x86_rflags(s) & ~(clear | FL_TF | FL_RF));
    mode_changed(c);
    return true;
}

static bool deliver_real(struct cpu *c, const struct event *e)
{
    if (4u * e->vector + 3 > c->st.idtr.limit)
        return cpu_raise_err(c, VEC_GP, idt_error(e));
    return deliver_ivt(c, e, c->st.idtr.base, e->flags, FL_IF | FL_AC);
}

/* ---- protected mode ---- */

static bool read_gate(struct cpu *c, const struct event *e, struct gate *g)
{
    struct x86_state *s = &c->st;
    bool wide = x86_lma(s);
    unsigned bytes = wide ? 16 : 8, at = e->vector * bytes;
    uint64_t raw[2] = {0, 0};
    if (at + bytes - 1 > s->idtr.limit)
        return cpu_raise_err(c, VEC_GP, idt_error(e));
    if (!c->ops->read(c, table_lin(s, s->idtr.base + at), raw, bytes, ACC_IMPLICIT))
        return false;
    *g = gate_decode(raw[0], raw[1], wide);
    uint32_t types = BIT(SYS_INT32) | BIT(SYS_TRAP32);
    if (!wide)
        types |= BIT(SYS_INT16) | BIT(SYS_TRAP16) | BIT(SYS_TASK);
    if (!g->system || !(types >> g->type & 1) || (e->soft && g->dpl < s->cpl))
        return cpu_raise_err(c, VEC_GP, idt_error(e));
    return g->present || cpu_raise_err(c, VEC_NP, idt_error(e));
}

/* The handler: its code, and the stack with the frame for it. */
struct handler {
    struct gate gate;
    struct code_target code;
    struct stack k;
    struct desc ss; /* inner, outside long mode */
    bool inner;     /* to more privilege */
    bool wide;      /* long mode */
};

static bool find_stack(struct cpu *c, const struct event *e, struct handler *h)
{
    const struct x86_state *s = &c->st;
    unsigned ist = h->wide ? h->gate.count : 0;
    h->inner = h->code.cpl < s->cpl;
    if (h->inner || ist) {
        if (!stack_inner(c, h->code.cpl, ist, h->gate.size, e->ext, &h->k, &h->ss))
            return false;
    } else {
        stack_at(&h->k, &s->seg[SEG_SS], h->wide, s->gpr[RSP], s->cpl, h->gate.size, e->ext);
    }
    if (h->wide)
        h->k.sp &= ~15ull;
    return true;
}

static void push_frame(const struct x86_state *s, const struct event *e, struct handler *h)
{
    static const enum x86_sreg data[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    if (v86(s))
        for (unsigned i = 0; i < ARRAY_LEN(data); i++)
            stack_push(&h->k, s->seg[data[i]].sel);
    if (h->inner || h->wide) {
        stack_push(&h->k, s->seg[SEG_SS].sel);
        stack_push(&h->k, s->gpr[RSP]);
    }
    stack_push(&h->k, e->flags);
    stack_push(&h->k, s->seg[SEG_CS].sel);
    stack_push(&h->k, e->rip);
    if (e->has_error)
        stack_push(&h->k, e->error);
}

static void enter_handler(struct cpu *c, const struct handler *h)
{
    static const enum x86_sreg data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct x86_state *s = &c->st;
    uint32_t clear = FL_TF | FL_NT | FL_RF | FL_VM;
    if (h->gate.type == SYS_INT16 || h->gate.type == SYS_INT32)
        clear |= FL_IF;
    code_enter(c, &h->code, h->gate.offset);
    if (h->inner && h->wide)
        seg_set_null(c, SEG_SS, h->code.cpl);
    else if (h->inner)
        s->seg[SEG_SS] = desc_seg(&h->ss, h->code.cpl);
    sp_set(c, h->k.mask, stack_top(&h->k));
    if (v86(s))
        for (unsigned i = 0; i < ARRAY_LEN(data); i++)
            seg_set_null(c, data[i], 0);
    flags_set(c, x86_rflags(s) & ~clear);
    mode_changed(c);
}

static bool through_gate(struct cpu *c, const struct event *e, struct handler *h)
{
    struct x86_state *s = &c->st;
    if (!code_read(c, h->gate.sel, CODE_GATE, e->ext, &h->code))
        return false;
    if (v86(s) && h->code.cpl != 0)
        return cpu_raise_err(c, VEC_GP, sel_error(h->gate.sel, e->ext));
    if (!find_stack(c, e, h))
        return false;
    push_frame(s, e, h);
    if (!stack_room(c, &h->k) || !code_rip_ok(c, &h->code.seg, h->gate.offset, e->ext) ||
        !desc_touch(c, &h->code.d))
        return false;
    if (h->inner && !h->wide && !desc_touch(c, &h->ss))
        return false;
    if (!stack_write(c, &h->k))
        return false;
    enter_handler(c, h);
    return true;
}

static enum step deliver_protected(struct cpu *c, const struct event *e)
{
    struct handler h;
    h.wide = x86_lma(&c->st);
    if (!read_gate(c, e, &h.gate))
        return STEP_FAULT;
    if (h.gate.type != SYS_TASK)
        return fault_step(through_gate(c, e, &h));
    struct task_event te = {.why = TASK_EVENT,
                            .rip = e->rip,
                            .flags = e->flags,
                            .ext = e->ext,
                            .has_error = e->has_error,
                            .error = e->error};
    return task_gate(c, h.gate.sel, &te);
}

static enum step deliver(struct cpu *c, const struct event *e)
{
    if (c->st.cr0 & CR0_PE)
        return deliver_protected(c, e);
    return fault_step(deliver_real(c, e));
}

/* ---- faults ---- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };
static enum fault_class fault_class(uint8_t vector)
{
    static const uint32_t contributory = BIT(VEC_DE) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP);
    if (vector == VEC_PF)
        return PAGE_FAULT;
    return contributory >> vector & 1 ? CONTRIBUTORY : BENIGN;
}

/* What happens when the exception is recognised, whether or not its delivery succeeds. */
static void note_fault(struct cpu *c, const struct cpu_fault *f)
{
    struct x86_state *s = &c->st;
    if (f->vector == VEC_PF)
        s->cr2 = f->addr;
    if (f->vector == VEC_DB) {
        if (vendor(c)->debug_clears_b0_b3)
            s->dr6 &= ~0xfull;
        s->dr6 |= f->addr;
        s->dr7 &= ~(uint64_t)DR7_GD;
        s->msr.debugctl &= ~0x43ull; /* LBR, BTF, TR (SDM 3B 17.4.1) */
    }
}

/*
 * RF in the pushed image (SDM 3B 17.3.1.1): set by faults, so that their instruction, restarted, does not
 * meet its breakpoint again; not by traps, nor by the #DB of an instruction breakpoint itself.
 */
static bool sets_rf(const struct cpu_fault *f)
{
    if (f->vector == VEC_DB)
        return f->addr & DR6_BD;
    return f->vector != VEC_BP && f->vector != VEC_OF && f->vector != VEC_MC;
}

/* SDM 3A table 6-5: `second` was raised while `first` was delivered. False: shutdown. */
static bool combine(const struct cpu_fault *first, const struct cpu_fault *second, struct cpu_fault *next)
{
    enum fault_class a = fault_class(first->vector), b = fault_class(second->vector);
    if (first->vector == VEC_DF && b != BENIGN)
        return false;
    bool twice = (a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && b != BENIGN);
    *next = twice ? (struct cpu_fault){.vector = VEC_DF, .has_error = true} : *second;
    return true;
}

enum cpu_result cpu_deliver_fault(struct cpu *c)
{
    struct x86_state *s = &c->st;
    struct cpu_fault f = c->fault;
    /* It ends: only contributory exceptions and page faults arise in here, and the third one shuts down. */
    for (;;) {
        note_fault(c, &f);
        struct event e = {.vector = f.vector,
                          .has_error = f.has_error,
                          .error = f.error,
                          .ext = ERR_EXT,
                          .rip = s->rip,
                          .flags = x86_rflags(s) | (sets_rf(&f) ? FL_RF : 0)};
        if (deliver(c, &e) == STEP_DONE)
            return CPU_GO_ON;
        struct cpu_fault second = c->fault;
        if (second.vector == VEC_PF)
            note_fault(c, &second);
        if (!combine(&f, &second, &f)) {
            s->mp = X86_SHUTDOWN;
            return CPU_SHUTDOWN;
        }
    }
}

enum cpu_result deliver_interrupt(struct cpu *c, uint8_t vector)
{
    struct event e = {.vector = vector, .ext = ERR_EXT, .rip = c->st.rip, .flags = x86_rflags(&c->st)};
    return deliver(c, &e) == STEP_DONE ? CPU_GO_ON : cpu_deliver_fault(c);
}

bool step_finish(struct cpu *c, enum step r)
{
    if (r == STEP_LATE && cpu_deliver_fault(c) == CPU_SHUTDOWN)
        cpu_recheck(c); /* cpu_events reports it */
    return r != STEP_FAULT;
}

/* ---- software interrupts ---- */

/*
 * INT n in virtual-8086 mode with VME (SDM 3B 20.3.3): bit n of the redirection bitmap, the 32 bytes below
 * the I/O bitmap, is clear when the task's own table at 0 is to be used. False: #GP, no such bitmap.
 */
static bool redirected(struct cpu *c, uint8_t vector, bool *yes)
{
    const struct x86_seg *tr = &c->st.seg[SEG_TR];
    uint16_t map;
    uint8_t byte;
    if (!((tr->attr & SEG_TYPE) & 8) || tr->limit < 103)
        return cpu_raise_gp0(c);
    if (!c->ops->read(c, (uint32_t)(tr->base + 102), &map, 2, ACC_IMPLICIT))
        return false;
    uint32_t at = (uint32_t)map - 32 + vector / 8;
    if (map < 32 || at > tr->limit)
        return cpu_raise_gp0(c);
    if (!c->ops->read(c, (uint32_t)(tr->base + at), &byte, 1, ACC_IMPLICIT))
        return false;
    *yes = !(byte >> (vector & 7) & 1);
    return true;
}

static bool software_int_v86(struct cpu *c, const struct event *e, bool *done)
{
    struct x86_state *s = &c->st;
    bool to_ivt = false;
    *done = false;
    if ((s->cr4 & CR4_VME) && !redirected(c, e->vector, &to_ivt))
        return false;
    if (to_ivt) {
        *done = true;
        if (iopl(s) == 3)
            return deliver_ivt(c, e, 0, e->flags, FL_IF);
        return deliver_ivt(c, e, 0, flags_vme_image(c) & ~FL_RF, FL_VIF);
    }
    return iopl(s) == 3 || cpu_raise_gp0(c);
}

bool cpu_software_int(struct cpu *c, uint8_t vector, bool int3_or_into, uint64_t next_rip)
{
    bool done = false;
    struct event e = {.vector = vector, .soft = true, .rip = next_rip, .flags = x86_rflags(&c->st) & ~FL_RF};
    if (v86(&c->st) && !int3_or_into && !software_int_v86(c, &e, &done))
        return false;
    return done || step_finish(c, deliver(c, &e));
}
