/*
 * guest.c: fuzz target: guest code in every mode on the interpreter.
 *
 * An input is a state (stage.h) and code. It runs in chunks of some instructions, between which interrupts,
 * time, stores of other masters and requests of a debugger come; after each the register state and the TLB
 * are looked at. Every other input runs on a second machine by single steps as well: both must agree to the
 * bit.
 */
#include "check.h"
#include "stage.h"

#include "engine/interp/insn.h"
#include <inttypes.h>
#include <stdio.h>

enum { CHUNKS = 16, TOTAL = 600 };

static struct rig *rigs[2];

/* ---- what happens between two chunks ---- */

enum event {
    EV_NONE,
    EV_NMI,
    EV_INTERRUPT,
    EV_EXTINT,
    EV_TIME,
    EV_STORE, /* of another bus master, into the code */
    EV_PUSH,  /* the whole state out and in again */
    EV_FLUSH,
    EV_BREAKPOINT,
    EV_KICK,
    EV_INIT,
    EV_STEPPING,
    EV_KINDS
};

static void push_again(struct rig *r)
{
    struct x86_state *s = &r->cpu->st, copy = *s;
    interp_engine.pull(r->vcpu, GROUP_ALL, &copy);
    interp_engine.push(r->vcpu, GROUP_ALL, &copy);
}

static void happen(struct rig *r, const struct stage_header *h, uint8_t what)
{
    unsigned arg = what >> 4;
    switch (what % EV_KINDS) {
    case EV_NMI: rig_msi(r, 4, 0); break;
    case EV_INTERRUPT: rig_msi(r, 0, (uint8_t)(0x10 + arg * 3)); break;
    case EV_EXTINT:
        r->extint_vector = (uint8_t)(arg * 4);
        interp_engine.extint(r->engine, true);
        break;
    case EV_TIME: clock_step(r->clock, BIT(2 * arg)); break;
    case EV_STORE: mem_write(r->mem, STAGE_CODE + 5 * arg, &what, 1); break;
    case EV_PUSH: push_again(r); break;
    case EV_FLUSH: interp_engine.flush_code(r->vcpu); break;
    case EV_BREAKPOINT:
        if (!(h->options & STAGE_COMPARE))
            interp_engine.breakpoint(r->vcpu, STAGE_CODE + arg, !(arg & 8));
        break;
    case EV_KICK: interp_engine.kick(r->vcpu); break;
    case EV_INIT: rig_msi(r, 5, 0); break;
    case EV_STEPPING:
        if (!(h->options & STAGE_COMPARE))
            interp_engine.single_step(r->vcpu, arg & 1);
        break;
    default: break;
    }
}

/* ---- two machines ---- */

/*
 * What cannot be compared from here on: page tables that the guest can change, as the two may hold different
 * stale entries of them.
 */
static bool comparable(const struct rig *r, const struct stage_header *h)
{
    const struct x86_state *s = &r->cpu->st;
    return !(s->cr0 & CR0_PG) || (s->cr3 >= RIG_ROM && s->cr3 < RIG_ROM + RIG_ROM_SIZE);
}

static void show(const struct rig *r)
{
    const struct x86_state *s = &r->cpu->st;
    fprintf(stderr,
            "cs %04x rip %" PRIx64 " rflags %x cpl %u cr0 %" PRIx64 " cr2 %" PRIx64 " cr4 %" PRIx64
            " efer %" PRIx64 "\n ",
            s->seg[SEG_CS].sel, s->rip, x86_rflags(s), s->cpl, s->cr0, s->cr2, s->cr4, s->efer);
    for (unsigned i = 0; i < X86_NGPR; i++)
        fprintf(stderr, " %" PRIx64, s->gpr[i]);
    fprintf(stderr,
            "\n  dr6 %" PRIx64 " dr7 %" PRIx64 " mp %u shadow %u pending %d %" PRIx64
            " nmi %d %d fsw %x fcw %x mxcsr %x\n",
            s->dr6, s->dr7, s->mp, s->ev.shadow, s->ev.debug_pending, s->ev.dr6_pending, s->ev.nmi_pending,
            s->ev.nmi_masked, s->fpu.fx.fsw, s->fpu.fx.fcw, s->fpu.fx.mxcsr);
}

