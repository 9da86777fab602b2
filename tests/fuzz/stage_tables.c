/*
 * stage_tables.c: descriptor tables, task state segments, handlers and page tables of a guest-code input: one
 * example of everything that the architecture knows.
 */
#include "stage.h"

static void put(struct rig *r, gpa_t gpa, uint64_t v, unsigned n)
{
    mem_load(r->mem, gpa, &v, n);
}

bool stage_is_long(const struct stage_header *h)
{
    return h->mode >= STAGE_COMPAT16;
}

/* ---- descriptors (SDM 3A 3.4.5, 3.5, 5.8.3, 6.11, 7.2.2) ---- */

static uint64_t segment(uint32_t base, uint32_t limit, uint16_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(attr >> 12) << 52 | (uint64_t)(base >> 24) << 56;
}
static uint64_t gate(uint16_t sel, uint32_t offset, uint8_t type, unsigned dpl)
{
    return (offset & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
           (uint64_t)(offset >> 16) << 48;
}

enum {
    CODE = SEG_P | SEG_S | SEG_T_CODE | SEG_T_RW | SEG_T_ACCESSED,
    DATA = SEG_P | SEG_S | SEG_T_RW | SEG_T_ACCESSED,
    WIDE = SEG_DB | SEG_G,
};

static void gdt(struct rig *r, const struct stage_header *h)
{
    const struct {
        uint16_t sel;
        uint64_t desc;
    } list[] = {
        {SEL_CODE32, segment(0, 0xfffff, CODE | WIDE)},
        {SEL_DATA32, segment(0, 0xfffff, DATA | WIDE)},
        {SEL_CODE64, segment(0, 0, CODE | SEG_L)},
        {SEL_CODE32_USER, segment(0, 0xfffff, CODE | WIDE | SEG_DPL)},
        {SEL_DATA32_USER, segment(0, 0xfffff, DATA | WIDE | SEG_DPL)},
        {SEL_CODE64_USER, segment(0, 0, CODE | SEG_L | SEG_DPL)},
        {SEL_CODE16, segment(0, 0x3f, CODE | SEG_G)},
        {SEL_DATA16, segment(0, 0x3f, DATA | SEG_G)},
        {SEL_CONFORMING, segment(0, 0xfffff, CODE | WIDE | SEG_T_DC)},
        {SEL_DOWN, segment(0, 0xc, DATA | WIDE | SEG_T_DC)},
        {SEL_LDT, segment(STAGE_LDT, 0x3f, SEG_P | SYS_LDT)},
        {SEL_TSS, segment(STAGE_TSS, 0x8f, SEG_P | SYS_TSS32_BUSY)},
        {SEL_TSS_OTHER, segment(STAGE_TSS_OTHER, 0x67, SEG_P | SYS_TSS32)},
        {SEL_TSS16, segment(STAGE_TSS16, 0x2b, SEG_P | SEG_DPL | SYS_TSS16)},
        {SEL_CALL32, gate(SEL_CODE32, STAGE_HANDLERS, SYS_CALL32, 3) | 1ull << 32},
        {SEL_CALL64, gate(SEL_CODE64, STAGE_HANDLERS, SYS_CALL32, 3)},
        {SEL_TASK, gate(SEL_TSS_OTHER, 0, SYS_TASK, 3)},
        {SEL_ABSENT, segment(0, 0xfffff, (DATA | WIDE) & ~SEG_P)},
        {SEL_CODE16_USER, segment(0, 0x3f, CODE | SEG_G | SEG_DPL)},
        {SEL_DATA16_USER, segment(0, 0x3f, DATA | SEG_G | SEG_DPL)},
        {SEL_READ_ONLY, segment(0, 0xfffff, (DATA | WIDE | SEG_DPL) & ~SEG_T_RW)},
        {SEL_EXEC_ONLY, segment(0, 0xfffff, (CODE | WIDE | SEG_DPL) & ~SEG_T_RW)},
    };
    for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
        bool spare = stage_is_long(h) && (list[i].sel == SEL_TSS16); /* the upper half of the one before */
        put(r, STAGE_GDT + list[i].sel, spare ? 0 : list[i].desc, 8);
    }
    for (unsigned i = 0; i < 8; i++) {
        const uint16_t attr[] = {
            CODE | WIDE, DATA | WIDE, CODE | WIDE | SEG_DPL, DATA | WIDE | SEG_DPL, CODE | SEG_L | SEG_DPL,
            DATA,        CODE,        SEG_P | SYS_LDT};
        put(r, STAGE_LDT + 8 * i, segment(i & 1 ? STAGE_DATA : 0, 0xfffff, attr[i]), 8);
    }
}

