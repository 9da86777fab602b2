/*
 * x86/x86.h: facts of the architecture, no behaviour. Numbers follow the Intel SDM (volume 3A chapters 2 to
 * 6, volume 4 for MSRs) and the AMD APM (volume 2); where the vendors differ the name says so.
 */
#ifndef X86_X86_H
#define X86_X86_H

#include "x86/x86_bits.h"
#include "x86/x86_msr.h"
#include "x86/x86_state.h"

#endif
