/*
 * test_cpu_transfer.c: far jumps, calls and returns, call gates, task switches (SDM 3A 5.8, 7.3; SDM 2 by
 * instruction).
 */
#include "cpu_env.h"

enum mode { PROT0, PROT3, LONG0, LONG3 };
static struct cpu *enter(struct fixture *f, enum mode m)
{
    return m < LONG0 ? env_protected(f, m == PROT3 ? 3 : 0) : env_long(f, m == LONG3 ? 3 : 0);
}

/* ---- far JMP and CALL, direct: SDM 3A 5.8.1 ---- */

static const struct far_case {
    const char *name;
    enum mode mode;
    uint16_t sel;
    uint64_t off;
    uint32_t want;
} far_cases[] = {
    {"same privilege", PROT0, S_CODE, AT_TARGET, OK},
    {"null", PROT0, 0, AT_TARGET, GP(0)},
    {"beyond the table", PROT0, S_BEYOND, AT_TARGET, GP(S_BEYOND)},
    {"data", PROT0, S_DATA, AT_TARGET, GP(S_DATA)},
    {"not present", PROT0, S_NPCODE, AT_TARGET, F(VEC_NP, S_NPCODE)},
    {"to less privilege", PROT0, S_UCODE, AT_TARGET, GP(S_UCODE & ~3)},
    {"to more privilege", PROT3, S_CODE, AT_TARGET, GP(S_CODE)},
    {"RPL above CPL", PROT0, S_CODE | 3, AT_TARGET, GP(S_CODE)},
    {"conforming, more privilege", PROT3, S_CONF, AT_TARGET, OK},
    {"conforming, same privilege", PROT0, S_CONF, AT_TARGET, OK},
    {"conforming, less privilege", PROT0, S_UCONF3, AT_TARGET, GP(S_UCONF3 & ~3)},
    {"beyond the limit", PROT0, S_SMALL, 0x100, GP(0)},
    {"at the limit", PROT0, S_SMALL, 0xff, OK},
    {"64-bit code", LONG0, S_CODE64, AT_TARGET, OK},
    {"64 to 32 bits", LONG0, S_CODE, AT_TARGET, OK},
    {"L and D", LONG0, S_LD, AT_TARGET, GP(S_LD)},
    {"not canonical", LONG0, S_CODE64, 0x800000000000, GP(0)},
    {"16-bit TSS in long mode", LONG0, S_TSS16, AT_TARGET, GP(S_TSS16)},
    {"busy TSS", PROT0, S_TSS, AT_TARGET, GP(S_TSS)},
    {"LDT", PROT0, S_LDT, AT_TARGET, GP(S_LDT)},
};

static void far_direct(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(far_cases); i++) {
        const struct far_case *t = &far_cases[i];
        unsigned size = t->mode >= LONG0 ? 8 : 4;
        struct cpu *c = enter(f, t->mode);
        unsigned cpl = c->st.cpl;
        bool done = cpu_far_jmp(c, t->sel, t->off, size, AT_CODE + 7);
        assert_outcome(c, done, t->want, t->name);
        assert_field(c->st.rip, done ? t->off : AT_CODE, t->name, "RIP");
        assert_field(c->st.cpl, cpl, t->name, "CPL");
        assert_field(!done || mode_reported(c), true, t->name, "report of the mode");
        if (done)
            assert_field(c->st.seg[SEG_CS].sel, (t->sel & ~3u) | cpl, t->name, "CS");

        c = enter(f, t->mode);
        uint16_t cs = c->st.seg[SEG_CS].sel;
        uint64_t rsp = c->st.gpr[RSP];
        done = cpu_far_call(c, t->sel, t->off, size, AT_CODE + 7);
        assert_outcome(c, done, t->want, t->name);
        assert_field(c->st.gpr[RSP], done ? rsp - 2 * size : rsp, t->name, "RSP");
        if (done) {
            assert_field(peek(f, rsp - size, size), cs, t->name, "pushed CS");
            assert_field(peek(f, rsp - 2 * size, size), AT_CODE + 7, t->name, "pushed RIP");
        }
    }
}

/* Frames that do not fit: #SS(0) on the current stack (SDM 2A "CALL"), and a wrapping one is written in
 * parts. */
