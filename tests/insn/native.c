/*
 * native.c: cases on the host's processor.
 *
 * The child maps code, data and a context page where the guest has them (case.h). Each case's bytes are put
 * into the code page with a jump to native_exit behind them; everything around is INT3, so that a branch to
 * elsewhere arrives as SIGTRAP with its target. Faults arrive as signals; the handler takes the state out of
 * its frame and leaves by native_leave, so that no sigreturn is needed.
 */
#include "native.h"

#include "mode.h"
#include "native_asm.h"
#include <asm/ldt.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE_BIT 2u
#define TRAP_BP             3
#define TRAP_PF             14
#define CASE_SECONDS        10

void native_enter(void);
void native_exit(void);
void native_jump64(void);
void native_jump_far(void);
void native_leave(void) __attribute__((noreturn));
void native_signal(int sig);
void native_signal_body(int sig, siginfo_t *si, void *uc) __attribute__((noreturn, used));

struct shared {
    _Atomic uint32_t go;   /* batch number + 1, 0: nothing to do; futex */
    _Atomic uint32_t done; /* counts; futex */
    _Atomic uint32_t at;   /* case in work */
    unsigned first;        /* where to begin in the batch */
    struct batch batch[2];
};

struct native {
    struct shared *sh;
    const uint8_t *base;
    pid_t pid;
    unsigned bits, which;
    uint32_t done;
};

bool native_has_fsgsbase(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;
}

uint64_t native_xcr0(void)
{
    uint32_t a = 0, d = 0;
    if (__builtin_cpu_supports("xsave"))
        __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *limit)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, limit, NULL, 0);
}
static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- the child ---- */

#define CTX_AT(type, at) (*(volatile type *)(uintptr_t)(at))

static struct outcome *current; /* of the case in work; the child has one thread */

static bool has_pointers(const uint8_t *x)
{
    return (x[XS_FSW] & 0x80) || load_le(x + XS_FOP, 2) || load_le(x + XS_FIP, 8) || load_le(x + XS_FDP, 8);
}

static void collect_signal(struct outcome *o, const siginfo_t *si, const ucontext_t *uc)
{
    static const uint8_t order[X86_NGPR] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                            REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                            REG_R12, REG_R13, REG_R14, REG_R15};
    const greg_t *g = uc->uc_mcontext.gregs;
    for (unsigned i = 0; i < X86_NGPR; i++)
        o->out.gpr[i] = (uint64_t)g[order[i]];
    o->out.rip = (uint64_t)g[REG_RIP];
    o->out.rflags = (uint64_t)g[REG_EFL];
    memcpy(o->out.xsave, uc->uc_mcontext.fpregs, XSAVE_SIZE);
    o->pointers = has_pointers(o->out.xsave) ? POINTERS_FULL : POINTERS_LOST;
    o->vector = (uint8_t)g[REG_TRAPNO];
    o->error = (uint32_t)g[REG_ERR];
    o->cr2 = o->vector == TRAP_PF ? (uint64_t)g[REG_CR2] : 0;
    /* INT3 around the instruction: where a branch has arrived. */
    if (o->vector == TRAP_BP) {
        o->vector = NO_FAULT;
        o->out.rip--;
    }
}

void native_signal_body(int sig, siginfo_t *si, void *uc)
{
    collect_signal(current, si, uc);
    native_leave();
}

