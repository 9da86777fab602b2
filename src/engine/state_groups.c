/*
 * state_groups.c: which fields of a vCPU's state belong to which group.
 */
#include "engine/engine.h"

void engine_copy_groups(struct x86_state *to, const struct x86_state *from, unsigned groups)
{
    if (groups & GROUP_MSRS) {
        to->msr = from->msr;
        to->efer = from->efer;
    }
    if (groups & GROUP_GENERAL) {
        memcpy(to->gpr, from->gpr, sizeof(to->gpr));
        to->rip = from->rip;
        to->cc = from->cc;
        to->rflags = from->rflags;
    }
    if (groups & GROUP_SEGMENTS) {
        memcpy(to->seg, from->seg, sizeof(to->seg));
        to->gdtr = from->gdtr;
        to->idtr = from->idtr;
        to->cpl = from->cpl;
    }
    if (groups & GROUP_CONTROL) {
        to->cr0 = from->cr0;
        to->cr2 = from->cr2;
        to->cr3 = from->cr3;
        to->cr4 = from->cr4;
    }
    if (groups & GROUP_DEBUG) {
        memcpy(to->dr, from->dr, sizeof(to->dr));
        to->dr6 = from->dr6;
        to->dr7 = from->dr7;
    }
    if (groups & GROUP_FPU) {
        to->fpu = from->fpu;
        to->xcr0 = from->xcr0;
        to->xss = from->xss;
    }
    if (groups & GROUP_CLOCK) {
        to->tsc_offset = from->tsc_offset;
        to->tsc_adjust = from->tsc_adjust;
    }
    if (groups & GROUP_MP)
        to->mp = from->mp;
    if (groups & GROUP_EVENTS)
        to->ev = from->ev;
    if (groups & GROUP_APIC)
        to->apic = from->apic;
}
