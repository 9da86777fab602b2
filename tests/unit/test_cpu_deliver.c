/*
 * test_cpu_deliver.c: exceptions, interrupts and IRET (SDM 3A chapter 6 unless another section is named).
 */
#include "cpu_env.h"

static enum cpu_result fault(struct cpu *c, uint8_t vector, bool has_error, uint32_t error, uint64_t addr)
{
    c->fault = (struct cpu_fault){vector, has_error, error, addr};
    return cpu_deliver_fault(c);
}
static enum cpu_result gp(struct cpu *c)
{
    return fault(c, VEC_GP, true, 0x1234, 0);
}

/* `n` elements of `size` bytes at `at`, lowest first. */
static void assert_frame(struct fixture *f, gpa_t at, unsigned size, const uint64_t *want, unsigned n,
                         const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t got = peek(f, at + i * size, size);
        if (got != want[i])
            fail_msg("%s: element %u of the frame is %#llx, not %#llx", name, i, (unsigned long long)got,
                     (unsigned long long)want[i]);
    }
}
#define FRAME(f, at, size, name, ...)                          \
    assert_frame(f, at, size, (const uint64_t[]){__VA_ARGS__}, \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), name)

/* ---- frames ---- */

/* 6.12.1, figure 6-4 */
static void frame_at_the_same_privilege(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    x86_set_rflags(&c->st, FL_IF | FL_TF | FL_NT | FL_CF | FL_AC);
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, AT_STACK0 - 16, 4, "32-bit", 0x1234, AT_CODE, S_CODE,
          FL_IF | FL_TF | FL_NT | FL_CF | FL_AC | FL_RF | FL_ONE);
    assert_int_equal(c->st.gpr[RSP], AT_STACK0 - 16);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_GP);
    assert_int_equal(x86_rflags(&c->st), FL_CF | FL_AC | FL_ONE); /* 6.12.1.3 */
    assert_true(mode_reported(c));

    /* A trap gate leaves IF; a 16-bit gate pushes words. */
    c = env_protected(f, 0);
    set_idt(f, VEC_GP, S_CODE, 0xabcd0000 | 0x1100, SEG_P | SYS_TRAP16, 0);
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, AT_STACK0 - 8, 2, "16-bit", 0x1234, AT_CODE & 0xffff, S_CODE, FL_IF | FL_ONE);
    assert_int_equal(c->st.rip, 0x1100);
    assert_true(x86_rflags(&c->st) & FL_IF);
}

/* 6.12.1: stack of the TSS */
static void frame_at_more_privilege(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 3);
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, AT_STACK_TSS - 24, 4, "to CPL 0", 0x1234, AT_CODE, S_UCODE, FL_IF | FL_RF | FL_ONE, AT_STACK3,
          S_UDATA);
    assert_int_equal(c->st.cpl, 0);
    assert_int_equal(c->st.seg[SEG_SS].sel, S_DATA);
    assert_int_equal(c->st.seg[SEG_CS].sel, S_CODE);
    assert_int_equal(c->st.seg[SEG_DS].sel, S_UDATA);

    /* A conforming handler runs at the interrupted privilege, on its stack. */
    c = env_protected(f, 3);
    set_idt(f, VEC_GP, S_CONF, AT_HANDLER, SEG_P | SYS_INT32, 0);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.cpl, 3);
    assert_int_equal(c->st.seg[SEG_CS].sel, S_CONF | 3);
    assert_int_equal(c->st.gpr[RSP], AT_STACK3 - 16);
}

