/*
 * memory.c: memcpy, memset, strlen and `rep movsb`, from 16 bytes to 1 MiB.
 *
 * An operation moves about 64 KiB, at least one whole block. What was moved is looked at in 16 places only,
 * which costs nothing beside it.
 */
#include "workloads.h"

#include <stddef.h>
#include <string.h>

#define KIB           1024u
#define MIB           (1024u * KIB)
#define PLACES        16
#define REPEATS(size) ((size) < 64 * KIB ? 64 * KIB / (size) : 1)

/* Not aligned to more than real buffers are. */
static uint8_t from[MIB + 16] __attribute__((aligned(16))), to[MIB + 16] __attribute__((aligned(16)));

static void memory_prepare(uint64_t size)
{
    for (size_t i = 0; i < size; i++)
        from[i] = (uint8_t)(i * 7 | 1);
    from[size] = 0;
    memset(to, 0, sizeof(to));
}

/* What stands in some places, the last byte among them; they are changed, so that the next operation has to
 * move again. */
static uint64_t look(size_t size)
{
    uint64_t sum = 0;

    for (size_t i = 1; i <= PLACES; i++) {
        uint8_t *p = &to[size * i / PLACES - 1];

        sum = mix(sum, *p);
        *p = 0;
    }
    return sum;
}

/* The compiler may assume nothing about memory between two blocks. */
#define BETWEEN __asm__ volatile("" ::: "memory")

static uint64_t memcpy_op(uint64_t size)
{
    for (uint64_t n = REPEATS(size); n; n--) {
        memcpy(to, from, size);
        BETWEEN;
    }
    return look(size);
}

static uint64_t memset_op(uint64_t size)
{
    for (uint64_t n = REPEATS(size); n; n--) {
        memset(to, 0x5a, size);
        BETWEEN;
    }
    return look(size);
}

static uint64_t strlen_op(uint64_t size)
{
    uint64_t sum = 0;

    for (uint64_t n = REPEATS(size); n; n--) {
        sum += strlen((const char *)from);
        BETWEEN;
    }
    return sum;
}

static uint64_t rep_movsb_op(uint64_t size)
{
    for (uint64_t n = REPEATS(size); n; n--) {
        const void *source = from;
        void *destination = to;
        uint64_t count = size;

        __asm__ volatile("rep movsb" : "+S"(source), "+D"(destination), "+c"(count)::"memory");
    }
    return look(size);
}

#define ROW(name, op, size, sum)                                     \
    {                                                                \
        name, "memory", op, size, REPEATS(size), sum, memory_prepare \
    }

const struct workload memory_workloads[] = {
    ROW("memcpy-16", memcpy_op, 16, 0xa912c58ec63df731),
    ROW("memcpy-256", memcpy_op, 256, 0xb3296cf4a9d3a931),
    ROW("memcpy-4k", memcpy_op, 4 * KIB, 0xb8f9234f041ce62f),
    ROW("memcpy-1m", memcpy_op, MIB, 0xb8f9234f041ce62f),
    ROW("memset-16", memset_op, 16, 0xdb49eff3961a2d9),
    ROW("memset-256", memset_op, 256, 0xdb49eff3961a2d9),
    ROW("memset-4k", memset_op, 4 * KIB, 0xdb49eff3961a2d9),
    ROW("memset-1m", memset_op, MIB, 0xdb49eff3961a2d9),
    ROW("strlen-16", strlen_op, 16, 64 * KIB),
    ROW("strlen-256", strlen_op, 256, 64 * KIB),
    ROW("strlen-4k", strlen_op, 4 * KIB, 64 * KIB),
    ROW("strlen-1m", strlen_op, MIB, MIB),
    ROW("rep-movsb-16", rep_movsb_op, 16, 0xa912c58ec63df731),
    ROW("rep-movsb-256", rep_movsb_op, 256, 0xb3296cf4a9d3a931),
    ROW("rep-movsb-4k", rep_movsb_op, 4 * KIB, 0xb8f9234f041ce62f),
    ROW("rep-movsb-1m", rep_movsb_op, MIB, 0xb8f9234f041ce62f),
    {0},
};