static void call_stack_limits(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    c->st.seg[SEG_SS].limit = AT_STACK0 - 1;
    c->st.gpr[RSP] = AT_STACK0 + 4;
    assert_outcome(c, cpu_far_call(c, S_CODE, AT_TARGET, 4, 1), F(VEC_SS, 0), "above the limit");
    c->st.seg[SEG_SS] = (struct x86_seg){0, AT_STACK0 - 5, S_DOWN, A_DATA | SEG_T_DC | SEG_DB};
    c->st.gpr[RSP] = AT_STACK0;
    assert_outcome(c, cpu_far_call(c, S_CODE, AT_TARGET, 4, 1), F(VEC_SS, 0), "expand-down, below");
    c->st.seg[SEG_SS].limit = AT_STACK0 - 9;
    assert_true(cpu_far_call(c, S_CODE, AT_TARGET, 4, 1));

    c = env_protected(f, 0);
    c->st.seg[SEG_SS] = (struct x86_seg){0x20000, 0xffff, S_DATA16, A_DATA};
    c->st.gpr[RSP] = 0xabcd0002; /* only SP counts */
    assert_true(cpu_far_call(c, S_CODE, AT_TARGET, 2, 0x77));
    assert_int_equal(c->st.gpr[RSP], 0xabcdfffe);
    assert_int_equal(peek(f, 0x20000, 2), S_CODE);
    assert_int_equal(peek(f, 0x2fffe, 2), 0x77);
    assert_int_equal(c->st.rip, AT_TARGET & 0xffff);

    /* The same over a page that is not there: nothing is written. */
    c = env_protected(f, 0);
    env_paging32(f, 0x20000, 0);
    c->st.seg[SEG_SS] = (struct x86_seg){0x20000, 0xffff, S_DATA16, A_DATA};
    c->st.gpr[RSP] = 2;
    assert_outcome(c, cpu_far_call(c, S_CODE, AT_TARGET, 2, 0x99), F(VEC_PF, PF_W), "page of the upper part");
    assert_int_equal(peek(f, 0x2fffe, 2), 0x77);
    assert_int_equal(c->st.gpr[RSP], 2);

    c = env_long(f, 0);
    c->st.gpr[RSP] = 0x800000000008;
    assert_outcome(c, cpu_far_call(c, S_CODE64, AT_TARGET, 8, 1), F(VEC_SS, 0), "not canonical");
    c->st.gpr[RSP] = AT_NOWHERE + 8;
    assert_outcome(c, cpu_far_call(c, S_CODE64, AT_TARGET, 8, 1), F(VEC_PF, PF_W), "not mapped");
    assert_int_equal(c->st.gpr[RSP], AT_NOWHERE + 8);
}

/* SDM 3A 6.15, interrupt 17: CPL 3 with CR0.AM and EFLAGS.AC. */
static void alignment_of_frames(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 3);
    c->st.cr0 |= CR0_AM;
    c->st.gpr[RSP] = AT_STACK3 + 2;
    assert_true(cpu_far_call(c, S_UCODE, AT_TARGET, 4, 1));
    x86_set_rflags(&c->st, FL_AC);
    assert_outcome(c, cpu_far_call(c, S_UCODE, AT_TARGET, 4, 1), F(VEC_AC, 0), "CALL");
    assert_outcome(c, cpu_far_ret(c, 4, 0), F(VEC_AC, 0), "RET");
    assert_true(cpu_software_int(c, 0x40, false, 1)); /* the handler's stack is CPL 0's */
}

/* ---- call gates: SDM 3A 5.8.3 to 5.8.5 ---- */

static const struct gate_case {
    const char *name;
    unsigned cpl;
    uint16_t target, sel;
    uint32_t attr;
    bool call;
    uint32_t want;
} gate_cases[] = {
    {"CALL, more privilege", 3, S_CODE, S_GATE | 3, SEG_P | A_DPL(3), true, OK},
    {"CALL, same privilege", 0, S_CODE, S_GATE, SEG_P, true, OK},
    {"JMP, same privilege", 0, S_CODE, S_GATE, SEG_P, false, OK},
    {"JMP, more privilege", 3, S_CODE, S_GATE | 3, SEG_P | A_DPL(3), false, GP(S_CODE)},
    {"JMP, conforming", 3, S_CONF, S_GATE | 3, SEG_P | A_DPL(3), false, OK},
    {"JMP, conforming, same privilege", 0, S_CONF, S_GATE, SEG_P, false, OK},
    {"CALL to CPL 1", 3, S_CODE1 & ~3, S_GATE, SEG_P | A_DPL(3), true, OK},
    {"CALL, conforming: CPL stays", 3, S_CONF, S_GATE | 3, SEG_P | A_DPL(3), true, OK},
    {"gate DPL below CPL", 3, S_CODE, S_GATE, SEG_P, true, GP(S_GATE)},
    {"gate DPL below RPL", 0, S_CODE, S_GATE | 3, SEG_P, true, GP(S_GATE)},
    {"gate not present", 3, S_CODE, S_GATE, A_DPL(3), true, F(VEC_NP, S_GATE)},
    {"target null", 3, 0, S_GATE, SEG_P | A_DPL(3), true, GP(0)},
    {"target data", 3, S_DATA, S_GATE, SEG_P | A_DPL(3), true, GP(S_DATA)},
    {"target of less privilege", 0, S_UCODE, S_GATE, SEG_P, true, GP(S_UCODE & ~3)},
    {"target not present", 3, S_NPCODE, S_GATE, SEG_P | A_DPL(3), true, F(VEC_NP, S_NPCODE)},
    {"target beyond the table", 3, S_BEYOND, S_GATE, SEG_P | A_DPL(3), true, GP(S_BEYOND)},
};