static void *map_fixed(uint64_t at, size_t size, int prot)
{
    void *p = mmap((void *)(uintptr_t)at, size, prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
    return p == (void *)(uintptr_t)at ? p : NULL;
}

/* The segments of 16-bit code, and FS and GS of 32-bit code, into the child's LDT. */
static bool set_ldt(void)
{
    const struct mode *m = mode_of(16);
    static const enum x86_sreg entries[] = {SEG_CS, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++) {
        const struct mode_segment *s = &m->seg[entries[i]];
        struct user_desc d = {.entry_number = i, .base_addr = s->base, .limit = s->limit};
        d.seg_32bit = s->big;
        d.contents = s->code          ? MODIFY_LDT_CONTENTS_CODE
                     : s->expand_down ? MODIFY_LDT_CONTENTS_STACK
                                      : MODIFY_LDT_CONTENTS_DATA;
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
            return false;
    }
    return true;
}

bool native_has_ldt(void)
{
    pid_t pid = fork();
    int status = 1;
    if (pid == 0)
        _exit(!set_ldt());
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool child_setup_segments(void)
{
    /* jmp [native_exit's address] in 64-bit code */
    const uint8_t jump[7] = {
        0xff, 0x24, 0x25, CTX_EXIT & 0xff, CTX_EXIT >> 8 & 0xff, CTX_EXIT >> 16 & 0xff, CTX_EXIT >> 24};
    uint8_t *low = map_fixed(CTX_LOW, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (!low || !set_ldt())
        return false;
    memcpy(low, jump, sizeof(jump));
    return true;
}

static bool child_setup(const uint8_t *base)
{
    static _Alignas(64) uint8_t stack[65536];
    const int rw = PROT_READ | PROT_WRITE;
    uint8_t *code = map_fixed(CODE_VA, CODE_SIZE, rw | PROT_EXEC), *area = map_fixed(DATA_VA, AREA_SIZE, rw);
    if (!code || !area || !map_fixed(CTX, PAGE_SIZE, rw))
        return false;
    memset(code, CODE_FILL, CODE_SIZE);
    memcpy(area, base, AREA_SIZE);
    mprotect(area + DATA_SIZE, RO_SIZE, PROT_READ);
    CTX_AT(uint32_t, CTX_FSGS) = native_has_fsgsbase();
    CTX_AT(uint32_t, CTX_MXCSR) = 0x1f80;
    CTX_AT(uint64_t, CTX_EXIT) = (uintptr_t)native_exit;
    CTX_AT(uint64_t, CTX_JUMP) = (uintptr_t)native_jump64;
    const stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_NODEFER};
    sa.sa_handler = native_signal;
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &sa, NULL);
    return true;
}

static void collect_exit(struct outcome *o, const struct icase *k)
{
    memcpy(o->out.gpr, (void *)(uintptr_t)CTX_OUT_GPR, sizeof(o->out.gpr));
    o->out.rip = k->in.rip + k->len;
    o->out.rflags = CTX_AT(uint64_t, CTX_OUT_FLAGS);
    memcpy(o->out.xsave, (void *)(uintptr_t)CTX_OUT_XSAVE, XSAVE_SIZE);
    o->pointers = has_pointers(o->out.xsave) ? POINTERS_FULL : POINTERS_LOW32;
    if (o->pointers == POINTERS_FULL)
        return;
    store_le(o->out.xsave + XS_FIP, CTX_AT(uint32_t, CTX_OUT_ENV + 12), 8);
    store_le(o->out.xsave + XS_FOP, CTX_AT(uint32_t, CTX_OUT_ENV + 16) >> 16 & 0x7ff, 2);
    store_le(o->out.xsave + XS_FDP, CTX_AT(uint32_t, CTX_OUT_ENV + 20), 8);
    if (!has_pointers(o->out.xsave)) /* the child was switched out in between */
        o->pointers = POINTERS_LOST;
}

static void enter_mode(const struct icase *k)
{
    const struct mode *m = mode_of(k->code_bits);
    CTX_AT(uint64_t, CTX_TARGET) = k->in.rip;
    CTX_AT(uint32_t, CTX_LOAD) = k->code_bits != 64;
    if (k->code_bits == 64)
        return;
    CTX_AT(uint64_t, CTX_TARGET) = k->in.rip | (uint64_t)m->seg[SEG_CS].sel << 32;
    CTX_AT(uint64_t, CTX_JUMP) = (uintptr_t)native_jump_far;
    for (unsigned i = 0; i < 6; i++)
        CTX_AT(uint16_t, CTX_SEL + 2 * i) = m->seg[i].sel;
}

static void run_case(const struct icase *k, struct outcome *o, const uint8_t *base, uint8_t *before)
{
    uint8_t tail[CASE_CODE];
    const unsigned off = (unsigned)(case_linear(k) - CODE_VA);
    const unsigned len = MIN((unsigned)CODE_SIZE - off, case_code(k, tail));
    uint8_t *code = (uint8_t *)(uintptr_t)CODE_VA;
    memcpy(code + off, tail, len);
    area_prepare(k, (uint8_t *)(uintptr_t)DATA_VA, before);

    memcpy((void *)(uintptr_t)CTX_IN_GPR, k->in.gpr, sizeof(k->in.gpr));
    memcpy((void *)(uintptr_t)CTX_IN_XSAVE, k->in.xsave, XSAVE_SIZE);
    enter_mode(k);
    CTX_AT(uint64_t, CTX_IN_FLAGS) = k->in.rflags;
    CTX_AT(uint64_t, CTX_IN_FS) = k->in.fs_base;
    CTX_AT(uint64_t, CTX_IN_GS) = k->in.gs_base;
    current = o;
    o->vector = 0xfd; /* set by the handler if it comes to that */
    o->error = 0;
    o->cr2 = 0;
    native_enter();
    if (o->vector == 0xfd) {
        o->vector = NO_FAULT;
        collect_exit(o, k);
    }
    o->out.fs_base = CTX_AT(uint64_t, CTX_OUT_FS);
    o->out.gs_base = CTX_AT(uint64_t, CTX_OUT_GS);
    memset(code, CODE_FILL, CODE_SIZE); /* whole: a case may have stored there */
    area_collect(k, (uint8_t *)(uintptr_t)DATA_VA, before, base, o);
}

static void child_main(struct shared *sh, const uint8_t *base, unsigned bits)
{
    static uint8_t before[DATA_SIZE];
    memcpy(before, base, DATA_SIZE);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!child_setup(base) || (bits != 64 && !child_setup_segments()))
        _exit(3);
    for (;;) {
        uint32_t go;
        while (!(go = sh->go))
            futex_wait(&sh->go, 0, NULL);
        struct batch *b = &sh->batch[go - 1];
        for (unsigned i = sh->first; i < b->count; i++) {
            sh->at = i;
            run_case(&b->k[i], &b->o[i], base, before);
        }
        sh->go = 0;
        sh->done++;
        futex_wake(&sh->done);
    }
}

