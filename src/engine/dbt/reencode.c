/*
 * reencode.c: the same instruction with other registers and another memory operand.
 *
 * Prefixes that mean something, map and opcode stay; REX or VEX, ModRM and SIB are made anew. The memory
 * operand has become [SCRATCH_A]; a guest register that has no host register is loaded into a scratch
 * register before and stored from it afterwards.
 */
#include "engine/dbt/translate.h"

/* ---- guest registers ---- */

/* Number and kind of a general register; high: AH, CH, DH, BH. */
struct gpr {
    unsigned number;
    bool high;
};

static bool gpr_of(ZydisRegister r, struct gpr *g)
{
    static const struct {
        ZydisRegister first, last;
        uint8_t number;
        bool high;
    } ranges[] = {
        {ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, 0, false},
        {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, 0, false},
        {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, 0, false},
        {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, 0, false},
        {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, 0, true},
        {ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, 4, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(ranges); i++)
        if (r >= ranges[i].first && r <= ranges[i].last) {
            *g = (struct gpr){ranges[i].number + (unsigned)(r - ranges[i].first), ranges[i].high};
            return true;
        }
    return false;
}

unsigned guest_gpr(ZydisRegister r)
{
    struct gpr g;
    return r >= ZYDIS_REGISTER_AX && gpr_of(r, &g) ? g.number : X86_NGPR;
}
bool is_high_byte(ZydisRegister r)
{
    struct gpr g;
    return gpr_of(r, &g) && g.high;
}
unsigned any_gpr(ZydisRegister r)
{
    struct gpr g;
    return gpr_of(r, &g) ? g.number : X86_NGPR;
}

void tr_get(struct tr *t, enum hreg to, unsigned guest)
{
    if (host_reg(guest) == H_NONE)
        emit_load(&t->e, OP64, to, GS_GPR(guest));
    else
        emit_mov_rr(&t->e, OP64, to, host_reg(guest));
}
/* ---- what the new encoding consists of ---- */

struct copy {
    uint8_t reg, rm, vvvv; /* host numbers; rm: of a register operand */
    bool has_reg, has_rm, has_vvvv;
    bool opcode_reg; /* rm stands in the opcode's low bits */
    bool memory;
    bool byte_low; /* SPL, BPL, SIL or DIL: a REX prefix must be there */
    bool high;     /* AH, CH, DH or BH: none may be */
    bool may_keep; /* the destination may stay as it was: BSF and BSR of zero */
    struct {
        uint8_t guest, host;
        bool load, store;
    } moved[2];
    unsigned nmoved;
    uint8_t scratch[2]; /* for them */
    struct hmem m;      /* the memory operand */
};

/* The host register for a guest register operand; false: no scratch register is left. */
static bool place(struct copy *c, const ZydisDecodedOperand *op, struct gpr g, uint8_t *host)
{
    *host = host_reg(g.number);
    if (g.high) {
        c->high = true;
        *host = (uint8_t)(g.number + 4);
        return true;
    }
    if (*host == H_NONE) {
        const bool written = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
        const bool part = op->size < 32 || (op->actions & ZYDIS_OPERAND_ACTION_CONDWRITE) || c->may_keep;
        const bool load = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) || part;
        unsigned i = 0;
        while (i < c->nmoved && c->moved[i].guest != g.number)
            i++;
        if (i == ARRAY_LEN(c->moved))
            return false;
        if (i == c->nmoved) {
            c->moved[i].guest = (uint8_t)g.number;
            c->moved[i].host = c->scratch[i];
            c->nmoved++;
        }
        c->moved[i].load |= load;
        c->moved[i].store |= written;
        *host = c->moved[i].host;
    }
    if (op->size == 8 && *host >= H_RSP && *host < H_R8)
        c->byte_low = true;
    return true;
}

