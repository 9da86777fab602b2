/*
 * fp_thunk.c: makes, keeps and finds the pieces of host code that execute x87, MMX, SSE and AVX instructions.
 *
 * Registers in a thunk: rdi memory operand, rsi rdx rcx r8 pointers to the register operands, r9 the vCPU.
 * Operand n is loaded into xmm/ymm/mm n+1 (register 0 stays free for the XMM0 that some instructions imply),
 * a general register into rax. No stack is used: what a SIGFPE interrupts can go to `escape` at once.
 */
#include "engine/interp/fp.h"

#include <stdlib.h>

#define CODE_SIZE MIB(32)
#define NO_FORM   UINT32_MAX

#define AT_MXCSR     offsetof(struct interp, c.st.fpu.fx.mxcsr)
#define AT_CC        offsetof(struct interp, c.st.cc)
#define AT_GPR(r)    offsetof(struct interp, c.st.gpr[r])
#define AT_XMM0      offsetof(struct interp, c.st.fpu.ymm[0])
#define HOST_MXCSR   0 /* offset in code memory of the host's MXCSR, four bytes */
#define THUNK_AT_FAR 16

/* ---- emitting ---- */

static void put(struct fp_thunks *t, const void *bytes, size_t n)
{
    assert(t->used + n <= t->cm.size);
    memcpy(t->cm.rw + t->used, bytes, n);
    t->used += n;
}
#define PUT(t, ...) put(t, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put32(struct fp_thunks *t, size_t val)
{
    uint32_t x = (uint32_t)val;
    put(t, &x, 4);
}

/* op xmm/ymm/mm/gpr n, [pointer to operand `slot`]; `load` or store. */
static void put_operand(struct fp_thunks *t, const struct fp_shape *sh, unsigned slot, unsigned n, bool load)
{
    static const uint8_t pointer[4] = {6, 2, 1, 8}; /* rsi, rdx, rcx, r8 */
    unsigned far = pointer[slot] >> 3;
    uint8_t modrm = (uint8_t)(n << 3 | (pointer[slot] & 7));
    switch (sh->reg[slot].kind) {
    case KIND_GPR: PUT(t, (uint8_t)(0x48 | far), load ? 0x8b : 0x89, modrm); break;
    case KIND_MMX:
        PUT(t, (uint8_t)(0x40 | far), 0x0f, load ? 0x6f : 0x7f, modrm);
        if (!load) /* the exponent becomes all ones: mov word [pointer + 8], 0xffff */
            PUT(t, 0x66, (uint8_t)(0x40 | far), 0xc7, (uint8_t)(0x40 | (pointer[slot] & 7)), 8, 0xff, 0xff);
        break;
    case KIND_VECTOR:
        if (!sh->vex) /* movups */
            PUT(t, (uint8_t)(0x40 | far), 0x0f, load ? 0x10 : 0x11, modrm);
        else /* vmovups; a VEX instruction clears what is above its width, so 32 bytes are stored always */
            PUT(t, 0xc4, (uint8_t)(0xc1 | !far << 5), (uint8_t)(0x78 | (sh->wide || !load) << 2),
                load ? 0x10 : 0x11, modrm);
        break;
    }
}
/* XMM0 from or to its place in the vCPU. */
static void put_xmm0(struct fp_thunks *t, const struct fp_shape *sh, bool load)
{
    if (sh->vex)
        PUT(t, 0xc4, 0xc1, (uint8_t)(0x78 | (sh->wide || !load) << 2));
    else
        PUT(t, 0x41, 0x0f);
    PUT(t, load ? 0x10 : 0x11, 0x81);
    put32(t, AT_XMM0);
}
/* mov reg, [r9 + at] or back */
static void put_gpr(struct fp_thunks *t, unsigned reg, size_t at, bool load)
{
    PUT(t, 0x49, load ? 0x8b : 0x89, (uint8_t)(0x81 | reg << 3));
    put32(t, at);
}
static void put_ldmxcsr(struct fp_thunks *t)
{
    PUT(t, 0x41, 0x0f, 0xae, 0x91);
    put32(t, AT_MXCSR);
}
static void put_stmxcsr(struct fp_thunks *t)
{
    PUT(t, 0x41, 0x0f, 0xae, 0x99);
    put32(t, AT_MXCSR);
}
static void put_host_mxcsr(struct fp_thunks *t)
{
    PUT(t, 0x0f, 0xae, 0x15); /* ldmxcsr [rip + ...] */
    put32(t, HOST_MXCSR - (t->used + 4));
}
/* The arithmetic flags into the vCPU: lahf; seto al; mov [r9 + cc], ax. */
static void put_flags_out(struct fp_thunks *t)
{
    PUT(t, 0x9f, 0x0f, 0x90, 0xc0, 0x66, 0x41, 0x89, 0x81);
    put32(t, AT_CC);
}
/* movzx eax, word [r9 + cc]; add al, 0x7f; sahf */
static void put_flags_in(struct fp_thunks *t)
{
    PUT(t, 0x41, 0x0f, 0xb7, 0x81);
    put32(t, AT_CC);
    PUT(t, 0x04, 0x7f, 0x9e);
}
static void put_return(struct fp_thunks *t)
{
    PUT(t, 0x31, 0xc0, 0xc3);
    t->used = align_up(t->used, 16);
}

