/*
 * cpu/cpu.h: what all software engines share about one vCPU: page walks, exceptions, segments and privilege,
 * control registers, MSRs, CPUID, and the decision which pending event comes next. Knows no engine.
 *
 * An engine embeds a struct cpu, fills `ops` (how to reach guest memory through its TLB) and calls the
 * functions here from the vCPU's own thread. Only cpu_kick and the local APIC's delivery functions may be
 * called from others.
 *
 * Faults are returned, not thrown: a function returning bool gives false after having filled cpu->fault, and
 * then has changed no architectural state (what the manual says is changed nevertheless, such as accessed
 * bits and busy bits set before a late fault, is named at the function). The engine then calls
 * cpu_deliver_fault().
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "bus/bus.h"
#include "clock/clock.h"
#include "mem/mem.h"
#include "x86/x86.h"
#include <stdatomic.h>

struct cpu;
struct lapic;
struct cpuid_model;

/* An exception to deliver. */
struct cpu_fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint64_t addr; /* #PF: goes to CR2; #DB: bits for DR6 */
};

/* Kind of a memory access, for permission checks: bits. */
enum cpu_access {
    ACC_READ = 0,
    ACC_WRITE = 1,
    ACC_EXEC = 2,
    ACC_USER = 4, /* at CPL 3; else supervisor */
    ACC_IMPLICIT =
        8, /* supervisor access the processor makes itself (descriptor tables, TSS): SMAP ignores AC */
};

/* How the functions of cpu/ reach memory and tell the engine of changes: given by the engine, constant. */
struct cpu_ops {
    /* Copy at linear address `lin` (any length up to 512, may cross pages); all or nothing; false:
     * cpu->fault. */
    bool (*read)(struct cpu *c, uint64_t lin, void *buf, unsigned len, unsigned access);
    bool (*write)(struct cpu *c, uint64_t lin, const void *buf, unsigned len, unsigned access);
    /* Would a write of [lin, lin+len) succeed? Sets A and D as the write would. */
    bool (*probe_write)(struct cpu *c, uint64_t lin, unsigned len, unsigned access);
    /* TLB: drop everything / all but global entries of all / of the given PCID / one page in all or current
     * PCID. */
    void (*flush_all)(struct cpu *c);
    void (*flush_nonglobal)(struct cpu *c);
    void (*flush_page)(struct cpu *c, uint64_t lin);
    /*
     * CR3 was loaded: `keep` says bit 63 of the source was set with PCIDE on (nothing need be dropped). The
     * new CR3 (without bit 63) is in st.cr3 already.
     */
    void (*cr3_loaded)(struct cpu *c, bool keep);
    /* INVPCID types 0 and 1 (SDM 2A "INVPCID"): drop lin of pcid / all non-global of pcid. Types 2, 3 use the
     * above. */
    void (*flush_pcid)(struct cpu *c, unsigned pcid, bool one_page, uint64_t lin);
    /* CS, CPL, CR0, CR4, EFER, RFLAGS.AC/TF/VM or DR7 changed: what depends on the mode must be worked out
     * again. */
    void (*mode_changed)(struct cpu *c);
};

/* Calls out of the vCPU into the machine; any may be NULL where the machine has no such thing. */
struct cpu_wiring {
    int (*extint_ack)(void *opaque);             /* INTA to the 8259: vector */
    void (*eoi)(void *opaque, uint8_t vector);   /* EOI of a level-triggered vector: IOAPICs */
    bool (*ferr)(void *opaque, bool level);      /* FERR# of the x87 unit; returns IGNNE# */
    void (*wake)(void *opaque, unsigned cpu_id); /* something is pending: wake a halted vCPU. Any thread */
    void *opaque;
};

struct cpu {
    struct x86_state st; /* first: engines address it relative to the struct */
    struct cpu_fault fault;
    const struct cpu_ops *ops;
    struct cpu_wiring wiring;
    struct mem *mem;
    struct bus *bus;
    struct clock *clock;
    struct lapic *apic;
    const struct cpuid_model *cpuid;
    unsigned id;
    /*
     * The one word an engine looks at between blocks: non-zero means that cpu_events() is to be called. Set
     * by cpu_kick from any thread and by whatever makes an event deliverable (STI, IRET, EOI, TPR...).
     */
    _Atomic uint32_t poll;
    _Atomic bool kicked; /* leave run(); set by engine's kick, cleared by the engine */
    bool held; /* cpu_events found an interrupt that IF held back: an STI without a look at the events would
                  miss it */
    _Atomic bool extint_line; /* INTR from the 8259 (virtual wire) */
    struct log_limit bad_msr;
    uint64_t pdpte[4];     /* PAE paging outside long mode: loaded with CR3 (SDM 3A 4.4.1) */
    bool null_clears_base; /* by vendor and model: what loading a null selector leaves of the base */
};

