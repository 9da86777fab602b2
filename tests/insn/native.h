/*
 * native.h: a child process that runs cases on the host's processor, a batch at a time, while the parent
 * goes on.
 */
#ifndef TESTS_INSN_NATIVE_H
#define TESTS_INSN_NATIVE_H

#include "case.h"

#define BATCH 64u

/* In memory that parent and child share. */
struct batch {
    unsigned count;
    struct icase k[BATCH];
    struct outcome o[BATCH];
};

struct native;

/* base: AREA_SIZE bytes; bits: code size of all cases. NULL: `e` says why. */
struct native *native_new(const uint8_t *base, unsigned bits, struct err *e);
void native_free(struct native *n);
/* One of two batches to be filled. */
struct batch *native_batch(struct native *n, unsigned which);
/* Set the child to work on a batch; at most one at a time. */
void native_start(struct native *n, unsigned which);
/* Wait until it is done. A case that kills or hangs the child is DIED, and a new child goes on behind it. */
void native_wait(struct native *n);
/* Does the host let a process have segments of its own (modify_ldt)? Other code than 64-bit needs it. */
bool native_has_ldt(void);
/* The host's XCR0; 0 where there is no XSAVE. */
uint64_t native_xcr0(void);
/* Are FS and GS base of the native side under our control (FSGSBASE)? */
bool native_has_fsgsbase(void);

#endif