/* 6.14.2 to 6.14.5 */
static void frame_in_long_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    c->st.gpr[RSP] = AT_STACK0 + 5; /* aligned down to 16 */
    assert_int_equal(fault(c, VEC_UD, false, 0, 0), CPU_GO_ON);
    FRAME(f, AT_STACK0 - 40, 8, "same privilege", AT_CODE, S_CODE64, FL_IF | FL_RF | FL_ONE, AT_STACK0 + 5,
          S_DATA);
    assert_int_equal(c->st.gpr[RSP], AT_STACK0 - 40);
    assert_int_equal(c->st.seg[SEG_SS].sel, S_DATA); /* no change of privilege: SS stays */

    c = env_long(f, 3);
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, AT_STACK_TSS - 48, 8, "from CPL 3", 0x1234, AT_CODE, S_UCODE64, FL_IF | FL_RF | FL_ONE,
          AT_STACK3, S_UDATA);
    assert_int_equal(c->st.seg[SEG_SS].sel, 0);
    assert_true(c->st.seg[SEG_SS].attr & SEG_UNUSABLE);
    assert_int_equal(c->st.cpl, 0);

    c = env_long(f, 0);
    set_idt(f, VEC_GP, S_CODE64, AT_HANDLER, SEG_P | SYS_INT32, 1);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.gpr[RSP], AT_STACK_IST - 48);
    assert_int_equal(c->st.seg[SEG_SS].sel, S_DATA);
    poke(f, AT_TSS + 36 + 8 * 6, AT_STACK_TASK, 8);
    set_idt(f, VEC_GP, S_CODE64, AT_HANDLER, SEG_P | SYS_INT32, 7);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.gpr[RSP], AT_STACK_TASK - 48);

    /* From compatibility mode: 64-bit handler, full RSP. */
    c = env_long(f, 0);
    set_seg(c, SEG_CS, S_CODE, A_CODE | SEG_G | SEG_DB);
    set_seg(c, SEG_SS, S_DATA16, A_DATA);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.gpr[RSP], AT_STACK0 - 48);
    assert_true(x86_64bit(&c->st));
}

/* ---- what may be wrong with a gate: 6.13 error codes ---- */

static const struct gate_case {
    const char *name;
    bool long_mode;
    uint16_t sel;
    uint32_t attr;
    uint32_t want; /* of INT 0x40 at CPL 0 */
} gate_cases[] = {
    {"not present", false, S_CODE, SYS_INT32, F(VEC_NP, 0x202)},
    {"a call gate", false, S_CODE, SEG_P | SYS_CALL32, GP(0x202)},
    {"a code descriptor", false, S_CODE, A_CODE, GP(0x202)},
    {"null selector", false, 0, SEG_P | SYS_INT32, GP(0)},
    {"data segment", false, S_DATA, SEG_P | SYS_INT32, GP(S_DATA)},
    {"less privilege", false, S_UCODE, SEG_P | SYS_INT32, GP(S_UCODE & ~3)},
    {"code not present", false, S_NPCODE, SEG_P | SYS_INT32, F(VEC_NP, S_NPCODE)},
    {"beyond the code's limit", false, S_SMALL, SEG_P | SYS_INT32, GP(0)},
    {"selector beyond the table", false, S_BEYOND, SEG_P | SYS_INT32, GP(S_BEYOND)},
    {"16-bit gate", false, S_CODE, SEG_P | SYS_INT16, OK},
    {"32-bit code in long mode", true, S_CODE, SEG_P | SYS_INT32, GP(S_CODE)},
    {"16-bit gate in long mode", true, S_CODE64, SEG_P | SYS_INT16, GP(0x202)},
    {"task gate in long mode", true, S_TSS2, SEG_P | SYS_TASK, GP(0x202)},
    {"L and D in long mode", true, S_LD, SEG_P | SYS_INT32, GP(S_LD)},
    {"64-bit code in long mode", true, S_CODE64, SEG_P | SYS_INT32, OK},
};

static void gates(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(gate_cases); i++) {
        const struct gate_case *t = &gate_cases[i];
        struct cpu *c = t->long_mode ? env_long(f, 0) : env_protected(f, 0);
        uint64_t rsp = c->st.gpr[RSP];
        set_idt(f, 0x40, t->sel, AT_HANDLER, t->attr, 0);
        bool done = cpu_software_int(c, 0x40, false, AT_CODE + 2);
        assert_outcome(c, done, t->want, t->name);
        if (!done) {
            assert_field(c->st.gpr[RSP], rsp, t->name, "RSP");
            assert_field(c->st.rip, AT_CODE, t->name, "RIP");
        }
        /* The same met while an exception is delivered has EXT set. */
        c = t->long_mode ? env_long(f, 0) : env_protected(f, 0);
        set_idt(f, VEC_UD, t->sel, AT_HANDLER, t->attr, 0);
        assert_field(fault(c, VEC_UD, false, 0, 0), CPU_GO_ON, t->name, "result");
        if (t->want == OK)
            continue;
        uint32_t error = (t->want & 0xffff) == 0x202 ? VEC_UD << 3 | ERR_IDT : t->want & 0xffff;
        assert_field(c->st.rip, AT_HANDLER + (t->want >> 16), t->name, "handler");
        assert_field(peek(f, c->st.gpr[RSP], 4), error | ERR_EXT, t->name, "error code");
    }
}