/* ---- the parent ---- */

static bool start_child(struct native *n)
{
    fflush(NULL);
    n->pid = fork();
    if (n->pid == 0)
        child_main(n->sh, n->base, n->bits);
    return n->pid > 0;
}

struct native *native_new(const uint8_t *base, unsigned bits, struct err *e)
{
    struct native *n = calloc(1, sizeof(*n));
    if (!n) {
        err_host(e, "no memory for the native side");
        return NULL;
    }
    n->base = base;
    n->bits = bits;
    n->sh = mmap(NULL, sizeof(*n->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n->sh == MAP_FAILED || !start_child(n)) {
        err_host(e, "cannot start the native child: %s", strerror(errno));
        free(n);
        return NULL;
    }
    return n;
}

void native_free(struct native *n)
{
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    munmap(n->sh, sizeof(*n->sh));
    free(n);
}

struct batch *native_batch(struct native *n, unsigned which)
{
    return &n->sh->batch[which];
}

static void set_going(struct native *n, unsigned first)
{
    n->done = n->sh->done;
    n->sh->first = first;
    n->sh->go = n->which + 1;
    futex_wake(&n->sh->go);
}

void native_start(struct native *n, unsigned which)
{
    n->which = which;
    set_going(n, 0);
}

/* The child is gone or stuck: mark the case and go on behind it with a new one. */
static void replace_child(struct native *n)
{
    unsigned at = n->sh->at;
    struct batch *b = &n->sh->batch[n->which];
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    memset(&b->o[at], 0, sizeof(b->o[at]));
    b->o[at].vector = DIED;
    n->sh->go = 0;
    if (start_child(n))
        set_going(n, at + 1);
}

void native_wait(struct native *n)
{
    const struct timespec step = {.tv_nsec = 100000000};
    uint32_t at = n->sh->at;
    unsigned waited = 0;
    while (n->sh->done == n->done) {
        futex_wait(&n->sh->done, n->done, &step);
        if (n->sh->done != n->done)
            break;
        waited = n->sh->at == at ? waited + 1 : 0;
        at = n->sh->at;
        if (waited > CASE_SECONDS * 10 || waitpid(n->pid, NULL, WNOHANG) == n->pid) {
            replace_child(n);
            waited = 0;
        }
    }
}
