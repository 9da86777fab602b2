/*
 * double-fault-pairs.c: which exception upon which is #DF: contributory upon contributory, and either upon a
 * page fault; a page fault upon a contributory one, and anything upon a benign one, is delivered itself.
 *
 * SDM 3A 6.15 (#DF, tables 6-4 and 6-5); APM 2 8.2.9 table 8-3.
 */
#include "frame.h"

enum first { BENIGN, CONTRIBUTORY, PAGE_FAULT };

/* IST 2 lies in no page: pushing on it is #PF. A gate that is absent is #NP, one with a bad selector #GP. */
static void break_gate(unsigned vector, bool page)
{
    if (page)
        trap_set_gate(vector, 2, 0, false);
    else
        trap_clear_gate(vector);
}
static void mend_gate(unsigned vector)
{
    trap_set_gate(vector, vector == DF ? 1 : 0, 0, false);
}

static struct trap raise(enum first f)
{
    uint64_t zero = 0, a = 1, d = 0;
    switch (f) {
    case BENIGN: return TRY("ud2", : : : "memory");
    case CONTRIBUTORY: return TRY("div %2", : "+a"(a), "+d"(d) : "r"(zero) : "memory", "cc");
    default: return TRY("movb $0, (%0)", : : "r"(TEST_VA) : "memory");
    }
}

int main(void)
{
    static const unsigned vector[] = {UD, DE, PF};
    tss.ist[2] = TEST_VA + 0x8000;
    for (enum first f = BENIGN; f <= PAGE_FAULT; f++)
        for (unsigned page = 0; page < 2; page++) {
            break_gate(vector[f], page);
            struct trap t = raise(f);
            int want = f == PAGE_FAULT || (f == CONTRIBUTORY && !page) ? DF : page ? PF : NP;
            CHECK_EQ(t.vector, want);
            CHECK_EQ(t.regs.rip, t.tried);
            if (want == DF) {
                CHECK_EQ(t.error, 0);
            } else if (want == PF) {
                CHECK_EQ(t.error, PF_W);
                CHECK_EQ(t.cr2 & ~0xfffull, TEST_VA + 0x7000);
            }
            mend_gate(vector[f]);
        }

    /* #GP upon #NP upon a benign one: the second and the third are contributory. */
    trap_clear_gate(UD);
    trap_clear_gate(NP);
    struct trap t = raise(BENIGN);
    CHECK_EQ(t.vector, DF);
    mend_gate(UD);
    mend_gate(NP);
    /* An INT is benign. */
    trap_clear_gate(0x99);
    trap_set_gate(NP, 2, 0, false);
    t = TRY("int $0x99", : : : "memory");
    CHECK_EQ(t.vector, PF); /* a page fault upon #NP */
    mend_gate(NP);
    return 0;
}