static void gates_beyond_the_limit_and_privilege(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    c->st.idtr.limit = 0x40 * 8 + 6;
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), GP(0x202), "6.13 beyond the limit");
    c->st.idtr.limit = 0x40 * 8 + 7;
    assert_true(cpu_software_int(c, 0x40, false, 1));
    c = env_long(f, 0);
    c->st.idtr.limit = 0x40 * 16 + 14;
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), GP(0x202), "6.13 beyond the limit, long mode");
    c = env_protected(f, 3);
    set_idt(f, 0x40, S_CODE, AT_HANDLER, SEG_P | SYS_INT32, 0);
    set_idt(f, VEC_UD, S_CODE, AT_HANDLER, SEG_P | SYS_INT32, 0);
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), GP(0x202), "6.12.1.1 INT n: DPL below CPL");
    set_idt(f, VEC_BP, S_CODE, AT_HANDLER, SEG_P | SYS_INT32, 0);
    assert_outcome(c, cpu_software_int(c, VEC_BP, true, 1), GP(0x1a), "6.12.1.1 INT3 too");
    assert_int_equal(fault(c, VEC_UD, false, 0, 0), CPU_GO_ON); /* exceptions ignore DPL */
    assert_int_equal(c->st.rip, AT_HANDLER);
    c = env_long(f, 0);
    poke(f, AT_IDT + 16 * 0x40 + 8, 0x8000, 8);
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), GP(0), "6.14.1 handler not canonical");
}

/* ---- software interrupts ---- */

static void software_interrupts_push_the_next_rip(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 3);
    x86_set_rflags(&c->st, FL_IF | FL_RF);
    assert_true(cpu_software_int(c, 0x80, false, AT_CODE + 2));
    FRAME(f, AT_STACK_TSS - 40, 8, "INT 0x80", AT_CODE + 2, S_UCODE64,
          FL_IF | FL_ONE); /* 3B 17.3.1.1: RF is 0 */
    assert_int_equal(c->st.rip, AT_HANDLER + 0x80);
}

/* ---- exceptions while delivering: tables 6-4, 6-5 ---- */

#define GATE_BIT 0x80
static const struct class_case {
    const char *name;
    uint8_t first;
    bool has_error;
    uint8_t breaks[3]; /* vectors whose gates are not present; GATE_BIT so that 0 can be named */
    int vector;        /* delivered at last; -1: shutdown */
    uint32_t error;
} class_cases[] = {
    {"benign, then contributory: serially", VEC_UD, false, {VEC_UD}, VEC_NP, VEC_UD << 3 | ERR_IDT | ERR_EXT},
    {"contributory twice", VEC_GP, true, {VEC_GP}, VEC_DF, 0},
    {"#DE is contributory", VEC_DE, false, {VEC_DE | GATE_BIT}, VEC_DF, 0},
    {"page fault, then contributory", VEC_PF, true, {VEC_PF}, VEC_DF, 0},
    {"benign, contributory, contributory", VEC_UD, false, {VEC_UD, VEC_NP}, VEC_DF, 0},
    {"#AC is benign", VEC_AC, true, {VEC_AC}, VEC_NP, VEC_AC << 3 | ERR_IDT | ERR_EXT},
    {"#DF fails", VEC_GP, true, {VEC_GP, VEC_DF}, -1, 0},
    {"#DF fails after a page fault", VEC_PF, true, {VEC_PF, VEC_DF}, -1, 0},
};

static void double_and_triple_faults(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(class_cases); i++) {
        const struct class_case *t = &class_cases[i];
        struct cpu *c = env_long(f, 3);
        for (unsigned k = 0; k < 3; k++)
            if (t->breaks[k])
                set_idt(f, t->breaks[k] & ~GATE_BIT & 0xff, S_CODE64, AT_HANDLER, SYS_INT32, 0);
        enum cpu_result r = fault(c, t->first, t->has_error, 0, 0x666000);
        assert_field(r, t->vector < 0 ? CPU_SHUTDOWN : CPU_GO_ON, t->name, "result");
        if (t->vector < 0) {
            assert_field(c->st.mp, X86_SHUTDOWN, t->name, "state");
            continue;
        }
        assert_field(c->st.rip, AT_HANDLER + t->vector, t->name, "handler");
        FRAME(f, AT_STACK_TSS - 48, 8, t->name, t->error, AT_CODE, S_UCODE64, FL_IF | FL_RF | FL_ONE,
              AT_STACK3);
    }
}

