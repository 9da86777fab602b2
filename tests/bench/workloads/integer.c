/*
 * integer.c: integer code in the shapes that programs have: hashing, sorting, calls, tables, structures,
 * lists.
 */
#include "workloads.h"

#include <stddef.h>
#include <string.h>

#define SORT_N      4096
#define INSERTION_N 256
#define MESSAGE     1024
#define CALLS       4096
#define RECORDS     256
#define ROUNDS      32
#define NODE        64
#define STEPS       16384

/* -- SipHash-2-4 (Aumasson and Bernstein, 2012) of one message under 16 keys -- */

static uint8_t message[MESSAGE];

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t siphash(uint64_t k0, uint64_t k1, const uint8_t *data, size_t size)
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    uint64_t word;
    size_t i;

    for (i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)size << 56;
    for (size_t j = 0; i + j < size; j++)
        word |= (uint64_t)data[i + j] << (8 * j);
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int r = 0; r < 4; r++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void message_prepare(uint64_t arg)
{
    for (size_t i = 0; i < MESSAGE; i++)
        message[i] = (uint8_t)i;
}

static uint64_t siphash_op(uint64_t keys)
{
    uint64_t sum = 0;

    for (uint64_t key = 0; key < keys; key++)
        sum = mix(sum, siphash(0x0706050403020100u, 0x0f0e0d0c0b0a0908u + key, message, MESSAGE - 1));
    return sum;
}

/* -- sorting -- */

static uint32_t unsorted[SORT_N], sorted[SORT_N];

static void sort_prepare(uint64_t n)
{
    uint64_t state = n;

    for (size_t i = 0; i < n; i++)
        unsorted[i] = (uint32_t)next_random(&state);
}

/*
 * The same numbers in another order each time: branch predictors learn a sort of thousands of numbers by
 * heart, and how fast they do is not the question. n is a power of two, so that an odd stride reaches every
 * place.
 */
static void shuffle(size_t n)
{
    static size_t turn;
    size_t stride = 2 * turn + 1;

    for (size_t i = 0; i < n; i++)
        sorted[(i * stride + turn) & (n - 1)] = unsorted[i];
    turn++;
}

static void insertion_sort(uint32_t *a, ptrdiff_t n)
{
    for (ptrdiff_t i = 1; i < n; i++) {
        uint32_t x = a[i];
        ptrdiff_t j = i;

        for (; j > 0 && a[j - 1] > x; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

static void quick_sort(uint32_t *a, ptrdiff_t n)
{
    while (n > 12) {
        uint32_t x = a[0], y = a[n / 2], z = a[n - 1];
        uint32_t pivot = x < y ? (y < z ? y : x < z ? z : x) : (x < z ? x : y < z ? z : y);
        ptrdiff_t i = 0, j = n - 1;

        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t t = a[i];

                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quick_sort(a, j + 1);
        a += i;
        n -= i;
    }
    insertion_sort(a, n);
}

static uint64_t sorted_sum(size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += sorted[i] * (uint64_t)(i + 1);
    for (size_t i = 1; i < n; i++)
        sum |= sorted[i - 1] > sorted[i] ? ~0ull : 0;
    return sum;
}

static uint64_t quick_sort_op(uint64_t n)
{
    shuffle(n);
    quick_sort(sorted, (ptrdiff_t)n);
    return sorted_sum(n);
}

static uint64_t insertion_sort_op(uint64_t n)
{
    shuffle(n);
    insertion_sort(sorted, (ptrdiff_t)n);
    return sorted_sum(n);
}

/* -- calls -- */

/* The compiler shall neither unfold it nor make a loop of its second call. */
__attribute__((noipa)) static uint64_t fib(uint64_t n)
{
    uint64_t a, b;

    if (n < 2)
        return n;
    a = fib(n - 1);
    b = fib(n - 2);
    __asm__("" : "+r"(b));
    return a + b;
}

#define FUNCTION(name, expression)                          \
    __attribute__((noipa)) static uint64_t name(uint64_t x) \
    {                                                       \
        return expression;                                  \
    }
FUNCTION(f0, x + 1)
FUNCTION(f1, x ^ 0x5555)
FUNCTION(f2, x * 5)
FUNCTION(f3, x - (x >> 3))
FUNCTION(f4, ~x)
FUNCTION(f5, rotl(x, 7))
FUNCTION(f6, x + 0x1234567)
FUNCTION(f7, x ^ (x << 5))

static uint64_t (*const functions[8])(uint64_t) = {f0, f1, f2, f3, f4, f5, f6, f7};
static uint8_t call_order[CALLS];

static void indirect_prepare(uint64_t calls)
{
    uint64_t state = calls;

    /* A period that branch predictors learn: what is measured is the call, not the guess. */
    for (size_t i = 0; i < calls; i++)
        call_order[i] = i < 61 ? next_random(&state) % 8 : call_order[i - 61];
}

static uint64_t indirect_op(uint64_t calls)
{
    uint64_t x = 1;

    for (size_t i = 0; i < calls; i++)
        x = functions[call_order[i]](x);
    return x;
}

/* -- a loop across the end of a page, where the bytes that follow may be anybody's -- */

#define ITERATIONS 4096

/* The page ends `before` bytes behind the function's start: 16 is behind ROL, 14 in the middle of it. */
#define ACROSS(name, before)                  \
    __asm__(                                  \
        ".pushsection .text.across, \"ax\"\n" \
        ".balign 4096\n"                      \
        ".skip 4096 - " #before               \
        ", 0xcc\n"                            \
        ".type " #name ", @function\n" #name  \
        ":\n"                                 \
        "    mov %rdi, %rcx\n"                \
        "    xor %eax, %eax\n"                \
        "1:  lea (%rax,%rax,4), %rax\n"       \
        "    xor %rcx, %rax\n"                \
        "    rol $7, %rax\n"                  \
        "    add %rcx, %rax\n"                \
        "    dec %rcx\n"                      \
        "    jnz 1b\n"                        \
        "    ret\n"                           \
        ".popsection\n");                     \
    uint64_t name(uint64_t iterations);
ACROSS(loop_across_pages, 16)
ACROSS(insn_across_pages, 14)

/* -- CRC-32 (ITU-T V.42) by a table of 256 -- */

static uint32_t crc_table[256];

static void crc_prepare(uint64_t size)
{
    message_prepare(size);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        crc_table[i] = c;
    }
}

static uint64_t crc_op(uint64_t rounds)
{
    uint32_t c = ~0u;

    for (uint64_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < MESSAGE; i++)
            c = c >> 8 ^ crc_table[(uint8_t)(c ^ message[i])];
    }
    return ~c;
}

/* -- an array of structures of four fields -- */

static struct record {
    uint64_t total;
    uint32_t count;
    uint16_t weight;
    uint8_t kind;
} records[RECORDS];

static uint64_t records_op(uint64_t rounds)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < RECORDS; i++)
        records[i] = (struct record){.total = i, .count = 1, .weight = (uint16_t)(i * 7), .kind = i % 3};
    for (uint64_t r = 0; r < rounds; r++) {
        for (struct record *p = records; p < records + RECORDS; p++) {
            p->total += (uint64_t)p->weight * p->count;
            p->count += p->kind;
            p->weight ^= (uint16_t)p->total;
            if (p->kind == 2 && p->count > 16)
                p->count = 1;
        }
    }
    for (size_t i = 0; i < RECORDS; i++)
        sum = mix(sum, records[i].total ^ records[i].count ^ records[i].weight);
    return sum;
}