/* ---- the table of forms ---- */

static unsigned hash_of(const struct fp_thunks *t, uint64_t key)
{
    return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 40) & (t->hash_size - 1);
}
static uint32_t *find(const struct fp_thunks *t, uint64_t key)
{
    unsigned i = hash_of(t, key);
    while (t->hash[i] != NO_FORM && t->form[t->hash[i]].key != key)
        i = (i + 1) & (t->hash_size - 1);
    return &t->hash[i];
}
/* Room for one more; false: no memory. */
static bool grow(struct fp_thunks *t)
{
    if (t->n < t->room)
        return true;
    unsigned room = t->room ? t->room * 2 : 512;
    struct fp_form *form = realloc(t->form, room * sizeof(*form));
    if (!form)
        return false;
    t->form = form;
    uint32_t *hash = malloc(room * 2 * sizeof(*hash));
    if (!hash)
        return false;
    free(t->hash);
    t->hash = hash;
    t->hash_size = room * 2;
    t->room = room;
    memset(hash, 0xff, t->hash_size * sizeof(*hash));
    for (unsigned i = 0; i < t->n; i++)
        *find(t, form[i].key) = i;
    return true;
}
static uint64_t key_of(const uint8_t *bytes, unsigned len)
{
    uint64_t key = 0;
    assert(len && len < 8);
    memcpy(&key, bytes, len);
    return key | (uint64_t)len << 56;
}
/* A new form that starts here; its code is emitted next. */
static uint32_t new_form(struct fp_thunks *t, uint64_t key, uint8_t size, uint8_t align)
{
    t->form[t->n] = (struct fp_form){
        .code = (fp_code *)(uintptr_t)(t->cm.rx + t->used), .key = key, .size = size, .align = align};
    *find(t, key) = t->n;
    return t->n++;
}

uint32_t fp_form_vector(struct interp *v, const struct fp_shape *sh)
{
    struct fp_thunks *t = v->thunks;
    uint64_t key = key_of(sh->bytes, sh->len);
    uint32_t known = *find(t, key);
    if (known != NO_FORM)
        return known;
    if (!grow(t))
        return NO_FORM;
    uint32_t form = new_form(t, key, sh->size, sh->align);
    bool mmx = false;
    for (unsigned i = 0; i < sh->nregs; i++) {
        mmx |= sh->reg[i].kind == KIND_MMX;
        if (sh->reg[i].kind != KIND_GPR || sh->reg[i].in)
            put_operand(t, sh, i, sh->reg[i].kind == KIND_GPR ? 0 : i + 1, true);
    }
    if (sh->xmm0_in || sh->xmm0_out)
        put_xmm0(t, sh, true);
    if (sh->lengths) {
        put_gpr(t, RAX, AT_GPR(RAX), true);
        put_gpr(t, RDX, AT_GPR(RDX), true);
    }
    if (sh->fp)
        put_ldmxcsr(t);
    put(t, sh->bytes, sh->len);
    if (sh->index)
        put_gpr(t, RCX, AT_GPR(RCX), false);
    if (sh->flags)
        put_flags_out(t);
    for (unsigned i = 0; i < sh->nregs; i++)
        if (sh->reg[i].out)
            put_operand(t, sh, i, sh->reg[i].kind == KIND_GPR ? 0 : i + 1, false);
    if (sh->xmm0_out)
        put_xmm0(t, sh, false);
    if (sh->fp) {
        put_stmxcsr(t);
        put_host_mxcsr(t);
    }
    if (sh->wide)
        PUT(t, 0xc5, 0xf8, 0x77); /* vzeroupper */
    if (mmx)
        PUT(t, 0x0f, 0x77); /* emms */
    put_return(t);
    return form;
}

/*
 * The whole x87 state goes in and out. Nothing between FXRSTOR and FNINIT waits, so that an exception which
 * the instruction leaves pending never fires on the host. FXRSTOR loads MXCSR too.
 */