/* 6.15 interrupt 14: CR2 has the address of the last page fault, also of one that became a double fault. */
static void page_faults_while_delivering(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 3);
    c->st.cr2 = 0x1;
    assert_int_equal(fault(c, VEC_PF, true, PF_U, 0x666000), CPU_GO_ON);
    assert_int_equal(c->st.cr2, 0x666000);
    assert_int_equal(peek(f, c->st.gpr[RSP], 8), PF_U);

    c = env_long(f, 0);
    c->st.gpr[RSP] = AT_NOWHERE + 0x1000;
    set_idt(f, VEC_DF, S_CODE64, AT_HANDLER + VEC_DF, SEG_P | SYS_INT32, 1);
    assert_int_equal(fault(c, VEC_PF, true, 0, 0x666000), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DF);
    assert_int_equal(c->st.cr2, AT_NOWHERE + 0x1000 - 48);
    FRAME(f, AT_STACK_IST - 48, 8, "#DF", 0, AT_CODE, S_CODE64, FL_IF | FL_RF | FL_ONE, AT_NOWHERE + 0x1000);

    /* Contributory, then a page fault: that is delivered. */
    c = env_long(f, 0);
    c->st.gpr[RSP] = AT_NOWHERE + 0x1000;
    set_idt(f, VEC_PF, S_CODE64, AT_HANDLER + VEC_PF, SEG_P | SYS_INT32, 1);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_PF);
    assert_int_equal(peek(f, AT_STACK_IST - 48, 8), PF_W);
}

/* 6.14.4, 6.13: the new stack's faults name it. */
static void stack_faults_while_delivering(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 3);
    poke(f, AT_TSS + 4, 0x800000000010, 8);
    set_idt(f, VEC_SS, S_CODE64, AT_HANDLER + VEC_SS, SEG_P | SYS_INT32, 1);
    assert_int_equal(fault(c, VEC_UD, false, 0, 0), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_SS);
    assert_int_equal(peek(f, c->st.gpr[RSP], 8), ERR_EXT);
    poke(f, AT_TSS + 4, AT_STACK_TSS, 8);
    c = env_long(f, 3);
    c->st.seg[SEG_TR].limit = 10;
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), F(VEC_TS, S_TSS), "TSS too short");
    set_idt(f, 0x40, S_CODE64, AT_HANDLER, SEG_P | SYS_INT32 | A_DPL(3), 7);
    c->st.seg[SEG_TR].limit = 0x24 + 8 * 7 - 2;
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), F(VEC_TS, S_TSS), "no seventh stack");
    c = env_protected(f, 0);
    c->st.seg[SEG_SS].limit = 0x10;
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), F(VEC_SS, 0), "current stack");
}

/* A handler's task gate: 6.12.2; the error code goes to the new task's stack. */
static void task_gate(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 3);
    static const unsigned sregs[] = {72, 80, 84, 88, 92};
    for (unsigned i = 0; i < 104; i += 4)
        poke(f, AT_TSS2 + i, 0, 4);
    poke(f, AT_TSS2 + 32, AT_TARGET, 4);
    poke(f, AT_TSS2 + 40 + 16, AT_STACK_TASK, 4);
    for (unsigned i = 0; i < ARRAY_LEN(sregs); i++)
        poke(f, AT_TSS2 + sregs[i], S_DATA, 4);
    poke(f, AT_TSS2 + 76, S_CODE, 4);
    poke(f, AT_TSS2 + 100, 1, 2); /* T: 7.2.1 */
    set_idt(f, VEC_GP, S_TSS2, 0, SEG_P | SYS_TASK, 0);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_TARGET);
    assert_int_equal(c->st.cpl, 0);
    assert_int_equal(c->st.gpr[RSP], AT_STACK_TASK - 4);
    assert_int_equal(peek(f, AT_STACK_TASK - 4, 4), 0x1234);
    assert_int_equal(x86_rflags(&c->st), FL_NT | FL_ONE);
    assert_int_equal(peek(f, AT_TSS2, 2), S_TSS);
    assert_true(peek(f, AT_TSS + 36, 4) & FL_RF); /* a fault's image */
    assert_true(c->st.ev.debug_pending);
    assert_int_equal(c->st.ev.dr6_pending, DR6_BT);
    /* Busy now: a second fault cannot come this way. */
    set_idt(f, VEC_DF, S_CODE, AT_HANDLER + VEC_DF, SEG_P | SYS_INT32, 0);
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, AT_HANDLER + VEC_DF);
}

/* ---- real mode: 20.1.4 ---- */

