/*
 * op_bit.c: BT, BTS, BTR, BTC; BSF, BSR, TZCNT, LZCNT, POPCNT; BMI1, BMI2; ADCX, ADOX; CRC32.
 *
 * All run on the host's ALU on the 64-bit registers that hold the operands, so that what happens to upper
 * halves and to undefined flags is silicon's doing.
 */
#include "engine/interp/host_alu.h"
#include "engine/interp/insn.h"

/* ---- bit tests: the bit number is masked by the operand size, except where a register indexes memory ----
 */

#define DEFINE_BIT(T, suf, bits, name, lock, mnem)                                                          \
    static ALWAYS_INLINE T name##bits(struct interp *v, T a, T n)                                           \
    {                                                                                                       \
        uint16_t cc = ST(v)->cc;                                                                            \
        __asm__(CC_IN mnem suf " %[n],%[a]" CC_OUT : [a] "+r"(a), "+a"(cc) : [n] "r"(n) : "cc");            \
        ST(v)->cc = cc;                                                                                     \
        return a;                                                                                           \
    }                                                                                                       \
    OP(name##_r##bits)                                                                                      \
    {                                                                                                       \
        T n = in->osz ? (T)in->imm : *(T *)&R8AT(v, in->src);                                               \
        T a = name##bits(v, *(T *)&R8AT(v, in->dst), n);                                                    \
        if (lock)                                                                                           \
            reg_write(v, in->dst, a, sizeof(T));                                                            \
        return in + 1;                                                                                      \
    }                                                                                                       \
    OP(name##_m##bits)                                                                                      \
    {                                                                                                       \
        uint64_t lin;                                                                                       \
        T n = in->osz ? (T)in->imm : *(T *)&R8AT(v, in->src);                                               \
        if (!bit_address(v, in, in->osz ? 0 : sign_extend(n, bits), sizeof(T), lock ? ACC_WRITE : ACC_READ, \
                         &lin))                                                                             \
            return insn_fault(v, in);                                                                       \
        n &= bits - 1;                                                                                      \
        if (!lock) {                                                                                        \
            T a;                                                                                            \
            if (!ld_lin(v, lin, &a, sizeof(T)))                                                             \
                return insn_fault(v, in);                                                                   \
            name##bits(v, a, n);                                                                            \
            return in + 1;                                                                                  \
        }                                                                                                   \
        T *p = wr_begin(v, lin, sizeof(T), true);                                                           \
        if (!p)                                                                                             \
            return insn_fault(v, in);                                                                       \
        name##_memory##bits(v, p, n);                                                                       \
        wr_end(v);                                                                                          \
        return in + 1;                                                                                      \
    }

/* The read-modify-write in memory is locked whether the guest's was or not. */
#define DEFINE_BIT_MEMORY(T, suf, bits, name, mnem)                            \
    static ALWAYS_INLINE void name##_memory##bits(struct interp *v, T *p, T n) \
    {                                                                          \
        uint16_t cc = ST(v)->cc;                                               \
        __asm__ volatile(CC_IN "lock " mnem suf " %[n],%[p]" CC_OUT            \
                         : [p] "+m"(*p), "+a"(cc)                              \
                         : [n] "r"(n)                                          \
                         : "cc", "memory");                                    \
        ST(v)->cc = cc;                                                        \
    }
#define DEFINE_NO_MEMORY(T, suf, bits, name, mnem)                             \
    static ALWAYS_INLINE void name##_memory##bits(struct interp *v, T *p, T n) \
    {                                                                          \
    }

/* A register bit number reaches beyond the operand: the address moves by whole operands. */
static bool bit_address(struct interp *v, const struct insn *in, int64_t n, unsigned size, unsigned acc,
                        uint64_t *lin)
{
    int64_t move = (n >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * (int64_t)size;
    uint64_t ea = (insn_ea(v, in) + (uint64_t)move) & mask_bytes(IN_ASZ_BYTES(in->flags));
    return seg_address(v, IN_SEG_NO(in->flags), ea, size, acc, lin);
}

FOR_WIDTHS_16UP(DEFINE_NO_MEMORY, bt, "bt")
FOR_WIDTHS_16UP(DEFINE_BIT_MEMORY, bts, "bts")
FOR_WIDTHS_16UP(DEFINE_BIT_MEMORY, btr, "btr")
FOR_WIDTHS_16UP(DEFINE_BIT_MEMORY, btc, "btc")
FOR_WIDTHS_16UP(DEFINE_BIT, bt, false, "bt")
FOR_WIDTHS_16UP(DEFINE_BIT, bts, true, "bts")
FOR_WIDTHS_16UP(DEFINE_BIT, btr, true, "btr")
FOR_WIDTHS_16UP(DEFINE_BIT, btc, true, "btc")

/* ---- one source, one destination, flags: the destination's old value matters (BSF of 0) ---- */

#define DEFINE_SCAN(T, suf, bits, name, mnem)                                               \
    static ALWAYS_INLINE void name##_do##bits(struct interp *v, const struct insn *in, T b) \
    {                                                                                       \
        uint16_t cc = ST(v)->cc;                                                            \
        uint64_t a = R64AT(v, in->dst), src = b;                                            \
        __asm__(CC_IN mnem suf " %" REG_##bits "[b],%" REG_##bits "[a]" CC_OUT              \
                : [a] "+r"(a), "+a"(cc)                                                     \
                : [b] "r"(src)                                                              \
                : "cc");                                                                    \
        ST(v)->cc = cc;                                                                     \
        R64AT(v, in->dst) = a;                                                              \
    }                                                                                       \
    OP(name##_r##bits)                                                                      \
    {                                                                                       \
        name##_do##bits(v, in, *(T *)&R8AT(v, in->src));                                    \
        return in + 1;                                                                      \
    }                                                                                       \
    OP(name##_m##bits)                                                                      \
    {                                                                                       \
        T b;                                                                                \
        if (!ld_op(v, in, &b, sizeof(T)))                                                   \
            return insn_fault(v, in);                                                       \
        name##_do##bits(v, in, b);                                                          \
        return in + 1;                                                                      \
    }
#define REG_16                  "w"
#define REG_32                  "k"
#define REG_64                  "q"
#define FOR_WIDTHS_32UP(X, ...) X(uint32_t, "l", 32, __VA_ARGS__) X(uint64_t, "q", 64, __VA_ARGS__)

FOR_WIDTHS_16UP(DEFINE_SCAN, bsf, "bsf")
FOR_WIDTHS_16UP(DEFINE_SCAN, bsr, "bsr")
FOR_WIDTHS_16UP(DEFINE_SCAN, tzcnt, "tzcnt")
FOR_WIDTHS_16UP(DEFINE_SCAN, lzcnt, "lzcnt")
FOR_WIDTHS_16UP(DEFINE_SCAN, popcnt, "popcnt")
FOR_WIDTHS_32UP(DEFINE_SCAN, blsi, "blsi")
FOR_WIDTHS_32UP(DEFINE_SCAN, blsr, "blsr")
FOR_WIDTHS_32UP(DEFINE_SCAN, blsmsk, "blsmsk")
FOR_WIDTHS_32UP(DEFINE_SCAN, adcx, "adcx")
FOR_WIDTHS_32UP(DEFINE_SCAN, adox, "adox")

/*
 * Three operands of which the one that may be memory is `b` and the other register is `c` (its offset in
 * imm): AT&T order "c, b, a" for count-like c, "b, c, a" for the others.
 */
#define DEFINE_THREE(T, suf, bits, name, template)                                               \
    static ALWAYS_INLINE void name##_do##bits(struct interp *v, const struct insn *in, T b)      \
    {                                                                                            \
        uint16_t cc = ST(v)->cc;                                                                 \
        T a, c = *(T *)&R8AT(v, in->imm);                                                        \
        __asm__(CC_IN template CC_OUT : [a] "=&r"(a), "+a"(cc) : [b] "r"(b), [c] "r"(c) : "cc"); \
        ST(v)->cc = cc;                                                                          \
        reg_write(v, in->dst, a, sizeof(T));                                                     \
    }                                                                                            \
    OP(name##_r##bits)                                                                           \
    {                                                                                            \
        name##_do##bits(v, in, *(T *)&R8AT(v, in->src));                                         \
        return in + 1;                                                                           \
    }                                                                                            \
    OP(name##_m##bits)                                                                           \
    {                                                                                            \
        T b;                                                                                     \
        if (!ld_op(v, in, &b, sizeof(T)))                                                        \
            return insn_fault(v, in);                                                            \
        name##_do##bits(v, in, b);                                                               \
        return in + 1;                                                                           \
    }
FOR_WIDTHS_32UP(DEFINE_THREE, andn, "andn %[b],%[c],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, bextr, "bextr %[c],%[b],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, bzhi, "bzhi %[c],%[b],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, pdep, "pdep %[b],%[c],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, pext, "pext %[b],%[c],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, sarx, "sarx %[c],%[b],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, shlx, "shlx %[c],%[b],%[a]")
FOR_WIDTHS_32UP(DEFINE_THREE, shrx, "shrx %[c],%[b],%[a]")

#define DEFINE_RORX(T, suf, bits, unused)                                                            \
    static ALWAYS_INLINE T rorx_do##bits(T b, unsigned n)                                            \
    {                                                                                                \
        n &= bits - 1;                                                                               \
        return n ? (T)(b >> n | b << (bits - n)) : b;                                                \
    }                                                                                                \
    OP(rorx_r##bits)                                                                                 \
    {                                                                                                \
        reg_write(v, in->dst, rorx_do##bits(*(T *)&R8AT(v, in->src), (unsigned)in->imm), sizeof(T)); \
        return in + 1;                                                                               \
    }                                                                                                \
    OP(rorx_m##bits)                                                                                 \
    {                                                                                                \
        T b;                                                                                         \
        if (!ld_op(v, in, &b, sizeof(T)))                                                            \
            return insn_fault(v, in);                                                                \
        reg_write(v, in->dst, rorx_do##bits(b, (unsigned)in->imm), sizeof(T));                       \
        return in + 1;                                                                               \
    }
FOR_WIDTHS_32UP(DEFINE_RORX, 0)

/* ---- CRC32: source of 1 to 8 bytes; the destination is 32 bits wide in effect ---- */

OP(crc32)
{
    uint64_t b = 0, crc = (uint32_t)R64AT(v, in->dst);
    if (in->imm) {
        if (!ld_op(v, in, &b, in->osz))
            return insn_fault(v, in);
    } else {
        b = reg_read(v, in->src, in->osz);
    }
    switch (in->osz) {
    case 1: __asm__("crc32b %b[b],%k[a]" : [a] "+r"(crc) : [b] "q"(b)); break;
    case 2: __asm__("crc32w %w[b],%k[a]" : [a] "+r"(crc) : [b] "r"(b)); break;
    case 4: __asm__("crc32l %k[b],%k[a]" : [a] "+r"(crc) : [b] "r"(b)); break;
    default: __asm__("crc32q %q[b],%q[a]" : [a] "+r"(crc) : [b] "r"(b));
    }
    R64AT(v, in->dst) = (uint32_t)crc;
    return in + 1;
}

/* ---- selection ---- */

#define ROW_16UP(name)                               \
    {                                                \
        {NULL, name##_r16, name##_r32, name##_r64},  \
        {                                            \
            NULL, name##_m16, name##_m32, name##_m64 \
        }                                            \
    }
#define ROW_32UP(name)                         \
    {                                          \
        {NULL, NULL, name##_r32, name##_r64},  \
        {                                      \
            NULL, NULL, name##_m32, name##_m64 \
        }                                      \
    }
enum {
    B_BT,
    B_BTS,
    B_BTR,
    B_BTC,
    B_BSF,
    B_BSR,
    B_TZCNT,
    B_LZCNT,
    B_POPCNT,
    B_BLSI,
    B_BLSR,
    B_BLSMSK,
    B_ADCX,
    B_ADOX,
    B_ANDN,
    B_BEXTR,
    B_BZHI,
    B_PDEP,
    B_PEXT,
    B_SARX,
    B_SHLX,
    B_SHRX,
    B_RORX,
};
static insn_fn *const fns[][2][4] = {
    [B_BT] = ROW_16UP(bt),       [B_BTS] = ROW_16UP(bts),     [B_BTR] = ROW_16UP(btr),
    [B_BTC] = ROW_16UP(btc),     [B_BSF] = ROW_16UP(bsf),     [B_BSR] = ROW_16UP(bsr),
    [B_TZCNT] = ROW_16UP(tzcnt), [B_LZCNT] = ROW_16UP(lzcnt), [B_POPCNT] = ROW_16UP(popcnt),
    [B_BLSI] = ROW_32UP(blsi),   [B_BLSR] = ROW_32UP(blsr),   [B_BLSMSK] = ROW_32UP(blsmsk),
    [B_ADCX] = ROW_32UP(adcx),   [B_ADOX] = ROW_32UP(adox),   [B_ANDN] = ROW_32UP(andn),
    [B_BEXTR] = ROW_32UP(bextr), [B_BZHI] = ROW_32UP(bzhi),   [B_PDEP] = ROW_32UP(pdep),
    [B_PEXT] = ROW_32UP(pext),   [B_SARX] = ROW_32UP(sarx),   [B_SHLX] = ROW_32UP(shlx),
    [B_SHRX] = ROW_32UP(shrx),   [B_RORX] = ROW_32UP(rorx),
};

static bool choose(struct sel *s, struct insn *in, unsigned op, unsigned rm)
{
    bool mem = sel_is_mem(s, rm);
    /* VEX forms do not exist in real and virtual-8086 mode (SDM 2A 2.3). */
    if (s->d.i.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && !x86_protected(&s->v->c.st))
        return false;
    if (mem)
        sel_mem(s, in, rm);
    in->fn = fns[op][mem][width_index(sel_size(s, 0))];
    return in->fn;
}

static bool select_bit(struct sel *s, struct insn *in, unsigned op)
{
    in->osz = sel_is_imm(s, 1);
    if (in->osz)
        in->imm = (int32_t)s->d.op[1].imm.value.u;
    else
        in->src = sel_reg(s->d.op[1].reg.value);
    if (!sel_is_mem(s, 0))
        in->dst = sel_reg(s->d.op[0].reg.value);
    return choose(s, in, op, 0);
}

/* dst, r/m */
static bool select_scan(struct sel *s, struct insn *in, unsigned op)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    if (!sel_is_mem(s, 1))
        in->src = sel_reg(s->d.op[1].reg.value);
    return choose(s, in, op, 1);
}

/* dst, r/m, register; or dst, register, r/m; or dst, r/m, imm: the manual's order. */
static bool select_three(struct sel *s, struct insn *in, unsigned op)
{
    unsigned rm = op == B_ANDN || op == B_PDEP || op == B_PEXT ? 2 : 1, other = 3 - rm;
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->imm = sel_is_imm(s, other) ? (int32_t)s->d.op[other].imm.value.u : sel_reg(s->d.op[other].reg.value);
    if (!sel_is_mem(s, rm))
        in->src = sel_reg(s->d.op[rm].reg.value);
    return choose(s, in, op, rm);
}

static bool select_crc32(struct sel *s, struct insn *in, unsigned arg)
{
    in->dst = sel_reg(s->d.op[0].reg.value);
    in->osz = (uint8_t)sel_size(s, 1);
    in->imm = sel_is_mem(s, 1);
    if (in->imm)
        sel_mem(s, in, 1);
    else
        in->src = sel_reg(s->d.op[1].reg.value);
    in->fn = crc32;
    return true;
}

const struct sel_row op_bit_rows[] = {
    {ZYDIS_MNEMONIC_BT, select_bit, B_BT},
    {ZYDIS_MNEMONIC_BTS, select_bit, B_BTS},
    {ZYDIS_MNEMONIC_BTR, select_bit, B_BTR},
    {ZYDIS_MNEMONIC_BTC, select_bit, B_BTC},
    {ZYDIS_MNEMONIC_BSF, select_scan, B_BSF},
    {ZYDIS_MNEMONIC_BSR, select_scan, B_BSR},
    {ZYDIS_MNEMONIC_TZCNT, select_scan, B_TZCNT},
    {ZYDIS_MNEMONIC_LZCNT, select_scan, B_LZCNT},
    {ZYDIS_MNEMONIC_POPCNT, select_scan, B_POPCNT},
    {ZYDIS_MNEMONIC_BLSI, select_scan, B_BLSI},
    {ZYDIS_MNEMONIC_BLSR, select_scan, B_BLSR},
    {ZYDIS_MNEMONIC_BLSMSK, select_scan, B_BLSMSK},
    {ZYDIS_MNEMONIC_ADCX, select_scan, B_ADCX},
    {ZYDIS_MNEMONIC_ADOX, select_scan, B_ADOX},
    {ZYDIS_MNEMONIC_ANDN, select_three, B_ANDN},
    {ZYDIS_MNEMONIC_BEXTR, select_three, B_BEXTR},
    {ZYDIS_MNEMONIC_BZHI, select_three, B_BZHI},
    {ZYDIS_MNEMONIC_PDEP, select_three, B_PDEP},
    {ZYDIS_MNEMONIC_PEXT, select_three, B_PEXT},
    {ZYDIS_MNEMONIC_SARX, select_three, B_SARX},
    {ZYDIS_MNEMONIC_SHLX, select_three, B_SHLX},
    {ZYDIS_MNEMONIC_SHRX, select_three, B_SHRX},
    {ZYDIS_MNEMONIC_RORX, select_three, B_RORX},
    {ZYDIS_MNEMONIC_CRC32, select_crc32, 0},
    {0},
};
