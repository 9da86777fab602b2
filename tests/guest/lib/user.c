/*
 * user.c: runs functions at CPL 3.
 */
#include "user.h"
#include "check.h"

uint8_t user_stack[USER_STACK_SIZE] USER_DATA __attribute__((aligned(16)));

uint64_t user_enter(const struct user_state *u);

struct user_state user_state_for(uint64_t (*fn)(uint64_t), uint64_t arg)
{
    uint64_t *top = (uint64_t *)(user_stack + USER_STACK_SIZE - 16);
    uint64_t flags = read_flags();

    write_flags(flags | FLAG_AC); /* the image may have SMAP on */
    *--top = (uint64_t)user_return_stub;
    write_flags(flags);
    return (struct user_state){
        .rip = (uint64_t)fn,
        .cs = SEL_UCODE,
        .rflags = (flags & FLAG_IF) | FLAGS_ALWAYS,
        .rsp = (uint64_t)top,
        .ss = SEL_UDATA,
        .rdi = arg,
    };
}

bool user_run(const struct user_state *u, uint64_t *rax, struct trap *t)
{
    trap_try_begin();
    uint64_t v = user_enter(u);
    struct trap end = trap_try_end();
    if (rax)
        *rax = v;
    if (t)
        *t = end;
    else
        CHECK_NO_TRAP(end);
    return end.vector == NO_TRAP;
}

uint64_t user_call(uint64_t (*fn)(uint64_t), uint64_t arg)
{
    struct user_state u = user_state_for(fn, arg);
    uint64_t rax;

    user_run(&u, &rax, NULL);
    return rax;
}

struct trap user_try(uint64_t (*fn)(uint64_t), uint64_t arg)
{
    struct user_state u = user_state_for(fn, arg);
    struct trap t;

    user_run(&u, NULL, &t);
    return t;
}