static void real_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_real(f);
    c->st.rflags |= FL_TF;
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, 0x8ffa, 2, "no error code", 0x100, 0x800, FL_IF | FL_TF | FL_ONE);
    assert_int_equal(c->st.gpr[RSP], 0xffa);
    assert_int_equal(c->st.seg[SEG_CS].base, 0x10000);
    assert_int_equal(c->st.rip, VEC_GP);
    assert_int_equal(x86_rflags(&c->st), FL_ONE); /* IF, TF, AC cleared */

    c = env_real(f);
    c->st.idtr.limit = VEC_GP * 4 + 2; /* one byte short for #GP */
    assert_int_equal(gp(c), CPU_GO_ON);
    assert_int_equal(c->st.rip, VEC_DF);
    assert_true(mode_reported(c));
    c = env_real(f);
    c->st.idtr.limit = 3;
    assert_int_equal(gp(c), CPU_SHUTDOWN);
    c = env_real(f);
    c->st.gpr[RSP] = 1; /* a word at 0xffff: no room, and none for #SS, #DF */
    assert_int_equal(gp(c), CPU_SHUTDOWN);
    c = env_real(f);
    c->st.gpr[RSP] = 0xabcd0002; /* wraps */
    assert_true(cpu_software_int(c, 0x21, false, 0x102));
    assert_int_equal(c->st.gpr[RSP], 0xabcdfffc);
    assert_int_equal(peek(f, 0x8000 + 0xfffc, 2), 0x102);
    assert_int_equal(peek(f, 0x8000, 2), FL_IF | FL_ONE);
}

/* ---- virtual-8086 mode: 3B 20.2.7, 20.3 ---- */

static void from_virtual_8086_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_v86(f, 3);
    c->st.seg[SEG_GS].sel = 0x1111;
    assert_int_equal(gp(c), CPU_GO_ON);
    FRAME(f, AT_STACK_TSS - 40, 4, "V86", 0x1234, 0x100, 0x800, FL_VM | FL_IF | FL_RF | FL_IOPL | FL_ONE,
          0x1000, 0x800, 0x800, 0x800, 0x800, 0x1111);
    assert_int_equal(c->st.cpl, 0);
    assert_int_equal(c->st.rflags & FL_VM, 0);
    assert_true(c->st.seg[SEG_GS].attr & SEG_UNUSABLE);
    assert_int_equal(c->st.seg[SEG_DS].sel, 0);
    /* And back by IRETD. */
    c->st.gpr[RSP] += 4;
    poke(f, AT_STACK_TSS - 40 + 4, 0x10000, 4);
    assert_outcome(c, cpu_iret(c, 4, 0), GP(0), "SDM 2A IRET: EIP beyond 64 KiB");
    poke(f, AT_STACK_TSS - 40 + 4, 0xffff, 4);
    struct x86_state handler = c->st;
    assert_true(cpu_iret(c, 4, 0));
    assert_true(mode_reported(c));
    c->st = handler;
    poke(f, AT_STACK_TSS - 40 + 4, 0x102, 4);
    assert_true(cpu_iret(c, 4, 0));
    assert_int_equal(c->st.rip, 0x102);
    assert_int_equal(c->st.cpl, 3);
    assert_int_equal(c->st.seg[SEG_GS].base, 0x11110);
    assert_int_equal(c->st.seg[SEG_SS].sel, 0x800);
    assert_int_equal(c->st.gpr[RSP], 0x1000);
    assert_int_equal(x86_rflags(&c->st), FL_VM | FL_IF | FL_RF | FL_IOPL | FL_ONE);

    c = env_v86(f, 3);
    set_idt(f, 0x40, S_UCONF3, AT_HANDLER, SEG_P | SYS_INT32 | A_DPL(3), 0);
    assert_outcome(c, cpu_software_int(c, 0x40, false, 1), GP(S_UCONF3 & ~3), "the handler must be at CPL 0");
}

static const struct v86_int_case {
    const char *name;
    unsigned level;
    bool vme, bit, int3;
    bool to_ivt;
    uint32_t want;
} v86_int_cases[] = {
    {"INT n, IOPL 3", 3, false, true, false, false, OK},
    {"INT n, IOPL 0", 0, false, true, false, false, GP(0)},
    {"INT3, IOPL 0", 0, false, true, true, false, OK},
    {"VME, redirected, IOPL 0", 0, true, false, false, true, OK},
    {"VME, redirected, IOPL 3", 3, true, false, false, true, OK},
    {"VME, not redirected, IOPL 0", 0, true, true, false, false, GP(0)},
    {"VME, not redirected, IOPL 3", 3, true, true, false, false, OK},
    {"VME, INT3 is not redirected", 0, true, false, true, false, OK},
};