static void call_gates(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(gate_cases); i++) {
        const struct gate_case *t = &gate_cases[i];
        struct cpu *c = env_protected(f, t->cpl);
        uint64_t rsp = c->st.gpr[RSP];
        set_desc(f, S_GATE, mk_gate(t->target, AT_TARGET, t->attr | SYS_CALL32, 2));
        poke(f, AT_TSS + 12, AT_STACK_TSS, 4); /* CPL 1 */
        poke(f, AT_TSS + 16, S_DATA1, 2);
        poke(f, rsp, 0x1111, 4);
        poke(f, rsp + 4, 0x2222, 4);
        bool done = (t->call ? cpu_far_call : cpu_far_jmp)(c, t->sel, 0xdead, 4, AT_CODE + 7);
        assert_outcome(c, done, t->want, t->name);
        if (!done) {
            assert_field(c->st.gpr[RSP], rsp, t->name, "ESP");
            continue;
        }
        assert_true(mode_reported(c));
        assert_field(c->st.rip, AT_TARGET, t->name, "EIP");
        if (c->st.cpl == t->cpl) {
            assert_field(c->st.gpr[RSP], t->call ? rsp - 8 : rsp, t->name, "ESP");
            continue;
        }
        /* SS ESP, two parameters, CS EIP on the stack of the TSS */
        unsigned ring = t->target == (S_CODE1 & ~3);
        assert_field(c->st.cpl, ring, t->name, "CPL");
        assert_field(c->st.seg[SEG_SS].sel, ring ? S_DATA1 : S_DATA, t->name, "SS");
        assert_field(c->st.gpr[RSP], AT_STACK_TSS - 24, t->name, "ESP");
        const uint32_t frame[6] = {AT_CODE + 7, S_UCODE, 0x1111, 0x2222, (uint32_t)rsp, S_UDATA};
        for (unsigned k = 0; k < 6; k++)
            assert_field(peek(f, AT_STACK_TSS - 24 + 4 * k, 4), frame[k], t->name, "frame");
    }
}

/* SDM 3A 5.8.5: what may be wrong with the stack of the TSS. */
static const struct inner_case {
    const char *name;
    uint16_t ss;
    uint32_t esp, tss_limit, want;
} inner_cases[] = {
    {"null", 0, AT_STACK_TSS, 0x67, F(VEC_TS, 0)},
    {"RPL", S_DATA | 1, AT_STACK_TSS, 0x67, F(VEC_TS, S_DATA)},
    {"DPL", S_UDATA & ~3, AT_STACK_TSS, 0x67, F(VEC_TS, S_UDATA & ~3)},
    {"read-only", S_RODATA, AT_STACK_TSS, 0x67, F(VEC_TS, S_RODATA)},
    {"code", S_CODE, AT_STACK_TSS, 0x67, F(VEC_TS, S_CODE)},
    {"beyond the table", S_BEYOND, AT_STACK_TSS, 0x67, F(VEC_TS, S_BEYOND)},
    {"not present", S_NPDATA, AT_STACK_TSS, 0x67, F(VEC_SS, S_NPDATA)},
    {"no room", S_DATA16, 0x10010, 0x67, OK}, /* SP 0x10: wraps at 64 KiB, which is room */
    {"TSS too short", S_DATA, AT_STACK_TSS, 8, F(VEC_TS, S_TSS)},
    {"expand-down, no room", S_DOWN, 0x1000, 0x67, F(VEC_SS, S_DOWN)},
};

static void stack_of_the_tss(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(inner_cases); i++) {
        const struct inner_case *t = &inner_cases[i];
        struct cpu *c = env_protected(f, 3);
        set_desc(f, S_GATE, mk_gate(S_CODE, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL32, 0));
        poke(f, AT_TSS + 4, t->esp, 4);
        poke(f, AT_TSS + 8, t->ss, 2);
        c->st.seg[SEG_TR].limit = t->tss_limit;
        assert_outcome(c, cpu_far_call(c, S_GATE, 0, 4, 1), t->want, t->name);
    }
}

