/*
 * check.h: expectations. The first that does not hold prints its place, what was expected and what came, and
 * ends the run with EXIT_CHECK.
 */
#ifndef GUEST_CHECK_H
#define GUEST_CHECK_H

#include "console.h"
#include "trap.h"

_Noreturn void check_failed(const char *file, int line, const char *what, uint64_t expected, uint64_t got);
void check_trap(const char *file, int line, const struct trap *t, int vector, uint64_t error, uint64_t rip);

#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition))                                            \
            check_failed(__FILE_NAME__, __LINE__, #condition, 1, 0); \
    } while (0)

#define CHECK_EQ(got, expected)                                            \
    do {                                                                   \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected); \
        if (got_ != expected_)                                             \
            check_failed(__FILE_NAME__, __LINE__, #got, expected_, got_);  \
    } while (0)

/* `t` (struct trap) came with this vector and error code, as a fault: RIP at the instruction that was tried.
 */
#define CHECK_FAULT(t, vector, error)                                      \
    do {                                                                   \
        struct trap t_ = (t);                                              \
        check_trap(__FILE_NAME__, __LINE__, &t_, vector, error, t_.tried); \
    } while (0)
/* The same as a trap: RIP behind the instruction. */
#define CHECK_TRAP(t, vector, error)                                        \
    do {                                                                    \
        struct trap t_ = (t);                                               \
        check_trap(__FILE_NAME__, __LINE__, &t_, vector, error, t_.behind); \
    } while (0)
/* With RIP given. */
#define CHECK_TRAP_AT(t, vector, error, rip)                                      \
    do {                                                                          \
        struct trap t_ = (t);                                                     \
        check_trap(__FILE_NAME__, __LINE__, &t_, vector, error, (uint64_t)(rip)); \
    } while (0)
#define CHECK_PF(t, error, address) \
    do {                            \
        struct trap u_ = (t);       \
        CHECK_FAULT(u_, PF, error); \
        CHECK_EQ(u_.cr2, address);  \
    } while (0)
#define CHECK_NO_TRAP(t)                                         \
    do {                                                         \
        struct trap t_ = (t);                                    \
        check_trap(__FILE_NAME__, __LINE__, &t_, NO_TRAP, 0, 0); \
    } while (0)

#endif
