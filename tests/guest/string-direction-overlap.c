/*
 * string-direction-overlap.c: string instructions work element by element, forwards and backwards, overlap or
 * not.
 *
 * SDM 1 7.3.9, 2B "MOVS", "STOS", "CMPS", "SCAS", APM 3 the same. An engine that turns REP MOVS into a memory
 * copy gets overlapping moves wrong, which programs use to fill by a pattern.
 */
#include "frame.h"

static uint8_t buffer[8192] __attribute__((aligned(4096))), model[8192];

static void fill(void)
{
    for (unsigned i = 0; i < sizeof(buffer); i++)
        model[i] = buffer[i] = (uint8_t)(i * 37 + (i >> 8));
}

/* REP MOVS by hand. */
static void model_move(unsigned from, unsigned to, unsigned n, unsigned size, bool down)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i * size;
        uint8_t element[8];
        for (unsigned b = 0; b < size; b++)
            element[b] = down ? model[from - at + b] : model[from + at + b];
        for (unsigned b = 0; b < size; b++)
            *(down ? &model[to - at + b] : &model[to + at + b]) = element[b];
    }
}

static void check_move(unsigned from, unsigned to, unsigned n, unsigned size, bool down)
{
    uint64_t si = (uint64_t)buffer + from, di = (uint64_t)buffer + to, count = n;

    fill();
    model_move(from, to, n, size, down);
    if (down)
        asm volatile("std" ::: "memory");
    switch (size) {
    case 1: asm volatile("rep movsb" : "+S"(si), "+D"(di), "+c"(count)::"memory"); break;
    case 2: asm volatile("rep movsw" : "+S"(si), "+D"(di), "+c"(count)::"memory"); break;
    case 4: asm volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(count)::"memory"); break;
    default: asm volatile("rep movsq" : "+S"(si), "+D"(di), "+c"(count)::"memory"); break;
    }
    asm volatile("cld" ::: "memory");
    int64_t step = (int64_t)n * size * (down ? -1 : 1);
    CHECK_EQ(count, 0);
    CHECK_EQ(si, (uint64_t)buffer + from + (uint64_t)step);
    CHECK_EQ(di, (uint64_t)buffer + to + (uint64_t)step);
    CHECK_EQ(memcmp(buffer, model, sizeof(buffer)), 0);
}

int main(void)
{
    static const int distance[] = {0, 1, 2, 3, 4, 7, 8, 9, 16, 31, 64, 100, 1000};

    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned d = 0; d < sizeof(distance) / sizeof(*distance); d++) {
            for (unsigned down = 0; down < 2; down++) {
                unsigned at = down ? 5000 : 3000, n = 1500 / size; /* over the page boundary */
                check_move(at, at + (unsigned)distance[d], n, size, down);
                check_move(at, at - (unsigned)distance[d], n, size, down);
            }
        }
    }

    /* Stores and scans downwards; where a scan stops and what flags and count it leaves. */
    fill();
    uint64_t di = (uint64_t)buffer + 99, n = 100;
    asm volatile("std; rep stosb; cld" : "+D"(di), "+c"(n) : "a"(0x55) : "memory");
    CHECK_EQ(di, (uint64_t)buffer - 1);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(buffer[i], 0x55);
    buffer[60] = 0x77;
    uint8_t zero;
    di = (uint64_t)buffer, n = 100;
    asm volatile("repne scasb; setz %2" : "+D"(di), "+c"(n), "=q"(zero) : "a"(0x77) : "memory", "cc");
    CHECK_EQ(zero, 1);
    CHECK_EQ(n, 39);
    CHECK_EQ(di, (uint64_t)buffer + 61);
    uint64_t si = (uint64_t)buffer + 50;
    di = (uint64_t)buffer + 40, n = 50;
    uint8_t below;
    asm volatile("repe cmpsb; seta %3" : "+S"(si), "+D"(di), "+c"(n), "=q"(below)::"memory", "cc");
    CHECK_EQ(below, 1); /* 0x77 above 0x55 */
    CHECK_EQ(n, 39);
    CHECK_EQ(si, (uint64_t)buffer + 61);

    /* Count 0 leaves flags alone. */
    n = 0, di = 0;
    asm volatile("cmp %%rax, %%rax; repne scasb; setz %2"
                 : "+D"(di), "+c"(n), "=q"(zero)
                 : "a"(1)
                 : "memory", "cc");
    CHECK_EQ(zero, 1);

    /* A 32-bit address size counts in ECX and uses ESI and EDI, which are zero-extended. */
    fill();
    si = (uint64_t)buffer | 0xabcd00000000, di = ((uint64_t)buffer + 16) | 0xdcba00000000, n = 0x700000010;
    asm volatile(".byte 0x67; rep movsb" : "+S"(si), "+D"(di), "+c"(n)::"memory");
    CHECK_EQ(n, 0);
    CHECK_EQ(si, (uint64_t)buffer + 16);
    CHECK_EQ(di, (uint64_t)buffer + 32);
    CHECK_EQ(buffer[16], model[0]);
    return 0;
}
