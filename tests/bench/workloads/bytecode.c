/*
 * bytecode.c: the dispatch loop of a byte-code interpreter, by computed goto, over a program of 300
 * operations.
 *
 * The program is made once from a fixed seed. It has 16 registers; an operation names two of them and has a
 * small number. Skips go forward only, so that every round ends.
 */
#include "workloads.h"

#include <stddef.h>

#define LENGTH 300

enum opcode {
    ADD,
    SUB,
    XOR,
    AND,
    OR,
    MUL,
    SHIFT,
    ADD_IMM,
    MOVE,
    LOAD,
    STORE,
    SKIP_ZERO,
    SKIP_LESS,
    NOT,
    OPCODES,
    END = OPCODES
};

struct operation {
    uint8_t opcode, a, b, imm;
};

static struct operation program[LENGTH + 4];

void bytecode_prepare(uint64_t loops)
{
    uint64_t state = 300;

    for (size_t i = 0; i < LENGTH; i++) {
        uint64_t r = next_random(&state);

        program[i] = (struct operation){r % OPCODES, r >> 16 & 15, r >> 24 & 15, (uint8_t)(r >> 32)};
    }
    /* A skip in the last operations may land on any of these. */
    for (size_t i = LENGTH; i < sizeof(program) / sizeof(*program); i++)
        program[i].opcode = END;
}

uint64_t bytecode_op(uint64_t loops)
{
    static const void *const labels[OPCODES + 1] = {
        [ADD] = &&add,
        [SUB] = &&sub,
        [XOR] = &&xor,
        [AND] = &&and,
        [OR] = && or
        ,
        [MUL] = &&mul,
        [SHIFT] = &&shift,
        [ADD_IMM] = &&add_imm,
        [MOVE] = &&move,
        [LOAD] = &&load,
        [STORE] = &&store,
        [SKIP_ZERO] = &&skip_zero,
        [SKIP_LESS] = &&skip_less,
        [NOT] = &&not,
        [END] = &&end,
    };
    uint64_t r[16], memory[256], sum = 0;
    const struct operation *pc;

    for (size_t i = 0; i < 16; i++)
        r[i] = i * 0x1111;
    for (size_t i = 0; i < 256; i++)
        memory[i] = i;

#define NEXT                      \
    do {                          \
        pc++;                     \
        goto *labels[pc->opcode]; \
    } while (0)

again:
    pc = program;
    goto *labels[pc->opcode];
add:
    r[pc->a] += r[pc->b];
    NEXT;
sub:
    r[pc->a] -= r[pc->b];
    NEXT;
    xor : r[pc->a] ^= r[pc->b];
    NEXT;
    and : r[pc->a] &= r[pc->b] | pc->imm;
    NEXT;
    or : r[pc->a] |= r[pc->b] & pc->imm;
    NEXT;
mul:
    r[pc->a] *= r[pc->b] | 1;
    NEXT;
shift:
    r[pc->a] >>= pc->imm & 7;
    NEXT;
add_imm:
    r[pc->a] += pc->imm;
    NEXT;
move:
    r[pc->a] = r[pc->b] + pc->imm;
    NEXT;
load:
    r[pc->a] += memory[(uint8_t)(r[pc->b] + pc->imm)];
    NEXT;
store:
    memory[(uint8_t)(r[pc->b] + pc->imm)] = r[pc->a];
    NEXT;
skip_zero:
    pc += (r[pc->a] & 3) == 0;
    NEXT;
skip_less:
    pc += r[pc->a] < r[pc->b];
    NEXT;
    not : r[pc->a] = ~r[pc->a];
    NEXT;
end:
    sum = mix(sum, r[loops & 15]);
    if (--loops)
        goto again;
    for (size_t i = 0; i < 16; i++)
        sum = mix(sum, r[i]);
    return sum;
}