static void software_interrupts_in_virtual_8086_mode(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(v86_int_cases); i++) {
        const struct v86_int_case *t = &v86_int_cases[i];
        struct cpu *c = env_v86(f, t->level);
        uint8_t vector = t->int3 ? VEC_BP : 0x21;
        c->st.cr4 = t->vme ? CR4_VME : 0;
        c->st.rflags |= FL_VIF;
        poke(f, 4 * vector, 0x20000123, 4);
        poke(f, AT_TSS + 102, 200, 2); /* redirection bitmap at 168 */
        poke(f, AT_TSS + 168 + vector / 8, t->bit ? 1u << (vector & 7) : 0, 1);
        assert_outcome(c, cpu_software_int(c, vector, t->int3, 0x102), t->want, t->name);
        if (t->want)
            continue;
        if (!t->to_ivt) {
            assert_field(c->st.rip, AT_HANDLER + vector, t->name, "RIP");
            continue;
        }
        assert_field(c->st.rip, 0x123, t->name, "IP");
        assert_field(c->st.seg[SEG_CS].base, 0x20000, t->name, "CS");
        assert_field(c->st.gpr[RSP], 0xffa, t->name, "SP");
        assert_field(peek(f, 0x8ffa, 2), 0x102, t->name, "pushed IP");
        /* The image has IOPL 3, and VIF in place of IF. */
        assert_field(peek(f, 0x8ffe, 2), FL_IF | FL_IOPL | FL_ONE, t->name, "pushed flags");
        uint32_t left = t->level == 3 ? FL_VIF : FL_IF;
        assert_field(c->st.rflags & (FL_IF | FL_VIF), left, t->name, "IF and VIF");
        assert_field(c->st.rflags & FL_VM, FL_VM, t->name, "VM");
    }
    struct cpu *c = env_v86(f, 0);
    c->st.cr4 = CR4_VME;
    c->st.seg[SEG_TR].limit = 103; /* the smallest TSS that can have a bitmap */
    poke(f, AT_TSS + 102, 100, 2);
    poke(f, AT_TSS + 68 + 4, 0, 1);
    assert_true(cpu_software_int(c, 0x21, false, 1));
    c = env_v86(f, 3);
    c->st.cr4 = CR4_VME;
    c->st.seg[SEG_TR].attr = SEG_P | SYS_TSS16_BUSY;
    assert_outcome(c, cpu_software_int(c, 0x21, false, 1), GP(0), "no bitmap in a 16-bit TSS");
}

/* ---- IRET: SDM 2A ---- */

static const struct iret_case {
    const char *name;
    bool long_mode;
    uint16_t cs, ss;
    uint64_t ip;
    uint32_t want;
} iret_cases[] = {
    {"same privilege", false, S_CODE, 0, AT_TARGET, OK},
    {"to CPL 3", false, S_UCODE, S_UDATA, AT_TARGET, OK},
    {"null CS", false, 0, 0, AT_TARGET, GP(0)},
    {"data CS", false, S_DATA, 0, AT_TARGET, GP(S_DATA)},
    {"CS not present", false, S_NPCODE, 0, AT_TARGET, F(VEC_NP, S_NPCODE)},
    {"beyond the limit", false, S_SMALL, 0, 0x100, GP(0)},
    {"outer, null SS", false, S_UCODE, 0, AT_TARGET, GP(0)},
    {"outer, wrong SS", false, S_UCODE, S_DATA, AT_TARGET, GP(S_DATA)},
    {"64-bit, same privilege", true, S_CODE64, S_DATA, AT_TARGET, OK},
    {"64-bit, null SS at CPL 0", true, S_CODE64, 0, AT_TARGET, OK},
    {"64-bit, to CPL 3", true, S_UCODE64, S_UDATA, AT_TARGET, OK},
    {"64-bit, null SS at CPL 3", true, S_UCODE64, 3, AT_TARGET, GP(0)},
    {"64-bit, to 32 bits at CPL 3", true, S_UCODE, S_UDATA, AT_TARGET, OK},
    {"64-bit to 32 bits, null SS", true, S_CODE, 0, AT_TARGET, GP(0)},
    {"64-bit, RIP not canonical", true, S_UCODE64, S_UDATA, 0x800000000000, GP(0)},
    {"64-bit, L and D", true, S_LD, S_DATA, AT_TARGET, GP(S_LD)},
};