static uint32_t x87_form(struct fp_thunks *t, uint64_t key, const uint8_t *bytes, unsigned len, unsigned size)
{
    uint32_t form = new_form(t, key, (uint8_t)size, 0);
    uint8_t op = len ? bytes[0] : 0, modrm = len ? bytes[1] : 0;
    bool fcmov = (op == 0xda || op == 0xdb) && modrm >= 0xc0 && modrm < 0xe0;
    bool fcomi = (op == 0xdb || op == 0xdf) && modrm >= 0xe8 && modrm < 0xf8;
    PUT(t, 0x48, 0x0f, 0xae, 0x0e); /* fxrstor64 [rsi] */
    if (fcmov || fcomi)
        put_flags_in(t);
    put(t, bytes, len);
    if (fcomi)
        put_flags_out(t);
    PUT(t, 0x48, 0x0f, 0xae, 0x06, 0xdb, 0xe3); /* fxsave64 [rsi]; fninit */
    put_host_mxcsr(t);
    put_return(t);
    return form;
}

uint32_t fp_form_x87(struct interp *v, uint8_t opcode, uint8_t modrm, unsigned size)
{
    struct fp_thunks *t = v->thunks;
    const uint8_t bytes[2] = {opcode, modrm};
    uint64_t key = key_of(bytes, 2);
    uint32_t known = *find(t, key);
    if (known != NO_FORM)
        return known;
    return grow(t) ? x87_form(t, key, bytes, 2, size) : NO_FORM;
}

/* ---- life ---- */

/* Bits of MXCSR that may be set (SDM 1 11.6.6). */
static uint32_t host_mxcsr_mask(void)
{
    _Alignas(16) uint8_t image[512] = {0};
    __asm__ volatile("fxsave64 %0" : "+m"(image));
    uint32_t mask = (uint32_t)load_le(image + 28, 4);
    return mask ? mask : 0xffbf;
}

/* From where on the bits of FIP are copies of one: an image with an exception pending goes in and out. */
static unsigned host_pointer_bits(void)
{
    _Alignas(16) uint8_t image[512] = {0}, host[512];
    const uint64_t fip = 0x2aaaaaaaaaaaaaaaull; /* no two bits alike */
    unsigned n = 48;
    store_le(image, 0x37e, 2);
    store_le(image + 2, FSW_B | FSW_ES | 1, 2);
    store_le(image + 8, fip, 8);
    store_le(image + 24, MXCSR_INIT, 4);
    __asm__ volatile("fxsave64 %0\n\tfxrstor64 %1\n\tfxsave64 %1\n\tfxrstor64 %0" : "+m"(host), "+m"(image));
    while (n < 64 && (uint64_t)sign_extend(fip, n) != load_le(image + 8, 8))
        n++;
    return n;
}

static void make_escape(struct fp_thunks *t)
{
    t->escape = t->cm.rx + t->used;
    put_stmxcsr(t);
    put_host_mxcsr(t);
    if (__builtin_cpu_supports("avx"))
        PUT(t, 0xc5, 0xf8, 0x77);
    PUT(t, 0xb8, 1, 0, 0, 0, 0xc3); /* mov eax, 1; ret */
    t->used = align_up(t->used, 16);
}

bool fp_init(struct interp *v, struct err *e)
{
    struct fp_thunks *t = aligned_alloc(64, align_up(sizeof(*t), 64));
    if (!t)
        return err_host(e, "no memory for the vector unit's thunks");
    memset(t, 0, sizeof(*t));
    v->thunks = t;
    if (!code_mem_new(&t->cm, CODE_SIZE, e) || !grow(t)) {
        if (t->cm.rw)
            err_host(e, "no memory for the vector unit's thunks");
        fp_free(v);
        return false;
    }
    store_le(t->cm.rw + HOST_MXCSR, MXCSR_INIT, 4);
    t->used = THUNK_AT_FAR;
    make_escape(t);
    static const uint8_t fixed[X87_FIXED][2] = {
        [X87_STENV] = {0xd9, 0x37}, /* fnstenv [rdi] */
        [X87_LDENV] = {0xd9, 0x27}, /* fldenv [rdi] */
        [X87_SAVE] = {0xdd, 0x37},  /* fnsave [rdi] */
        [X87_RSTOR] = {0xdd, 0x27}, /* frstor [rdi] */
    };
    for (unsigned i = 0; i < X87_FIXED; i++)
        t->x87[i] = x87_form(t, 1ull << 63 | i, fixed[i], i == X87_NORMALIZE ? 0 : 2, 0);
    t->host_mxcsr_mask = host_mxcsr_mask();
    t->pointer_bits = host_pointer_bits();
    return true;
}

void fp_free(struct interp *v)
{
    struct fp_thunks *t = v->thunks;
    if (!t)
        return;
    code_mem_free(&t->cm);
    free(t->form);
    free(t->hash);
    free(t);
    v->thunks = NULL;
}
