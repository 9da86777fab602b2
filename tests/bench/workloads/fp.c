/*
 * fp.c: floating point: scalar double, float vectorised by the compiler, AVX2, and libm.
 *
 * Everything but libm gives the same bits on every processor: no contraction, a fixed order of sums. libm
 * chooses its functions by CPUID and may differ in the last place, so that its sums are compared after
 * rounding.
 */
#include "workloads.h"

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define BODIES 5
#define N      1024
#define LIBM_N 256

static uint64_t bits(double x)
{
    uint64_t u;

    memcpy(&u, &x, 8);
    return u;
}

static uint64_t float_sum(const float *x)
{
    uint64_t sum = 0;
    uint32_t word;

    for (size_t i = 0; i < N; i += 16) {
        memcpy(&word, &x[i], 4);
        sum = mix(sum, word);
    }
    return sum;
}

/* -- scalar double: five bodies under gravity -- */

struct body {
    double x[3], v[3], mass;
};

static uint64_t nbody_op(uint64_t steps)
{
    struct body b[BODIES];
    uint64_t sum = 0;

    for (int i = 0; i < BODIES; i++)
        b[i] = (struct body){.x = {i * 1.5, 1.0 / (i + 1), -0.25 * i},
                             .v = {0.1 * i, -0.05, 0.02 * i},
                             .mass = 1.0 / (1 + i * i)};
    for (uint64_t s = 0; s < steps; s++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++) {
                double d[3], square = 0.01, pull;

                for (int k = 0; k < 3; k++) {
                    d[k] = b[i].x[k] - b[j].x[k];
                    square += d[k] * d[k];
                }
                pull = 0.001 / (square * sqrt(square));
                for (int k = 0; k < 3; k++) {
                    b[i].v[k] -= d[k] * b[j].mass * pull;
                    b[j].v[k] += d[k] * b[i].mass * pull;
                }
            }
        }
        for (int i = 0; i < BODIES; i++) {
            for (int k = 0; k < 3; k++)
                b[i].x[k] += b[i].v[k] * 0.001;
        }
    }
    for (int i = 0; i < BODIES; i++)
        sum = mix(sum, bits(b[i].x[0]) ^ bits(b[i].v[2]));
    return sum;
}

/* -- float, vectorised: y = a x + y -- */

static float xs[N] __attribute__((aligned(32))), ys[N] __attribute__((aligned(32)));

static void vectors_reset(void)
{
    for (int i = 0; i < N; i++) {
        xs[i] = (float)(i % 37) * 0.125f;
        ys[i] = (float)i;
    }
}

__attribute__((noipa)) static void saxpy(float a, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < N; i++)
        y[i] = a * x[i] + y[i];
}

static uint64_t saxpy_op(uint64_t rounds)
{
    vectors_reset();
    for (uint64_t r = 0; r < rounds; r++)
        saxpy(0.0625f, xs, ys);
    return float_sum(ys);
}

/* -- AVX2 -- */

static const char *avx2_missing(void)
{
    return __builtin_cpu_supports("avx2") ? NULL : "no AVX2";
}

__attribute__((target("avx2"))) static uint64_t avx2_float_op(uint64_t rounds)
{
    const __m256 a = _mm256_set1_ps(0.0625f);

    vectors_reset();
    for (uint64_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < N; i += 8)
            _mm256_store_ps(&ys[i],
                            _mm256_add_ps(_mm256_mul_ps(a, _mm256_load_ps(&xs[i])), _mm256_load_ps(&ys[i])));
        /* The rounds are not to be merged. */
        __asm__ volatile("" ::: "memory");
    }
    return float_sum(ys);
}

__attribute__((target("avx2"))) static uint64_t avx2_integer_op(uint64_t rounds)
{
    const __m256i factor = _mm256_set1_epi32(0x01000193), order = _mm256_set_epi32(6, 7, 4, 5, 2, 3, 0, 1);
    __m256i sum = _mm256_setzero_si256();
    uint64_t words[4];

    vectors_reset();
    for (uint64_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < N; i += 8) {
            __m256i x = _mm256_load_si256((const __m256i *)&ys[i]);

            x = _mm256_mullo_epi32(_mm256_add_epi32(x, sum), factor);
            sum = _mm256_xor_si256(_mm256_permutevar8x32_epi32(x, order), _mm256_srli_epi32(x, 15));
        }
    }
    _mm256_storeu_si256((__m256i *)words, sum);
    return mix(mix(mix(words[0], words[1]), words[2]), words[3]);
}

/* -- libm -- */

static double arguments[LIBM_N];

static void libm_prepare(uint64_t arg)
{
    for (int i = 0; i < LIBM_N; i++)
        arguments[i] = 0.01 + i * 0.037;
}

/* A sum rounded to a millionth; the functions' own error is a hundred million times smaller. */
static uint64_t rounded(double sum)
{
    return (uint64_t)llround(sum * 1e6);
}

static uint64_t sin_op(uint64_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += sin(arguments[i]);
    return rounded(sum);
}

static uint64_t exp_op(uint64_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += exp(arguments[i] - 5);
    return rounded(sum);
}

static uint64_t pow_op(uint64_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += pow(arguments[i], 1.7);
    return rounded(sum);
}

const struct workload fp_workloads[] = {
    {"nbody-double", "fp", nbody_op, 100, 100, 0x3532dfd37c748b16},
    {"saxpy-sse2", "fp", saxpy_op, 64, 64 * N, 0x8c1770b50fc6fb2a},
    {"saxpy-avx2", "fp", avx2_float_op, 64, 64 * N, 0x8c1770b50fc6fb2a, .missing = avx2_missing},
    {"integer-avx2", "fp", avx2_integer_op, 64, 64 * N, 0x4e86cc7f4b511d79, .missing = avx2_missing},
    {"libm-sin", "fp", sin_op, LIBM_N, LIBM_N, 0x33885bc, libm_prepare},
    {"libm-exp", "fp", exp_op, LIBM_N, LIBM_N, 0x8bcbae67, libm_prepare},
    {"libm-pow", "fp", pow_op, LIBM_N, LIBM_N, 0x101a9e554, libm_prepare},
    {0},
};