static void iret(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(iret_cases); i++) {
        const struct iret_case *t = &iret_cases[i];
        unsigned size = t->long_mode ? 8 : 4;
        struct cpu *c = t->long_mode ? env_long(f, 0) : env_protected(f, 0);
        uint64_t rsp = c->st.gpr[RSP] -= 64;
        const uint64_t frame[5] = {t->ip, t->cs, FL_ZF | FL_IF | FL_RF | FL_ONE, AT_STACK3 + 3, t->ss};
        for (unsigned k = 0; k < 5; k++)
            poke(f, rsp + k * size, frame[k], size);
        x86_set_rflags(&c->st, 0);
        c->st.ev.nmi_masked = true;
        bool done = cpu_iret(c, size, 0);
        assert_outcome(c, done, t->want, t->name);
        assert_field(c->st.ev.nmi_masked, !done, t->name, "NMI mask"); /* AMD: only when it completes */
        if (!done) {
            assert_field(c->st.gpr[RSP], rsp, t->name, "RSP");
            assert_field(x86_rflags(&c->st), FL_ONE, t->name, "flags");
            continue;
        }
        assert_true(mode_reported(c));
        assert_field(c->st.rip, t->ip, t->name, "RIP");
        assert_field(c->st.cpl, t->cs & 3, t->name, "CPL");
        assert_field(x86_rflags(&c->st), FL_ZF | FL_IF | FL_RF | FL_ONE, t->name, "flags");
        if (t->long_mode)
            assert_field((c->st.seg[SEG_SS].attr & SEG_UNUSABLE) != 0, t->ss == 0, t->name, "null SS");
        bool popped = t->long_mode || (t->cs & 3);
        assert_field(c->st.gpr[RSP], popped ? AT_STACK3 + 3 : rsp + 3 * size, t->name, "RSP");
        assert_field(atomic_load(&c->poll), 1, t->name, "poll after IF came on");
    }
}

/* SDM 2A "IRET": which flags at which privilege. */
static void iret_flags(void **state)
{
    static const struct {
        const char *name;
        unsigned cpl, level, size;
        uint32_t taken;
    } cases[] = {
        {"CPL 0, 32 bits", 0, 0, 4, 0x3d7fd5},       {"CPL 0, 16 bits", 0, 0, 2, 0x7fd5},
        {"CPL 3, IOPL 0", 3, 0, 4, 0x254dd5},        {"CPL 3, IOPL 3", 3, 3, 4, 0x254fd5},
        {"CPL 3, IOPL 3, 16 bits", 3, 3, 2, 0x4fd5},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct cpu *c = env_protected(f, cases[i].cpl);
        unsigned size = cases[i].size;
        set_desc(f, S_CODE16, mk_desc(0, 0xffff, A_CODE | (cases[i].cpl ? A_DPL(3) : 0)));
        c->st.gpr[RSP] -= 32;
        poke(f, c->st.gpr[RSP], 0x100, size);
        poke(f, c->st.gpr[RSP] + size, S_CODE16 | cases[i].cpl, size);
        poke(f, c->st.gpr[RSP] + 2 * size, 0xffffffff & ~(cases[i].cpl ? 0 : FL_VM), size);
        uint32_t before = cases[i].level << 12 | FL_ONE;
        x86_set_rflags(&c->st, before);
        assert_outcome(c, cpu_iret(c, size, 0), OK, cases[i].name);
        assert_field(x86_rflags(&c->st), before | cases[i].taken, cases[i].name, "flags");
    }
}