/* Figure 7-10: a 16-bit TSS has SP and SS at 2 + 4 * CPL. */
static void stack_of_a_16_bit_tss(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 3);
    c->st.seg[SEG_TR] = (struct x86_seg){AT_TSS16, 0x2b, S_TSS16, SEG_P | SYS_TSS16_BUSY};
    poke(f, AT_TSS16 + 6, AT_STACK_TSS, 2);
    poke(f, AT_TSS16 + 8, S_DATA1, 2);
    set_desc(f, S_GATE, mk_gate(S_CODE1, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL16, 1));
    poke(f, c->st.gpr[RSP], 0x7777, 2);
    assert_true(cpu_far_call(c, S_GATE, 0, 4, 0x55));
    assert_int_equal(c->st.cpl, 1);
    assert_int_equal(c->st.rip, AT_TARGET & 0xffff);
    assert_int_equal(c->st.gpr[RSP], AT_STACK_TSS - 10);
    const uint16_t frame[5] = {0x55, S_UCODE, 0x7777, AT_STACK3 & 0xffff, S_UDATA};
    for (unsigned k = 0; k < 5; k++)
        assert_int_equal(peek(f, AT_STACK_TSS - 10 + 2 * k, 2), frame[k]);
}

/* SDM 3A 5.8.3.1: 64-bit call gates push RSP and a null SS, and lead to 64-bit code only. */
static void long_mode_call_gate(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 3);
    set_desc(f, S_GATE, mk_gate(S_CODE64, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL32, 5));
    poke(f, AT_GDT + S_GATE + 8, 0, 8);
    assert_true(cpu_far_call(c, S_GATE, 0, 8, AT_CODE + 7));
    assert_int_equal(c->st.gpr[RSP], AT_STACK_TSS - 32);
    const uint64_t frame[4] = {AT_CODE + 7, S_UCODE64, AT_STACK3, S_UDATA};
    for (unsigned k = 0; k < 4; k++)
        assert_int_equal(peek(f, AT_STACK_TSS - 32 + 8 * k, 8), frame[k]);
    assert_int_equal(c->st.seg[SEG_SS].sel, 0);
    assert_true(c->st.seg[SEG_SS].attr & SEG_UNUSABLE);
    assert_int_equal(c->st.cpl, 0);

    /* From compatibility mode at the same privilege: full RSP, no segment. */
    c = env_long(f, 0);
    set_seg(c, SEG_CS, S_CODE, A_CODE | SEG_G | SEG_DB);
    c->st.seg[SEG_SS] = (struct x86_seg){0x1000, 0xffff, S_DATA16, A_DATA};
    assert_true(cpu_far_call(c, S_GATE, 0, 4, AT_CODE + 7));
    assert_int_equal(c->st.gpr[RSP], AT_STACK0 - 16);
    assert_int_equal(peek(f, AT_STACK0 - 8, 8), S_CODE);
    assert_true(x86_64bit(&c->st));

    c = env_long(f, 3);
    set_desc(f, S_GATE, mk_gate(S_CODE, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL32, 0));
    poke(f, AT_GDT + S_GATE + 8, 0, 8);
    assert_outcome(c, cpu_far_call(c, S_GATE, 0, 8, 1), GP(S_CODE), "target not 64-bit");
    set_desc(f, S_GATE, mk_gate(S_CODE64, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL32, 0));
    poke(f, AT_GDT + S_GATE + 8, 0x8000, 8);
    assert_outcome(c, cpu_far_call(c, S_GATE, 0, 8, 1), GP(0), "offset not canonical");
    poke(f, AT_GDT + S_GATE + 8, BIT(40), 8);
    assert_outcome(c, cpu_far_call(c, S_GATE, 0, 8, 1), GP(S_GATE), "upper type");
    set_desc(f, S_GATE, mk_gate(S_CODE64, AT_TARGET, SEG_P | A_DPL(3) | SYS_CALL16, 0));
    assert_outcome(c, cpu_far_call(c, S_GATE, 0, 8, 1), GP(S_GATE), "16-bit gate");
}

/* ---- far RET: SDM 2B "RET" ---- */

static const struct ret_case {
    const char *name;
    unsigned cpl;
    uint16_t cs, ss;
    uint64_t ip;
    uint32_t want;
} ret_cases[] = {
    {"same privilege", 0, S_CODE, 0, AT_TARGET, OK},
    {"to CPL 3", 0, S_UCODE, S_UDATA, AT_TARGET, OK},
    {"to CPL 1", 0, S_CODE1, S_DATA1, AT_TARGET, OK},
    {"to more privilege", 3, S_CODE, S_DATA, AT_TARGET, GP(S_CODE)},
    {"null CS", 0, 0, 0, AT_TARGET, GP(0)},
    {"data CS", 0, S_DATA, 0, AT_TARGET, GP(S_DATA)},
    {"DPL is not RPL", 0, S_CODE | 3, S_UDATA, AT_TARGET, GP(S_CODE)},
    {"conforming, DPL below RPL", 0, S_CONF | 3, S_UDATA, AT_TARGET, OK},
    {"not present", 0, S_NPCODE, 0, AT_TARGET, F(VEC_NP, S_NPCODE)},
    {"beyond the limit", 0, S_SMALL, 0, 0x100, GP(0)},
    {"outer, null SS", 0, S_UCODE, 3, AT_TARGET, GP(0)},
    {"outer, SS of another RPL", 0, S_UCODE, S_UDATA & ~3, AT_TARGET, GP(S_UDATA & ~3)},
    {"outer, SS of another DPL", 0, S_UCODE, S_DATA | 3, AT_TARGET, GP(S_DATA)},
    {"outer, SS not present", 0, S_UCODE, S_NPDATA | 3, AT_TARGET, GP(S_NPDATA)},
};