/* Fill cpu->fault; all return false. */
static inline bool cpu_raise(struct cpu *c, uint8_t vector)
{
    c->fault = (struct cpu_fault){.vector = vector};
    return false;
}
static inline bool cpu_raise_err(struct cpu *c, uint8_t vector, uint32_t error)
{
    c->fault = (struct cpu_fault){.vector = vector, .has_error = true, .error = error};
    return false;
}
static inline bool cpu_raise_gp0(struct cpu *c)
{
    return cpu_raise_err(c, VEC_GP, 0);
}

/* Clear everything, set reset state, wire. The caller has filled nothing before. */
void cpu_init(struct cpu *c, unsigned id, struct mem *m, struct bus *b, struct clock *k, struct lapic *apic,
              const struct cpuid_model *model, const struct cpu_ops *ops, const struct cpu_wiring *w);
/* Own thread: st was changed from outside (state pushed, reset): bring what is derived from it up to date. */
void cpu_state_loaded(struct cpu *c);
/* Any thread: make the vCPU look at its events soon, and wake it when it is halted. */
void cpu_kick(struct cpu *c);
/* Own thread: events may have become deliverable. */
static inline void cpu_recheck(struct cpu *c)
{
    atomic_store_explicit(&c->poll, 1, memory_order_relaxed);
}

/* ---- walk.c: page walk (SDM 3A 4.3 to 4.7, APM 2 5) ---- */

struct cpu_translation {
    gpa_t page;    /* physical address of the 4 KiB page that holds lin */
    uint64_t size; /* of the mapping: 4 KiB to 1 GiB */
    bool user, write,
        exec;   /* rights of the mapping itself, CR0.WP and SMEP/SMAP not yet applied; exec = not NX */
    bool dirty; /* D is set: a write needs no further walk */
    bool global;
};
/* Physical reads and writes of the walker, so that a nested walk can come later. */
bool cpu_walk(struct cpu *c, uint64_t lin, unsigned access, struct cpu_translation *t);
/* The rights check alone, for an access through an existing translation. */
bool cpu_access_allowed(const struct cpu *c, const struct cpu_translation *t, unsigned access);

/* ---- events.c, deliver.c: exceptions and interrupts (SDM 3A 6, APM 2 8) ---- */

enum cpu_result {
    CPU_GO_ON,    /* state is ready for the next instruction */
    CPU_HALT,     /* st.mp is X86_HALTED or X86_WAIT_SIPI and nothing is pending */
    CPU_SHUTDOWN, /* triple fault; st.mp is X86_SHUTDOWN */
};
/*
 * Deliver cpu->fault, whose restart RIP is st.rip. Handles contributory and double faults (SDM 3A table 6-5).
 * For faults st.rip is the faulting instruction's and RF is set in the pushed image; for traps (#DB of
 * ICEBP and single step) the caller has set st.rip behind it.
 */
enum cpu_result cpu_deliver_fault(struct cpu *c);
/*
 * INT n (also INT3, INTO): `next_rip` is pushed. False: cpu->fault. ICEBP is none of these: it is a #DB that
 * no privilege check meets, and a trap, so that its caller sets st.rip behind it and raises VEC_DB.
 */
bool cpu_software_int(struct cpu *c, uint8_t vector, bool int3_or_into, uint64_t next_rip);
/*
 * Between two instructions: clears poll, takes what has the highest priority (SDM 3A table 6-2: INIT, debug
 * trap, NMI, interrupt from PIC or local APIC as IF and shadow allow), delivers it; wakes from HLT. Sets poll
 * again when something stays that the next boundary must look at (the shadow). Call it with shadow still
 * describing the instruction just completed; it does not clear shadow: the engine clears st.ev.shadow after
 * the one instruction.
 */
enum cpu_result cpu_events(struct cpu *c);
/* Is there anything that would end a HLT now? Any thread's writes are seen. */
bool cpu_has_wakeup(struct cpu *c);
/* IRET/IRETD/IRETQ; opsize 2, 4 or 8. Sets st.rip; next_rip is what a task that is left by it (NT) saves. */
bool cpu_iret(struct cpu *c, unsigned opsize, uint64_t next_rip);

