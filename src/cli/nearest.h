/*
 * cli/nearest.h: which of the known words was probably meant.
 */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

/*
 * Start with nearest_to, offer every known word; `best` is the nearest of them, or NULL when none is near
 * enough to be worth a question. Leading dashes do not count; the word may go on with "=value".
 */
struct nearest {
    const char *best;
    const char *word;
    unsigned length;
    unsigned distance;
};

struct nearest nearest_to(const char *word);
void nearest_offer(struct nearest *n, const char *known);

#endif