static void far_returns(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(ret_cases); i++) {
        const struct ret_case *t = &ret_cases[i];
        struct cpu *c = env_protected(f, t->cpl);
        uint64_t rsp = c->st.gpr[RSP] -= 64;
        poke(f, rsp, t->ip, 4);
        poke(f, rsp + 4, 0xabcd0000u | t->cs, 4);
        poke(f, rsp + 8 + 12, AT_STACK3, 4);
        poke(f, rsp + 8 + 16, t->ss, 4);
        bool done = cpu_far_ret(c, 4, 12);
        assert_outcome(c, done, t->want, t->name);
        if (!done) {
            assert_field(c->st.gpr[RSP], rsp, t->name, "ESP");
            assert_field(c->st.rip, AT_CODE, t->name, "EIP");
            continue;
        }
        assert_true(mode_reported(c));
        assert_field(c->st.rip, t->ip, t->name, "EIP");
        assert_field(c->st.cpl, t->cs & 3, t->name, "CPL");
        if (c->st.cpl == t->cpl) {
            assert_field(c->st.gpr[RSP], rsp + 20, t->name, "ESP");
            continue;
        }
        assert_field(c->st.gpr[RSP], AT_STACK3 + 12, t->name, "ESP");
        /* SDM 3A 5.8.6: what is not for that level is taken away. */
        assert_true(c->st.seg[SEG_DS].attr & SEG_UNUSABLE);
        assert_field(c->st.seg[SEG_DS].sel, 0, t->name, "DS");
    }
}

static void far_return_keeps_what_may_stay(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_long(f, 0);
    uint64_t rsp = c->st.gpr[RSP] -= 64;
    const uint64_t frame[4] = {AT_TARGET, S_UCODE64, 0x7fff00000000, S_UDATA};
    for (unsigned i = 0; i < 4; i++)
        poke(f, rsp + 8 * i, frame[i], 8);
    set_seg(c, SEG_DS, S_UDATA, A_DATA | SEG_G | SEG_DB | SEG_DPL);
    c->st.seg[SEG_FS] = (struct x86_seg){.base = 0x7f1234567000, .attr = SEG_UNUSABLE};
    set_seg(c, SEG_ES, S_CONF, A_CODE | SEG_T_DC);
    assert_true(cpu_far_ret(c, 8, 0));
    assert_int_equal(c->st.seg[SEG_DS].sel, S_UDATA);
    assert_int_equal(c->st.seg[SEG_ES].sel, S_CONF);
    assert_int_equal(c->st.seg[SEG_FS].base, 0x7f1234567000); /* a null segment's base is not touched */
    assert_int_equal(c->st.seg[SEG_GS].attr, SEG_UNUSABLE);
    assert_int_equal(c->st.gpr[RSP], 0x7fff00000000);
}

/* SDM 2A "JMP", "CALL", 2B "RET" in real-address and virtual-8086 mode. */
static void real_mode_transfers(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_real(f);
    assert_true(cpu_far_call(c, 0x1234, 0x5678, 2, 0x103));
    assert_int_equal(c->st.seg[SEG_CS].base, 0x12340);
    assert_int_equal(c->st.rip, 0x5678);
    assert_int_equal(peek(f, 0x8ffc, 4), 0x08000103);
    assert_true(cpu_far_ret(c, 2, 4));
    assert_int_equal(c->st.seg[SEG_CS].sel, 0x800);
    assert_int_equal(c->st.rip, 0x103);
    assert_int_equal(c->st.gpr[RSP], 0x1004);
    assert_outcome(c, cpu_far_jmp(c, 0x1000, 0x10000, 4, 0), GP(0), "beyond 64 KiB");
    c = env_real(f);
    c->st.gpr[RSP] = 0xabcdfffe; /* the frame wraps */
    poke(f, 0x17ffe, 0x1234, 2);
    poke(f, 0x8000, 0x3000, 2);
    assert_true(cpu_far_ret(c, 2, 0));
    assert_int_equal(c->st.rip, 0x1234);
    assert_int_equal(c->st.seg[SEG_CS].base, 0x30000);
    assert_int_equal(c->st.gpr[RSP], 0xabcd0002);
    assert_true(mode_reported(c));
    c->st.seg[SEG_CS].limit = 0x1233;
    c->st.gpr[RSP] = 0xfffe;
    assert_outcome(c, cpu_far_ret(c, 2, 0), GP(0), "beyond the limit of CS");
    assert_int_equal(c->st.gpr[RSP], 0xfffe);
    c = env_v86(f, 0);
    assert_true(cpu_far_jmp(c, 0x2000, 0x10, 2, 0));
    assert_int_equal(c->st.seg[SEG_CS].base, 0x20000);
    assert_int_equal(c->st.cpl, 3);
}