/* -- a linked list in the first-level cache, one node a cache line, in one random round -- */

struct node {
    struct node *next;
    uint64_t number;
} __attribute__((aligned(NODE)));

static struct node nodes[32768 / NODE];

static void list_prepare(uint64_t bytes)
{
    size_t n = bytes / NODE;
    uint64_t state = bytes;

    for (size_t i = 0; i < n; i++)
        nodes[i] = (struct node){.next = &nodes[i], .number = i};
    /* Sattolo's shuffle makes one cycle of all. */
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = next_random(&state) % i;
        struct node *t = nodes[i].next;

        nodes[i].next = nodes[j].next;
        nodes[j].next = t;
    }
}

static uint64_t list_op(uint64_t bytes)
{
    const struct node *p = nodes;

    /* A number of steps that is no multiple of the list's length, lest it should end where it began. */
    for (int i = 0; i < STEPS + 17; i++)
        p = p->next;
    return p->number;
}

const struct workload integer_workloads[] = {
    {"siphash-1k", "integer", siphash_op, 16, 16, 0x7fcfedbbde8e0851, message_prepare},
    {"quick-sort", "integer", quick_sort_op, SORT_N, SORT_N, 0x54a6779b8a0694, sort_prepare},
    {"insertion-sort", "integer", insertion_sort_op, INSERTION_N, INSERTION_N, 0x576696fc65a4, sort_prepare},
    {"lz", "integer", lz_op, 16384, 16384, 0x2ee76c94709cfb50, lz_prepare},
    {"bytecode", "integer", bytecode_op, 64, 64 * 300, 0x15b3f36f2c069a16, bytecode_prepare},
    {"fib", "integer", fib, 18, 8361, 2584},
    {"indirect-call", "integer", indirect_op, CALLS, CALLS, 0x2024eb8b50cd54c0, indirect_prepare},
    {"loop-across-pages", "integer", loop_across_pages, ITERATIONS, ITERATIONS, 0xdb75da6ce7dec39b},
    {"insn-across-pages", "integer", insn_across_pages, ITERATIONS, ITERATIONS, 0xdb75da6ce7dec39b},
    {"btree", "integer", btree_op, 1000, 2000, 0xea3703bb8a687f19},
    {"crc32-table", "integer", crc_op, 16, 16 * MESSAGE, 0xe81722f0, crc_prepare},
    {"records", "integer", records_op, ROUNDS, ROUNDS *RECORDS, 0xd10c778fcddf2d16},
    {"list-4k", "list", list_op, 4096, STEPS + 17, 0x32, list_prepare},
    {"list-32k", "list", list_op, 32768, STEPS + 17, 0x93, list_prepare},
    {0},
};