static bool operands(const struct x86_decoded *d, struct copy *c)
{
    c->may_keep = d->i.mnemonic == ZYDIS_MNEMONIC_BSF || d->i.mnemonic == ZYDIS_MNEMONIC_BSR;
    for (unsigned i = 0; i < d->i.operand_count; i++) {
        const ZydisDecodedOperand *op = &d->op[i];
        uint8_t host;
        struct gpr g;
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            c->memory = true;
            continue;
        }
        if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        const ZydisRegisterClass class = ZydisRegisterGetClass(op->reg.value);
        if (gpr_of(op->reg.value, &g)) {
            /* Implicit registers are where the guest has them. */
            if (op->encoding == ZYDIS_OPERAND_ENCODING_NONE) {
                if (host_reg(g.number) != g.number)
                    return false;
                continue;
            }
            if (!place(c, op, g, &host))
                return false;
        } else if (class == ZYDIS_REGCLASS_XMM || class == ZYDIS_REGCLASS_YMM) {
            host = (uint8_t)ZydisRegisterGetId(op->reg.value);
        } else if (class == ZYDIS_REGCLASS_FLAGS || class == ZYDIS_REGCLASS_IP) {
            continue;
        } else {
            return false; /* segment, control, debug, MMX, x87 */
        }
        switch (op->encoding) {
        case ZYDIS_OPERAND_ENCODING_MODRM_REG: c->reg = host, c->has_reg = true; break;
        case ZYDIS_OPERAND_ENCODING_MODRM_RM: c->rm = host, c->has_rm = true; break;
        case ZYDIS_OPERAND_ENCODING_OPCODE: c->rm = host, c->opcode_reg = true; break;
        case ZYDIS_OPERAND_ENCODING_NDSNDD: c->vvvv = host, c->has_vvvv = true; break;
        case ZYDIS_OPERAND_ENCODING_NONE: /* XMM0 of BLENDVPS and friends */
        case ZYDIS_OPERAND_ENCODING_IS4: break;
        default: return false;
        }
    }
    return true;
}

static void legacy_prefixes(struct emit *e, const struct x86_decoded *d)
{
    bool had[3] = {false};
    static const uint8_t keep[3] = {0x66, 0xf2, 0xf3};
    if (d->i.attributes & ZYDIS_ATTRIB_HAS_LOCK)
        emit_u8(e, 0xf0);
    for (unsigned i = 0; i < d->i.raw.prefix_count; i++)
        for (unsigned k = 0; k < ARRAY_LEN(keep); k++)
            had[k] |= d->i.raw.prefixes[i].value == keep[k];
    if (had[0])
        emit_u8(e, 0x66);
    /* Of F2 and F3 the last one counts. */
    for (unsigned i = d->i.raw.prefix_count; i-- > 0;) {
        uint8_t p = d->i.raw.prefixes[i].value;
        if (p == 0xf2 || p == 0xf3) {
            emit_u8(e, p);
            break;
        }
    }
}

static void modrm(struct emit *e, const struct x86_decoded *d, const struct copy *c)
{
    const unsigned reg = c->has_reg ? c->reg : d->i.raw.modrm.reg;
    if (c->memory)
        emit_modrm_mem(e, reg, c->m);
    else
        emit_u8(e, (uint8_t)(0xc0 | (reg & 7) << 3 | (c->rm & 7)));
}

static void immediates(struct emit *e, const struct x86_decoded *d)
{
    for (unsigned i = 0; i < 2; i++)
        if (d->i.raw.imm[i].size) {
            uint64_t v = d->i.raw.imm[i].value.u;
            emit_bytes(e, &v, d->i.raw.imm[i].size / 8);
        }
}

/* REX.X and REX.B of the memory operand. */
static unsigned rex_xb(const struct hmem *m)
{
    return (m->index != H_NONE ? m->index >> 3u << 1 : 0) | m->base >> 3u;
}

static bool legacy_needs_rex(const struct x86_decoded *d, const struct copy *c, unsigned *rex)
{
    *rex = (unsigned)d->i.raw.rex.W << 3;
    if (c->has_reg)
        *rex |= (c->reg >> 3u) << 2;
    if (c->memory)
        *rex |= rex_xb(&c->m);
    else if (c->has_rm || c->opcode_reg)
        *rex |= c->rm >> 3u;
    return *rex || c->byte_low;
}

static void legacy(struct emit *e, const struct x86_decoded *d, const struct copy *c)
{
    unsigned rex;
    bool need = legacy_needs_rex(d, c, &rex);
    legacy_prefixes(e, d);
    if (need)
        emit_u8(e, (uint8_t)(0x40 | rex));
    switch (d->i.opcode_map) {
    case ZYDIS_OPCODE_MAP_0F: emit_u8(e, 0x0f); break;
    case ZYDIS_OPCODE_MAP_0F38:
        emit_u8(e, 0x0f);
        emit_u8(e, 0x38);
        break;
    case ZYDIS_OPCODE_MAP_0F3A:
        emit_u8(e, 0x0f);
        emit_u8(e, 0x3a);
        break;
    default: break;
    }
    emit_u8(e, c->opcode_reg ? (uint8_t)((d->i.opcode & 0xf8) | (c->rm & 7)) : d->i.opcode);
    if (d->i.attributes & ZYDIS_ATTRIB_HAS_MODRM)
        modrm(e, d, c);
    immediates(e, d);
}