/* ---- task switches: SDM 3A 7.3 ---- */

static void set_task32(struct fixture *f, uint16_t cs, uint16_t ss, uint16_t ds, uint32_t flags)
{
    static const unsigned sregs[] = {72, 84, 88, 92};
    for (unsigned i = 0; i < 104; i += 4)
        poke(f, AT_TSS2 + i, 0, 4);
    poke(f, AT_TSS2 + 32, AT_TARGET, 4);
    poke(f, AT_TSS2 + 36, flags, 4);
    for (unsigned r = 0; r < 8; r++)
        poke(f, AT_TSS2 + 40 + 4 * r, r == RSP ? AT_STACK_TASK : 0x100 + r, 4);
    for (unsigned i = 0; i < ARRAY_LEN(sregs); i++)
        poke(f, AT_TSS2 + sregs[i], ds, 4);
    poke(f, AT_TSS2 + 76, cs, 4);
    poke(f, AT_TSS2 + 80, ss, 4);
    poke(f, AT_TSS2 + 96, S_LDT, 4);
}
static unsigned tss_type(struct fixture *f, unsigned sel)
{
    return (unsigned)peek(f, AT_GDT + sel + 5, 1) & 0xf;
}

static void task_call_and_return(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    c->st.gpr[RBX] = 0xbbbb;
    c->st.dr7 = 0x555;
    set_task32(f, S_UCODE, S_UDATA, S_UDATA, FL_IF | FL_ONE);
    assert_true(cpu_far_call(c, S_TASK, 0, 4, AT_CODE + 7));
    assert_int_equal(c->st.rip, AT_TARGET);
    assert_int_equal(c->st.cpl, 3);
    assert_int_equal(c->st.gpr[RBX], 0x103);
    assert_int_equal(c->st.gpr[RSP], AT_STACK_TASK);
    assert_int_equal(c->st.seg[SEG_DS].sel, S_UDATA);
    assert_int_equal(c->st.seg[SEG_LDTR].base, AT_LDT);
    assert_int_equal(c->st.seg[SEG_TR].sel, S_TSS2);
    assert_true(c->st.cr0 & CR0_TS);
    assert_true(x86_rflags(&c->st) & FL_NT);
    assert_int_equal(c->st.dr7, 0x400); /* 17.2.4: L bits are the task's */
    assert_int_equal(peek(f, AT_TSS2, 2), S_TSS);
    assert_int_equal(tss_type(f, S_TSS2), SYS_TSS32_BUSY);
    assert_int_equal(tss_type(f, S_TSS), SYS_TSS32_BUSY);
    assert_int_equal(peek(f, AT_TSS + 32, 4), AT_CODE + 7);
    assert_int_equal(peek(f, AT_TSS + 40 + 12, 4), 0xbbbb);
    assert_int_equal(peek(f, AT_TSS + 76, 4), S_CODE);
    assert_false(peek(f, AT_TSS + 36, 4) & FL_NT);

    assert_true(cpu_iret(c, 4, AT_TARGET + 1));
    assert_int_equal(c->st.rip, AT_CODE + 7);
    assert_int_equal(c->st.cpl, 0);
    assert_int_equal(c->st.gpr[RBX], 0xbbbb);
    assert_int_equal(tss_type(f, S_TSS2), SYS_TSS32);
    assert_int_equal(tss_type(f, S_TSS), SYS_TSS32_BUSY);
    assert_int_equal(peek(f, AT_TSS2 + 32, 4), AT_TARGET + 1);
    assert_false(peek(f, AT_TSS2 + 36, 4) & FL_NT); /* table 7-2: cleared in the saved image */
    assert_false(x86_rflags(&c->st) & FL_NT);
}

static void task_jump_to_16_bit(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    poke(f, AT_TSS16 + 14, 0x1234, 2);
    poke(f, AT_TSS16 + 16, FL_ONE | FL_DF, 2);
    for (unsigned r = 0; r < 8; r++)
        poke(f, AT_TSS16 + 18 + 2 * r, 0x200 + r, 2);
    const uint16_t sregs[5] = {S_DATA16, S_CODE16, S_DATA16, S_DATA16, 0};
    for (unsigned i = 0; i < 5; i++)
        poke(f, AT_TSS16 + 34 + 2 * i, sregs[i], 2);
    assert_true(cpu_far_jmp(c, S_TSS16, 0, 4, AT_CODE + 7));
    assert_int_equal(c->st.rip, 0x1234);
    assert_int_equal(c->st.gpr[RDI], 0x207);
    assert_int_equal(c->st.seg[SEG_CS].sel, S_CODE16);
    assert_true(c->st.seg[SEG_FS].attr & SEG_UNUSABLE);
    assert_int_equal(tss_type(f, S_TSS), SYS_TSS32); /* JMP frees the old task */
    assert_int_equal(tss_type(f, S_TSS16), SYS_TSS16_BUSY);
    assert_false(x86_rflags(&c->st) & FL_NT);
}