static size_t first_difference(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;
    size_t i = 0;
    while (i < n && p[i] == q[i])
        i++;
    return i;
}

static void compare(const struct rig *a, const struct rig *b)
{
    const struct x86_state *s = &a->cpu->st, *t = &b->cpu->st;
    if (memcmp(s, t, sizeof(*s))) {
        show(a);
        show(b);
        FUZZ_CHECK(!"same state", "blocks and single steps differ at byte %zu of struct x86_state",
                   first_difference(s, t, sizeof(*s)));
    }
    unsigned n;
    const struct mem_slot *m = mem_slots(a->mem, &n), *o = mem_slots(b->mem, &n);
    for (unsigned i = 0; i < n; i++)
        for (uint64_t at = 0; at < m[i].size; at += PAGE_SIZE)
            if (((m[i].flags[at >> PAGE_SHIFT] | o[i].flags[at >> PAGE_SHIFT]) & MEM_PAGE_DIRTY) &&
                memcmp(m[i].hva + at, o[i].hva + at, PAGE_SIZE)) {
                show(a);
                FUZZ_CHECK(!"same memory", "blocks and single steps differ at 0x%" PRIx64,
                           m[i].gpa + at + first_difference(m[i].hva + at, o[i].hva + at, PAGE_SIZE));
            }
    FUZZ_CHECK(a->writes == b->writes, "the device was written to %" PRIu64 " and %" PRIu64 " times",
               a->writes, b->writes);
}

/*
 * The second machine, to where the first one came in `done` instructions and why it stopped there. False: not
 * comparable, a repeated instruction was left in the middle.
 */
static bool follow(struct rig *r, uint64_t done, enum engine_exit why)
{
    struct engine_exit_info info;
    bool beyond = false; /* behind the last instruction, something that counts for none has ended the run */
    interp_engine.single_step(r->vcpu, true);
    for (uint64_t calls = 0, n; calls < 4 * done + 4096; calls++, done -= n) {
        enum engine_exit now = interp_run_limited(r->vcpu, done + beyond, &n, &info);
        FUZZ_CHECK(n <= done, "%" PRIu64 " too many", n - done);
        if (now == EXIT_DEBUG)
            continue;
        if (now == EXIT_KICK && why != EXIT_KICK && n == done && !beyond) {
            beyond = true;
            continue;
        }
        FUZZ_CHECK(now == why && n == done,
                   "blocks stopped with %s, single steps with %s, %" PRIu64 " before", engine_exit_names[why],
                   engine_exit_names[now], done - n);
        return true;
    }
    return false;
}

/* ---- one input ---- */

/* May the input go on after this? */
static bool look(const struct rig *r, enum engine_exit why)
{
    check_state(r->cpu);
    check_tlb(r->cpu);
    FUZZ_CHECK(why != EXIT_ERROR, "the engine gave up");
    return why != EXIT_SHUTDOWN;
}

static void run(const struct stage_header *h)
{
    bool both = h->options & STAGE_COMPARE;
    uint64_t chunk = h->chunk + 1u, total = 0;
    for (unsigned k = 0; k < CHUNKS && total < TOTAL; k++) {
        struct engine_exit_info info;
        uint64_t done;
        enum engine_exit why = interp_run_limited(rigs[0]->vcpu, chunk, &done, &info);
        total += MAX(done, 1u);
        if (both) {
            both =
                (why != EXIT_KICK || done >= chunk) && comparable(rigs[0], h) && follow(rigs[1], done, why);
            if (both)
                compare(rigs[0], rigs[1]);
        }
        if (!look(rigs[0], why))
            break;
        uint8_t what = h->events[k % ARRAY_LEN(h->events)];
        for (unsigned i = 0; i < (both ? 2u : 1u); i++)
            happen(rigs[i], h, what);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = {data, data + size};
    struct stage_header h;
    if (!stage_read(&h, &in))
        return -1; /* not worth to be kept */
    unsigned machines = h.options & STAGE_COMPARE ? 2 : 1;
    for (unsigned i = 0; i < machines; i++) {
        if (!rigs[i])
            rigs[i] = rig_new();
        rig_reset(rigs[i]);
        stage_set(rigs[i], &h, in);
    }
    run(&h);
    return 0;
}
