/*
 * nearest.c: the number of single-letter changes between two words (Levenshtein's distance), and the least.
 */
#include "cli/nearest.h"
#include "base/base.h"

enum { LONGEST = 32 };

static const char *without_dashes(const char *s)
{
    return s + strspn(s, "-");
}

/* Both at most LONGEST letters. */
static unsigned distance(const char *a, unsigned a_len, const char *b, unsigned b_len)
{
    unsigned row[LONGEST + 1];
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            unsigned changed = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = MIN(changed, MIN(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

struct nearest nearest_to(const char *word)
{
    word = without_dashes(word);
    unsigned length = (unsigned)strcspn(word, "=");
    /* A third of the letters may be wrong. */
    return (struct nearest){.word = word, .length = length, .distance = length / 3 + 1};
}

void nearest_offer(struct nearest *n, const char *known)
{
    const char *k = without_dashes(known);
    unsigned k_len = (unsigned)strlen(k);
    if (n->length > LONGEST || k_len > LONGEST || n->length == 0)
        return;
    unsigned d = distance(n->word, n->length, k, k_len);
    /* The beginning of a word ("--mem") is nearer than any misspelling. */
    if (n->length >= 2 && n->length < k_len && !strncmp(n->word, k, n->length))
        d = 1;
    if (d < n->distance || (d == n->distance && !n->best && d < n->length)) {
        n->best = known;
        n->distance = d;
    }
}