/* 7.2.1: CR3 is the task's own; 7.3: a task of virtual-8086 mode. */
static void task_in_virtual_8086_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    env_paging32(f, 0x20000, 0);
    const uint32_t flags = FL_VM | FL_VIF | FL_VIP | FL_IF | FL_TF | FL_RF | FL_AC | FL_ID | FL_DF | FL_IOPL;
    set_task32(f, 0x1111, 0x2222, 0x3333, flags);
    poke(f, AT_TSS2 + 28, AT_TABLES32 | PTE_PCD, 4);
    env_cr3_loads = 0;
    assert_true(cpu_far_jmp(c, S_TSS2, 0, 4, AT_CODE + 7));
    assert_int_equal(c->st.cr3, AT_TABLES32 | PTE_PCD);
    assert_int_equal(env_cr3_loads, 1);
    assert_int_equal(c->st.cpl, 3);
    assert_int_equal(x86_rflags(&c->st), flags | FL_ONE);
    assert_int_equal(c->st.seg[SEG_CS].base, 0x11110);
    assert_int_equal(c->st.seg[SEG_SS].base, 0x22220);
    assert_int_equal(c->st.seg[SEG_GS].base, 0x33330);
    assert_int_equal(c->st.seg[SEG_DS].limit, 0xffff);
    assert_true(mode_reported(c));
}

/* 7.3: what the switch writes is probed first; a fault leaves memory and registers alone. */
static void task_switch_writes_all_or_nothing(void **state)
{
    static const struct {
        const char *name;
        gpa_t page;
        bool call;
    } cases[] = {{"old TSS", AT_TSS, false}, {"GDT", AT_GDT, false}, {"link of the new TSS", AT_TSS2, true}};
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct cpu *c = env_protected(f, 0);
        uint8_t before[0x6000], after[sizeof(before)];
        set_task32(f, S_CODE, S_DATA, S_DATA, FL_ONE);
        env_paging32(f, cases[i].page, PTE_P);
        struct x86_state st = c->st;
        assert_true(mem_read(f->mem, AT_GDT, before, sizeof(before)));
        bool done = (cases[i].call ? cpu_far_call : cpu_far_jmp)(c, S_TSS2, 0, 4, 1);
        assert_outcome(c, done, F(VEC_PF, PF_P | PF_W), cases[i].name);
        assert_true(mem_read(f->mem, AT_GDT, after, sizeof(after)));
        assert_memory_equal(before, after, sizeof(before));
        assert_memory_equal(&c->st, &st, sizeof(st));
    }
}

/* Table 7-1: before the commit point the fault is the old task's. */
static void task_faults_before_the_switch(void **state)
{
    struct fixture *f = *state;
    struct cpu *c = env_protected(f, 0);
    struct x86_state before = c->st;
    c->st.seg[SEG_TR].limit = 94;
    assert_outcome(c, cpu_far_jmp(c, S_TSS2, 0, 4, 1), F(VEC_TS, S_TSS), "old TSS too short");
    c->st.seg[SEG_TR] = before.seg[SEG_TR];
    set_task32(f, S_CODE, S_DATA, S_DATA, FL_ONE);
    set_desc(f, S_TSS2, mk_desc(AT_TSS2, 0x66, SEG_P | SYS_TSS32));
    assert_outcome(c, cpu_far_jmp(c, S_TSS2, 0, 4, 1), F(VEC_TS, S_TSS2), "TSS too short");
    set_desc(f, S_TSS2, mk_desc(AT_TSS2, 0x67, SYS_TSS32));
    assert_outcome(c, cpu_far_jmp(c, S_TSS2, 0, 4, 1), F(VEC_NP, S_TSS2), "TSS not present");
    set_desc(f, S_TSS2, mk_desc(AT_TSS2, 0x67, SEG_P | SYS_TSS32_BUSY));
    assert_outcome(c, cpu_far_jmp(c, S_TSS2, 0, 4, 1), GP(S_TSS2), "busy");
    assert_outcome(c, cpu_far_jmp(c, S_TASK, 0, 4, 1), GP(S_TSS2), "busy, through a gate");
    set_desc(f, S_TASK, mk_gate(S_TSS2 | 4, 0, SEG_P | SYS_TASK, 0));
    assert_outcome(c, cpu_far_jmp(c, S_TASK, 0, 4, 1), GP(S_TSS2 | 4), "TSS in the LDT");
    set_desc(f, S_TASK, mk_gate(S_TSS2, 0, SYS_TASK, 0));
    assert_outcome(c, cpu_far_jmp(c, S_TASK, 0, 4, 1), F(VEC_NP, S_TASK), "gate not present");
    x86_set_rflags(&c->st, FL_NT);
    poke(f, AT_TSS, S_TSS16, 2);
    assert_outcome(c, cpu_iret(c, 4, 1), F(VEC_TS, S_TSS16), "IRET to a task that is not busy");
    x86_set_rflags(&c->st, x86_rflags(&before));
    assert_memory_equal(&c->st, &before, sizeof(before));
}