static void iret_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    x86_set_rflags(&c->st, FL_NT);
    assert_outcome(c, cpu_iret(c, 8, 0), GP(0), "NT in long mode");

    /* 16-bit stack segment: only SP is loaded. */
    c = env_long(f, 0);
    set_desc(f, S_DATA16, mk_desc(0, 0xffff, A_DATA | A_DPL(3)));
    uint64_t rsp = c->st.gpr[RSP] = 0x1aff0;
    const uint64_t frame[5] = {AT_TARGET, S_UCODE, FL_ONE, 0x2345, S_DATA16 | 3};
    for (unsigned k = 0; k < 5; k++)
        poke(f, rsp + 8 * k, frame[k], 8);
    assert_true(cpu_iret(c, 8, 0));
    assert_int_equal(c->st.gpr[RSP], 0x12345);

    c = env_real(f);
    c->st.gpr[RSP] = 0x100;
    poke(f, 0x8100, 0x20000123, 4);
    poke(f, 0x8104, FL_IF | FL_NT, 2);
    assert_true(cpu_iret(c, 2, 0));
    assert_int_equal(c->st.rip, 0x123);
    assert_int_equal(c->st.seg[SEG_CS].base, 0x20000);
    assert_int_equal(c->st.gpr[RSP], 0x106);
    assert_true(mode_reported(c));
    c = env_real(f);
    x86_set_rflags(&c->st, FL_VIP);
    c->st.gpr[RSP] = 0x100;
    poke(f, 0x8100, 0x123, 4);
    poke(f, 0x8104, 0x2000, 4);
    poke(f, 0x8108, 0xffffffff & ~FL_VIP, 4);
    assert_true(cpu_iret(c, 4, 0)); /* VM, VIF and VIP stay */
    assert_int_equal(x86_rflags(&c->st), 0x257fd5 | FL_VIP | FL_ONE);

    c = env_v86(f, 0);
    assert_outcome(c, cpu_iret(c, 2, 0), GP(0), "V86, IOPL 0");
    c->st.cr4 = CR4_VME;
    poke(f, 0x9000, 0x20000123, 4);
    poke(f, 0x9004, FL_IF | FL_CF | FL_IOPL, 2);
    c->st.rflags &= ~FL_IF;
    assert_true(cpu_iret(c, 2, 0));
    assert_int_equal(x86_rflags(&c->st), FL_VM | FL_VIF | FL_CF | FL_ONE); /* IF and IOPL stay */
    assert_int_equal(c->st.rip, 0x123);
    c = env_v86(f, 0);
    c->st.cr4 = CR4_VME;
    c->st.rflags |= FL_VIP;
    assert_outcome(c, cpu_iret(c, 2, 0), GP(0), "VME: VIP and IF");
}

/* 6.7.1; vendor.h */
static void faulting_iret_unmasks_nmi_on_intel(void **state)
{
    struct cpu *c = env_protected(*state, 0);
    poke(*state, c->st.gpr[RSP], 0, 8);
    c->st.ev.nmi_masked = true;
    assert_outcome(c, cpu_iret(c, 4, 0), GP(0), "null CS");
    assert_false(c->st.ev.nmi_masked);
}

/* ---- #DB: 3B 17.2, 17.3 ---- */

static void debug_exceptions(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    bool is_amd = f->model.vendor == CPU_AMD;
    c->st.dr7 = DR7_FIXED | DR7_GD;
    c->st.dr6 = DR6_FIXED | 8;
    c->st.msr.debugctl = 0x1ff;
    assert_int_equal(fault(c, VEC_DB, false, 0, DR6_BD), CPU_GO_ON);
    assert_int_equal(c->st.msr.debugctl, 0x1ff & ~0x43); /* 17.4.1: LBR, BTF, TR */
    assert_int_equal(c->st.dr7, DR7_FIXED);              /* GD cleared for the handler */
    assert_int_equal(c->st.dr6, DR6_FIXED | DR6_BD | (is_amd ? 8 : 0));
    assert_true(peek(f, AT_STACK0 - 4, 4) & FL_RF); /* general detection is a fault */
    c = env_protected(f, 0);
    assert_int_equal(fault(c, VEC_DB, false, 0, 1), CPU_GO_ON);
    assert_false(peek(f, AT_STACK0 - 4, 4) & FL_RF); /* an instruction breakpoint pushes RF as it is */
    c = env_protected(f, 0);
    assert_int_equal(fault(c, VEC_BP, false, 0, 0), CPU_GO_ON);
    assert_false(peek(f, AT_STACK0 - 4, 4) & FL_RF);
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define INTEL(test)                                                         \
    {                                                                       \
#test " (Intel)", test, fixture_setup_intel, fixture_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(frame_at_the_same_privilege),
        AMD(frame_at_more_privilege),
        AMD(frame_in_long_mode),
        AMD(gates),
        AMD(gates_beyond_the_limit_and_privilege),
        AMD(software_interrupts_push_the_next_rip),
        AMD(double_and_triple_faults),
        AMD(page_faults_while_delivering),
        AMD(stack_faults_while_delivering),
        AMD(task_gate),
        AMD(real_mode),
        AMD(from_virtual_8086_mode),
        AMD(software_interrupts_in_virtual_8086_mode),
        AMD(iret),
        AMD(iret_flags),
        AMD(iret_elsewhere),
        INTEL(faulting_iret_unmasks_nmi_on_intel),
        AMD(debug_exceptions),
        INTEL(debug_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
