/*
 * op_io.c: IN, OUT, INS, OUTS. Permission comes from IOPL and the TSS's bitmap (SDM 1 19.5), the access from
 * bus/.
 */
#include "engine/interp/string.h"

/* I/O breakpoints (SDM 3B 17.2.4: R/W 10 with CR4.DE): a trap after the access. */
static void match_io_breakpoints(struct interp *v, uint16_t port, unsigned size)
{
    struct x86_state *s = ST(v);
    for (unsigned n = 0; n < 4; n++) {
        unsigned len = (const uint8_t[]){1, 2, 8, 4}[bits(s->dr7, 18 + 4 * n, 2)];
        if (bits(s->dr7, 2 * n, 2) && bits(s->dr7, 16 + 4 * n, 2) == 2 && (s->cr4 & CR4_DE) &&
            ranges_overlap(port, size, s->dr[n] & ~(uint64_t)(len - 1), len)) {
            s->ev.debug_pending = true;
            s->ev.dr6_pending |= BIT(n);
            cpu_recheck(&v->c);
        }
    }
}
static uint32_t port_read(struct interp *v, uint16_t port, unsigned size)
{
    if (UNLIKELY(v->single))
        match_io_breakpoints(v, port, size);
    return bus_pio_read(v->c.bus, port, size);
}
static void port_write(struct interp *v, uint16_t port, unsigned size, uint32_t val)
{
    if (UNLIKELY(v->single))
        match_io_breakpoints(v, port, size);
    bus_pio_write(v->c.bus, port, size, val);
}

/* The port: an immediate (src 0) or DX. */
static uint16_t port_of(const struct interp *v, const struct insn *in)
{
    return in->src ? (uint16_t)v->c.st.gpr[RDX] : (uint16_t)in->imm;
}

OP(in_port)
{
    uint16_t port = port_of(v, in);
    if (!cpu_io_allowed(&v->c, port, in->osz))
        return insn_fault(v, in);
    reg_write(v, offsetof(struct interp, c.st.gpr[RAX]), port_read(v, port, in->osz), in->osz);
    return in + 1;
}
OP(out_port)
{
    uint16_t port = port_of(v, in);
    if (!cpu_io_allowed(&v->c, port, in->osz))
        return insn_fault(v, in);
    port_write(v, port, in->osz, (uint32_t)(ST(v)->gpr[RAX] & mask_bytes(in->osz)));
    /* The write may have changed what is pending, or ended the machine: look before the next block. */
    ST(v)->rip = next_rip(v, in);
    return insn_continue(v, in);
}

static uint64_t ins_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint16_t port = (uint16_t)ST(v)->gpr[RDX];
    uint64_t lin;
    if (!cpu_io_allowed(&v->c, port, in->osz) || !string_dest(v, in, ACC_WRITE, &lin))
        return 0;
    void *p = wr_begin(v, lin, in->osz, false); /* before the port is read, which cannot be undone */
    if (!p)
        return 0;
    store_le(p, port_read(v, port, in->osz), in->osz);
    wr_end(v);
    string_advance(v, in, RDI, string_step(v, in));
    return 1;
}
static uint64_t outs_some(struct interp *v, const struct insn *in, uint64_t most, bool *stop)
{
    uint16_t port = (uint16_t)ST(v)->gpr[RDX];
    uint64_t lin, a = 0;
    if (!cpu_io_allowed(&v->c, port, in->osz) || !string_source(v, in, &lin) || !ld_lin(v, lin, &a, in->osz))
        return 0;
    port_write(v, port, in->osz, (uint32_t)a);
    string_advance(v, in, RSI, string_step(v, in));
    return 1;
}
/* AMD looks at the permission even where the count is 0 (seen on Zen 5). */
static bool refused_without_count(struct interp *v, const struct insn *in)
{
    return (in->flags & (IN_REP | IN_REPNE)) && !string_reg(v, in, RCX) && v->c.cpuid->vendor == CPU_AMD &&
           !cpu_io_allowed(&v->c, (uint16_t)ST(v)->gpr[RDX], in->osz);
}
OP(ins)
{
    if (refused_without_count(v, in))
        return insn_fault(v, in);
    return string_repeat(v, in, ins_some);
}
OP(outs)
{
    if (refused_without_count(v, in))
        return insn_fault(v, in);
    return string_repeat(v, in, outs_some);
}

static bool select_port(struct sel *s, struct insn *in, unsigned out)
{
    const ZydisDecodedOperand *port = &s->d.op[out ? 0 : 1];
    in->src = port->type == ZYDIS_OPERAND_TYPE_REGISTER;
    if (!in->src)
        in->imm = (int32_t)(port->imm.value.u & 0xff);
    in->osz = (uint8_t)sel_size(s, out ? 1 : 0);
    in->fn = out ? out_port : in_port;
    s->ends = out;
    return true;
}
static bool select_string_port(struct sel *s, struct insn *in, unsigned arg)
{
    select_string_common(s, in, arg & 0xf);
    in->fn = arg & 0x10 ? outs : ins;
    return true;
}

const struct sel_row op_io_rows[] = {
    {ZYDIS_MNEMONIC_IN, select_port, false},
    {ZYDIS_MNEMONIC_OUT, select_port, true},
    {ZYDIS_MNEMONIC_INSB, select_string_port, 1},
    {ZYDIS_MNEMONIC_INSW, select_string_port, 2},
    {ZYDIS_MNEMONIC_INSD, select_string_port, 4},
    {ZYDIS_MNEMONIC_OUTSB, select_string_port, 0x11},
    {ZYDIS_MNEMONIC_OUTSW, select_string_port, 0x12},
    {ZYDIS_MNEMONIC_OUTSD, select_string_port, 0x14},
    {0},
};