/*
 * After it, the new task's: delivered through the IDT in its context, with its EIP. A new task at CPL 0 whose
 * SS has not been loaded has no stack for it: shutdown (why SDM 3A 6.15 wants a task gate for #TS).
 */
static const struct late_case {
    const char *name;
    uint16_t cs, ss, ds;
    unsigned vector, error; /* 0: shutdown */
} late_cases[] = {
    {"CS null", 0, S_DATA, S_DATA, 0, 0},
    {"CS data", S_UDATA, S_UDATA, S_UDATA, VEC_TS, S_UDATA & ~3},
    {"CS of another DPL", S_CODE | 3, S_UDATA, S_UDATA, VEC_TS, S_CODE},
    {"CS not present", S_NPCODE, S_DATA, S_DATA, 0, 0},
    {"SS null", S_UCODE, 0, S_UDATA, VEC_TS, 0},
    {"SS of another DPL", S_UCODE, S_DATA | 3, S_UDATA, VEC_TS, S_DATA},
    {"SS not present", S_CODE, S_NPDATA, S_DATA, 0, 0},
    {"DS beyond the table", S_CODE, S_DATA, S_BEYOND, VEC_TS, S_BEYOND},
    {"DS privilege", S_UCODE, S_UDATA, S_DATA, VEC_TS, S_DATA},
    {"DS not present", S_CODE, S_DATA, S_NPDATA, VEC_NP, S_NPDATA},
};

static void task_faults_after_the_switch(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ARRAY_LEN(late_cases); i++) {
        const struct late_case *t = &late_cases[i];
        struct cpu *c = env_protected(f, 0);
        set_task32(f, t->cs, t->ss, t->ds, FL_ONE);
        poke(f, AT_TSS2 + 4, AT_STACK_TSS, 4);
        poke(f, AT_TSS2 + 8, S_DATA, 4);
        assert_true(cpu_far_jmp(c, S_TSS2, 0, 4, 1));
        assert_field(c->st.seg[SEG_TR].sel, S_TSS2, t->name, "TR");
        if (!t->vector) {
            assert_field(c->st.mp, X86_SHUTDOWN, t->name, "state");
            assert_field(atomic_load(&c->poll), 1, t->name, "poll");
            assert_field(cpu_events(c), CPU_SHUTDOWN, t->name, "result");
            continue;
        }
        assert_field(c->st.rip, AT_HANDLER + t->vector, t->name, "handler");
        assert_field(peek(f, c->st.gpr[RSP], 4), t->error, t->name, "error code");
        assert_field(peek(f, c->st.gpr[RSP] + 4, 4), AT_TARGET, t->name, "pushed EIP");
    }
    static const uint16_t ldts[] = {S_LDT | 4, S_TSS16, S_NPDATA, S_BEYOND};
    for (unsigned i = 0; i < ARRAY_LEN(ldts); i++) {
        struct cpu *c = env_protected(f, 0);
        set_desc(f, S_NPDATA, mk_desc(AT_LDT, 0xff, SYS_LDT));
        set_task32(f, S_UCODE, S_UDATA, S_UDATA, FL_ONE);
        poke(f, AT_TSS2 + 96, ldts[i], 4);
        poke(f, AT_TSS2 + 4, AT_STACK_TSS, 4);
        poke(f, AT_TSS2 + 8, S_DATA, 4);
        assert_true(cpu_far_jmp(c, S_TSS2, 0, 4, 1));
        assert_int_equal(c->st.rip, AT_HANDLER + VEC_TS);
        assert_int_equal(peek(f, c->st.gpr[RSP], 4), ldts[i]);
        assert_true(c->st.seg[SEG_LDTR].attr & SEG_UNUSABLE);
    }
}

#define AMD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AMD(far_direct),
        AMD(call_stack_limits),
        AMD(alignment_of_frames),
        AMD(call_gates),
        AMD(stack_of_the_tss),
        AMD(stack_of_a_16_bit_tss),
        AMD(long_mode_call_gate),
        AMD(far_returns),
        AMD(far_return_keeps_what_may_stay),
        AMD(real_mode_transfers),
        AMD(task_call_and_return),
        AMD(task_jump_to_16_bit),
        AMD(task_in_virtual_8086_mode),
        AMD(task_switch_writes_all_or_nothing),
        AMD(task_faults_before_the_switch),
        AMD(task_faults_after_the_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