/* ---- segment.c, far.c: segments, far transfers, system calls ---- */

/* MOV/POP/LxS to a segment register other than CS (SDM 3A 5.6). */
bool cpu_load_seg(struct cpu *c, enum x86_sreg s, uint16_t sel);
bool cpu_lldt(struct cpu *c, uint16_t sel);
bool cpu_ltr(struct cpu *c, uint16_t sel);
/* LAR, LSL, VERR, VERW: true and the value where the manual sets ZF; *ok false where it clears it; false:
 * fault. */
bool cpu_lar(struct cpu *c, uint16_t sel, uint32_t *rights, bool *ok);
bool cpu_lsl(struct cpu *c, uint16_t sel, uint32_t *limit, bool *ok);
bool cpu_verify(struct cpu *c, uint16_t sel, bool write, bool *ok);
/* Far jumps, calls, returns; opsize 2, 4, 8; next_rip is what CALL pushes; `pop`: bytes RET n releases. Set
 * st.rip. */
bool cpu_far_jmp(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip);
bool cpu_far_call(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip);
bool cpu_far_ret(struct cpu *c, unsigned opsize, unsigned pop);
/* SYSCALL/SYSRET/SYSENTER/SYSEXIT as the guest's vendor defines them; set st.rip. opsize 8 for REX.W forms,
 * else 4. */
bool cpu_syscall(struct cpu *c, uint64_t next_rip);
bool cpu_sysret(struct cpu *c, unsigned opsize);
bool cpu_sysenter(struct cpu *c, uint64_t next_rip);
bool cpu_sysexit(struct cpu *c, unsigned opsize);
/* I/O permission for `size` bytes at `port` (IOPL, I/O bitmap of the TSS; SDM 1 19.5). */
bool cpu_io_allowed(struct cpu *c, uint16_t port, unsigned size);

/* ---- control.c: control and debug registers, flags ---- */

/* MOV CRn / CLTS / LMSW / XSETBV with every check; CPL has been checked by the caller. */
bool cpu_set_cr0(struct cpu *c, uint64_t v);
bool cpu_set_cr3(struct cpu *c, uint64_t v);
bool cpu_set_cr4(struct cpu *c, uint64_t v);
bool cpu_set_cr8(struct cpu *c, uint64_t v);
uint64_t cpu_cr8(struct cpu *c);
bool cpu_set_efer(struct cpu *c, uint64_t v);
bool cpu_set_xcr0(struct cpu *c, uint32_t index, uint64_t v);
bool cpu_read_dr(struct cpu *c, unsigned n, uint64_t *v);
bool cpu_write_dr(struct cpu *c, unsigned n, uint64_t v);
/*
 * POPF/IRET image into the flags as CPL and IOPL allow (SDM 2B "POPF"); opsize 2, 4, 8; VME and VM rules
 * included. Rechecks events when IF went from 0 to 1, reports a mode change when TF, AC or VM changed.
 */
bool cpu_popf(struct cpu *c, uint64_t image, unsigned opsize);
bool cpu_pushf(struct cpu *c, unsigned opsize, uint64_t *image);
/* CLI, STI with IOPL, VME and PVI rules; STI sets the shadow. */
bool cpu_cli(struct cpu *c);
bool cpu_sti(struct cpu *c);
bool cpu_invlpg(struct cpu *c, uint64_t lin);
bool cpu_invpcid(struct cpu *c, uint64_t type, uint64_t pcid, uint64_t lin);

/* ---- msr.c, pvclock.c ---- */

/* CPL has been checked. False: #GP(0) in cpu->fault. Unknown MSRs are counted and logged at a limited rate.
 */
bool cpu_rdmsr(struct cpu *c, uint32_t index, uint64_t *v);
bool cpu_wrmsr(struct cpu *c, uint32_t index, uint64_t v);
/*
 * st.tsc_offset has changed: the APIC's deadline and the paravirtual clock's page follow. WRMSR calls it; so
 * does whoever pushes state from outside.
 */
void cpu_tsc_changed(struct cpu *c);
/* What RDTSC gives now. */
static inline uint64_t cpu_tsc(struct cpu *c)
{
    return clock_tsc(c->clock) + c->st.tsc_offset;
}

#endif