/* ---- interrupts ---- */

enum { HANDLER_STEP = 0x10, HANDLER_KINDS = 8 };

/* What every vector runs. The instruction that faults is met again, with what the handler has changed. */
static const uint8_t handler_code[HANDLER_KINDS][HANDLER_STEP] = {
    {0xcf},                                                 /* iret */
    {0x83, 0xc4, 0x04, 0xcf},                               /* add esp, 4; iret: behind an error code */
    {0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf},                   /* add rsp, 8; iretq */
    {0x48, 0xcf},                                           /* iretq */
    {0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xcf},             /* add qword [rsp], 2; iretq: two bytes on */
    {0x83, 0x04, 0x24, 0x02, 0xcf},                         /* add dword [esp], 2; iret */
    {0x8f, 0x05, 0, 0xb0, 0, 0, 0x83, 0x04, 0x24, 2, 0xcf}, /* pop dword [...]; add dword [esp], 2; iret */
    {0xf4},                                                 /* hlt */
};

static void idt(struct rig *r, const struct stage_header *h)
{
    for (unsigned i = 0; i < HANDLER_KINDS; i++)
        mem_load(r->mem, STAGE_HANDLERS + i * HANDLER_STEP, handler_code[i], HANDLER_STEP);
    if (h->options & STAGE_NO_HANDLERS)
        return;
    uint32_t at = STAGE_HANDLERS + (h->handler & 7) * HANDLER_STEP;
    bool tables16 = h->options & STAGE_TABLES_16;
    for (unsigned v = 0; v < 64; v++) {
        unsigned trap = h->handler >> 3 & 1, dpl = v & 1 ? 3 : 0;
        put(r, STAGE_IVT + 4 * v, at >> 4 << 16, 4);
        if (stage_is_long(h)) {
            put(r, STAGE_IDT + 16 * v,
                gate(SEL_CODE64, at, (uint8_t)(SYS_INT32 + trap), dpl) | (uint64_t)(v == 8 || v == 2) << 32,
                8);
        } else if (h->handler & 0x10 && v == 6) {
            put(r, STAGE_IDT + 8 * v, gate(tables16 ? SEL_TSS16 : SEL_TSS_OTHER, 0, SYS_TASK, 3), 8);
        } else {
            uint8_t type = (uint8_t)((tables16 ? SYS_INT16 : SYS_INT32) + trap);
            put(r, STAGE_IDT + 8 * v, gate(SEL_CODE32, at, type, dpl), 8);
        }
    }
}

/* ---- task states (SDM 3A 7.2.1, 7.6, 7.7) ---- */

