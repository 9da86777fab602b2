/*
 * lz.c: a compressor in the manner of Lempel and Ziv (1977), there and back.
 *
 * A token is a byte: the top bit clear, that many literal bytes follow; set, the low bits plus 4 are the
 * length of a copy from a distance in the next two bytes. Candidates come from a table by a hash of four
 * bytes. The text is words in a skewed order, which gives copies of all lengths.
 */
#include "workloads.h"

#include <stddef.h>
#include <string.h>

#define MAX_SIZE    16384
#define HASH_BITS   10
#define MIN_COPY    4
#define MAX_COPY    (127 + MIN_COPY)
#define MAX_LITERAL 127

static uint8_t text[MAX_SIZE], packed[MAX_SIZE + MAX_SIZE / MAX_LITERAL + 1], unpacked[MAX_SIZE];
static uint16_t last_seen[1 << HASH_BITS];

void lz_prepare(uint64_t size)
{
    static const char *const words[] = {"the ",    "memory ",  "of ",  "a ",     "machine ", "is ",
                                        "mapped ", "page ",    "by\n", "table ", "to ",      "where ",
                                        "each ",   "entry",    ", ",   ". ",     "address ", "names ",
                                        "another", " level\n", "and ", "its ",   "rights ",  "0x"};
    uint64_t state = size;
    size_t at = 0;

    while (at < size) {
        uint64_t r = next_random(&state);
        const char *word = words[(r & 31) * (r >> 5 & 31) * 24 / 1024];
        size_t n = strlen(word);

        if (r >> 40 & 1)
            text[at++] = (uint8_t)('0' + (r >> 41) % 10);
        if (n > size - at)
            n = size - at;
        memcpy(text + at, word, n);
        at += n;
    }
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, 4);
    return x;
}

static size_t put_literals(uint8_t *out, const uint8_t *from, size_t n)
{
    size_t at = 0;

    while (n) {
        size_t part = n < MAX_LITERAL ? n : MAX_LITERAL;

        out[at++] = (uint8_t)part;
        for (size_t i = 0; i < part; i++)
            out[at++] = from[i];
        from += part;
        n -= part;
    }
    return at;
}

static size_t pack(uint8_t *out, const uint8_t *in, size_t size)
{
    size_t at = 0, literals = 0, made = 0;

    memset(last_seen, 0, sizeof(last_seen));
    while (at + MIN_COPY <= size) {
        uint32_t four = load32(in + at);
        uint16_t *slot = &last_seen[four * 2654435761u >> (32 - HASH_BITS)];
        size_t from = *slot, n = MIN_COPY;

        *slot = (uint16_t)at;
        if (from >= at || load32(in + from) != four) {
            at++;
            continue;
        }
        while (n < MAX_COPY && at + n < size && in[from + n] == in[at + n])
            n++;
        made += put_literals(out + made, in + literals, at - literals);
        out[made++] = (uint8_t)(0x80 | (n - MIN_COPY));
        out[made++] = (uint8_t)(at - from);
        out[made++] = (uint8_t)((at - from) >> 8);
        at += n;
        literals = at;
    }
    return made + put_literals(out + made, in + literals, size - literals);
}

static size_t unpack(uint8_t *out, const uint8_t *in, size_t size)
{
    size_t made = 0, at = 0;

    while (at < size) {
        size_t token = in[at++], n = token & 0x7f;

        if (token & 0x80) {
            size_t distance = in[at] | (size_t)in[at + 1] << 8;

            at += 2;
            for (n += MIN_COPY; n; n--, made++)
                out[made] = out[made - distance];
        } else {
            for (; n; n--)
                out[made++] = in[at++];
        }
    }
    return made;
}

uint64_t lz_op(uint64_t size)
{
    size_t packed_size = pack(packed, text, size);
    uint64_t sum = packed_size;

    if (unpack(unpacked, packed, packed_size) != size || memcmp(unpacked, text, size) != 0)
        return 0;
    for (size_t i = 0; i + 4 <= packed_size; i += 4)
        sum = mix(sum, load32(packed + i));
    return sum;
}
