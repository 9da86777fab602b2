/*
 * debug_reg.c: MOV to and from debug registers (SDM 2A "MOV - Move to/from Debug Registers", 3B 17.2).
 */
#include "cpu/cpu_internal.h"

#define DR6_WRITABLE 0xe00full     /* B0-B3, BD, BS, BT */
#define DR7_WRITABLE 0xffff23ffull /* L, G, LE, GE, GD, R/W and LEN fields */

/* Which register DR4 and DR5 mean, and general detection. False: #UD or #DB. */
static bool access_dr(struct cpu *c, unsigned *n)
{
    if (*n == 4 || *n == 5) {
        if (c->st.cr4 & CR4_DE)
            return cpu_raise(c, VEC_UD);
        *n += 2;
    }
    if (c->st.dr7 & DR7_GD) {
        c->fault = (struct cpu_fault){.vector = VEC_DB, .addr = DR6_BD};
        return false;
    }
    return true;
}

bool cpu_read_dr(struct cpu *c, unsigned n, uint64_t *v)
{
    if (!access_dr(c, &n))
        return false;
    *v = n < 4 ? c->st.dr[n] : n == 6 ? c->st.dr6 : c->st.dr7;
    return true;
}

bool cpu_write_dr(struct cpu *c, unsigned n, uint64_t v)
{
    if (!access_dr(c, &n))
        return false;
    if (n >= 6 && v >> 32)
        return cpu_raise_gp0(c);
    if (n < 4)
        c->st.dr[n] = v;
    else if (n == 6)
        c->st.dr6 = (v & DR6_WRITABLE) | DR6_FIXED;
    else
        c->st.dr7 = (v & DR7_WRITABLE) | DR7_FIXED;
    mode_changed(c);
    return true;
}
