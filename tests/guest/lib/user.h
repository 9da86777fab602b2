/*
 * user.h: code at CPL 3. Functions and data of user code carry USER_CODE and USER_DATA: they lie in pages
 * that are mapped with U. Such a function may call USER_CODE functions only, and must not rely on anything
 * the compiler puts into .rodata (strings, tables of a switch).
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include "trap.h"

#define USER_CODE __attribute__((section(".user.text"), noinline, used))
#define USER_DATA __attribute__((section(".user.data")))

#define USER_STACK_SIZE 4096
extern uint8_t user_stack[USER_STACK_SIZE];
extern const char user_return_stub[]; /* the address of INT VEC_USER_RETURN */

/* Where to start; isr.S knows the layout. */
struct user_state {
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t rdi;
};

/*
 * Go to CPL 3 and come back with RAX by VEC_USER_RETURN: true. False: an exception without a handler ended
 * it; *t has it (t may be NULL when none is expected: then one fails the image). RSP0 of the TSS becomes the
 * current stack.
 */
bool user_run(const struct user_state *u, uint64_t *rax, struct trap *t);
/* The state to call fn(arg) in 64-bit mode on the user stack, interrupts as they are now. */
struct user_state user_state_for(uint64_t (*fn)(uint64_t), uint64_t arg);
/* fn(arg) at CPL 3 to its end. */
uint64_t user_call(uint64_t (*fn)(uint64_t), uint64_t arg);
/* fn(arg) at CPL 3, as far as it comes. tried and behind are 0. */
struct trap user_try(uint64_t (*fn)(uint64_t), uint64_t arg);

#endif