static void tss(struct rig *r, const struct stage_header *h)
{
    const uint32_t top = STAGE_STACKS + 0x1000;
    if (stage_is_long(h)) {
        for (unsigned i = 0; i < 10; i++) /* RSP0 to RSP2, a hole, IST1 to IST7 */
            put(r, STAGE_TSS + 4 + 8 * i, top - 0x100 * (i & 3), 8);
    } else if (h->options & STAGE_TABLES_16) {
        put(r, STAGE_TSS + 2, top, 2);
        put(r, STAGE_TSS + 4, SEL_DATA16, 2);
    } else {
        put(r, STAGE_TSS + 4, top, 4);
        put(r, STAGE_TSS + 8, SEL_DATA32, 4);
    }
    put(r, STAGE_TSS + 0x66, 0x68, 2); /* an I/O map of 0x28 bytes: the device's ports are open */
    put(r, STAGE_TSS + 0x8f, 0xff, 1);

    const uint32_t other[] = {0,          top,         SEL_DATA32,     top,        SEL_DATA32, top,
                              SEL_DATA32, 0 /* CR3 */, STAGE_HANDLERS, FL_ONE,     1,          2,
                              3,          4,           top - 0x200,    5,          STAGE_DATA, STAGE_DATA,
                              SEL_DATA32, SEL_CODE32,  SEL_DATA32,     SEL_DATA32, SEL_DATA32, SEL_DATA32,
                              SEL_LDT,    0x680000};
    mem_load(r->mem, STAGE_TSS_OTHER, other, sizeof(other));
    put(r, STAGE_TSS_OTHER + 0x1c, stage_page_tables(h) + (h->mode >= STAGE_PAE ? 0x4000 : 0x5000), 4);
    const uint16_t small[] = {
        0,          top,        SEL_DATA16, top, SEL_DATA16,  top, SEL_DATA16, STAGE_HANDLERS, 2,
        1,          2,          3,          4,   top - 0x200, 5,   STAGE_DATA, STAGE_DATA,     SEL_DATA16,
        SEL_CODE16, SEL_DATA16, SEL_DATA16, 0};
    mem_load(r->mem, STAGE_TSS16, small, sizeof(small));
}

void stage_descriptors(struct rig *r, const struct stage_header *h)
{
    gdt(r, h);
    idt(r, h);
    tss(r, h);
}

/* ---- page tables (SDM 3A 4.3 to 4.5) ---- */

gpa_t stage_page_tables(const struct stage_header *h)
{
    return h->options & STAGE_COMPARE ? RIG_ROM : STAGE_TABLES;
}

/*
 * From stage_page_tables: PML4, PDPT, PD and PT of long mode; the PDPT of PAE paging, which shares PD and PT;
 * PD and PT of 32-bit paging. The first 2 MiB are mapped as they lie; larger pages follow behind.
 */
void stage_pages(struct rig *r, const struct stage_header *h)
{
    const gpa_t t = stage_page_tables(h);
    const uint64_t f = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
    put(r, t, (t + 0x1000) | (f & ~PTE_D), 8);
    put(r, t + 0x800, (t + 0x1000) | (f & ~PTE_D & ~PTE_U), 8);
    put(r, t + 0xff8, (t + 0x1000) | (f & ~PTE_D), 8);
    put(r, t + 0x1000, (t + 0x2000) | (f & ~PTE_D), 8);
    put(r, t + 0x1008, f | PTE_PS, 8);
    put(r, t + 0x1018, 0xc0000000 | f | PTE_PS, 8);
    put(r, t + 0x1ff0, (t + 0x2000) | (f & ~PTE_D), 8);
    put(r, t + 0x2000, (t + 0x3000) | (f & ~PTE_D), 8);
    put(r, t + 0x2008, f | PTE_PS | PTE_G, 8);
    put(r, t + 0x2010, 0xfee00000 | f | PTE_PS, 8);
    put(r, t + 0x4000, (t + 0x2000) | PTE_P, 8);
    put(r, t + 0x4018, (t + 0x2000) | PTE_P, 8);
    put(r, t + 0x5000, (t + 0x6000) | (f & ~PTE_D), 4);
    put(r, t + 0x5004, f | PTE_PS | PTE_G, 4);
    put(r, t + 0x5fec, 0xfec00000 | f | PTE_PS, 4);
    for (unsigned page = 0; page < 512; page++) {
        uint64_t flags = f | (page & 7 ? 0 : PTE_G);
        if (page == (STAGE_STACKS >> 12) - 1)
            flags &= ~PTE_U;
        if (page == (STAGE_DATA >> 12) + 1)
            flags &= ~PTE_W;
        if (page == (STAGE_DATA >> 12) + 4)
            flags = 0;
        if (page == (STAGE_DATA >> 12) + 3 && !(h->options & STAGE_COMPARE))
            flags &= ~(PTE_A | PTE_D);
        uint64_t nx = h->efer & 2 && page == (STAGE_DATA >> 12) + 2 ? PTE_NX : 0;
        put(r, t + 0x3000 + 8 * page, page << 12 | flags | nx, 8);
        put(r, t + 0x6000 + 4 * page, page << 12 | flags, 4);
    }
}