/* Always the three-byte form (SDM 2A 2.3.5). */
static void vex(struct emit *e, const struct x86_decoded *d, const struct copy *c)
{
    const unsigned r = c->has_reg ? c->reg >> 3u : 0, xb = c->memory ? rex_xb(&c->m) : c->rm >> 3u;
    const unsigned vvvv = c->has_vvvv ? c->vvvv : 0;
    emit_u8(e, 0xc4);
    emit_u8(e, (uint8_t)((r ^ 1u) << 7 | (xb ^ 3u) << 5 | d->i.raw.vex.m_mmmm));
    emit_u8(e, (uint8_t)((unsigned)d->i.raw.vex.W << 7 | (~vvvv & 15u) << 3 | (unsigned)d->i.raw.vex.L << 2 |
                         d->i.raw.vex.pp));
    emit_u8(e, d->i.opcode);
    if (d->i.attributes & ZYDIS_ATTRIB_HAS_MODRM)
        modrm(e, d, c);
    immediates(e, d);
}

bool copy_possible(const struct x86_decoded *d)
{
    struct copy c = {.scratch = {SCRATCH_B, SCRATCH_C}, .m = mem_at(SCRATCH_A, 0)};
    unsigned rex;
    if (!operands(d, &c))
        return false;
    if (c.high && c.memory) /* exchanged with its other half: that must not be an operand too */
        return c.has_reg && d->i.mnemonic != ZYDIS_MNEMONIC_CMPXCHG;
    return !(c.high && (c.byte_low || legacy_needs_rex(d, &c, &rex)));
}

/* XCHG r8, r8 of one register's halves: the upper one cannot be named beside a REX prefix. */
static void swap_halves(struct emit *e, unsigned low)
{
    emit_u8(e, 0x86);
    emit_u8(e, (uint8_t)(0xc0 | (low + 4) << 3 | low));
}

void tr_copy(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    const struct plan *p = &t->plan[t->n];
    struct copy c = {.scratch = {SCRATCH_B, SCRATCH_C}, .m = mem_at(SCRATCH_A, 0)};
    struct access a;
    operands(d, &c);
    const unsigned nmoved = c.nmoved;
    struct hmem m = {H_NONE, H_NONE, 1, false, 0};
    if (insn_access(t, t->n, &a))
        m = tr_memory(t, &a);
    if (m.index == SCRATCH_B && nmoved) { /* both registers of the sum are wanted */
        emit_lea(&t->e, OP64, m.base, m);
        m = mem_at(m.base, 0);
    }
    uint8_t scratch[2] = {0};
    unsigned used = 0;
    for (unsigned i = 0; i < nmoved; i++) {
        scratch[i] = (uint8_t)tr_scratch(t, &m, used);
        used |= 1u << scratch[i];
    }
    c = (struct copy){.scratch = {scratch[0], scratch[1]}, .m = m};
    operands(d, &c);
    const bool swapped = c.high && c.memory;
    if (swapped) {
        c.reg -= 4;
        if (m.index == c.reg) {
            emit_lea(&t->e, OP64, SCRATCH_B, m);
            m = c.m = mem_at(SCRATCH_B, 0);
        }
    }
    if (p->flags == FLAGS_READ || p->flags == FLAGS_CHANGE)
        flags_to_host(t, m.index == SCRATCH_B || m.base == SCRATCH_B);
    for (unsigned i = 0; i < c.nmoved; i++)
        if (c.moved[i].load)
            emit_load(&t->e, OP64, c.moved[i].host, GS_GPR(c.moved[i].guest));
    if (swapped)
        swap_halves(&t->e, c.reg);
    if (d->i.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        vex(&t->e, d, &c);
    else
        legacy(&t->e, d, &c);
    if (swapped)
        swap_halves(&t->e, c.reg);
    for (unsigned i = 0; i < c.nmoved; i++)
        if (c.moved[i].store)
            emit_store(&t->e, OP64, GS_GPR(c.moved[i].guest), c.moved[i].host);
    if (p->flags == FLAGS_SET || p->flags == FLAGS_CHANGE)
        flags_made(t);
}

void tr_lea(struct tr *t)
{
    const struct x86_decoded *d = tr_decoded(t);
    const unsigned size = d->i.operand_width / 8, g = guest_gpr(d->op[0].reg.value);
    const unsigned cut = d->i.address_width == 32 ? OP32 : size;
    uint8_t to = host_reg(g);
    if (to != H_NONE && cut == size && size != OP16) {
        tr_effective(t, &d->op[1].mem, size, to);
        return;
    }
    tr_effective(t, &d->op[1].mem, cut == OP16 ? OP64 : cut, SCRATCH_B);
    if (to != H_NONE)
        emit_mov_rr(&t->e, size, to, SCRATCH_B);
    else
        emit_store(&t->e, size == OP16 ? OP16 : OP64, GS_GPR(g), SCRATCH_B);
}
