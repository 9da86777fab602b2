/*
 * btree.c: a B-tree (Bayer and McCreight, 1972) in memory: keys are put in and looked up.
 *
 * Full nodes are split on the way down, so that a parent always has room. Nodes come from an array that each
 * operation starts anew.
 */
#include "workloads.h"

#include <stdbool.h>
#include <stddef.h>

/* Keys of a full node; odd, so that a split leaves two equal halves around one key. */
#define KEYS  15
#define HALF  (KEYS / 2)
#define NODES 512

struct bnode {
    uint16_t n;
    bool leaf;
    uint32_t key[KEYS];
    struct bnode *child[KEYS + 1];
};

static struct bnode pool[NODES];

struct btree {
    struct bnode *root;
    size_t used;
};

static struct bnode *bnode_new(struct btree *t, bool leaf)
{
    struct bnode *b;

    if (t->used == NODES)
        fail("btree: more nodes than the keys can need");
    b = &pool[t->used++];
    b->n = 0;
    b->leaf = leaf;
    return b;
}

/* The first position whose key is not less. */
static unsigned position(const struct bnode *b, uint32_t key)
{
    unsigned i = 0;

    while (i < b->n && b->key[i] < key)
        i++;
    return i;
}

/* Splits the full child `at`; the parent has room for the key in the middle. */
static void split(struct btree *t, struct bnode *parent, unsigned at)
{
    struct bnode *left = parent->child[at], *right = bnode_new(t, left->leaf);

    for (unsigned i = 0; i < HALF; i++)
        right->key[i] = left->key[HALF + 1 + i];
    if (!left->leaf) {
        for (unsigned i = 0; i <= HALF; i++)
            right->child[i] = left->child[HALF + 1 + i];
    }
    left->n = right->n = HALF;
    for (unsigned i = parent->n; i > at; i--) {
        parent->key[i] = parent->key[i - 1];
        parent->child[i + 1] = parent->child[i];
    }
    parent->key[at] = left->key[HALF];
    parent->child[at + 1] = right;
    parent->n++;
}

static void insert(struct btree *t, uint32_t key)
{
    struct bnode *b = t->root;
    unsigned i;

    if (b->n == KEYS) {
        t->root = bnode_new(t, false);
        t->root->child[0] = b;
        split(t, t->root, 0);
        b = t->root;
    }
    for (;;) {
        i = position(b, key);
        if (i < b->n && b->key[i] == key)
            return;
        if (b->leaf)
            break;
        if (b->child[i]->n == KEYS) {
            split(t, b, i);
            if (b->key[i] == key)
                return;
            i += b->key[i] < key;
        }
        b = b->child[i];
    }
    for (unsigned j = b->n; j > i; j--)
        b->key[j] = b->key[j - 1];
    b->key[i] = key;
    b->n++;
}

/* How many nodes were looked at, and whether the key is there. */
static unsigned lookup(const struct btree *t, uint32_t key, bool *found)
{
    const struct bnode *b = t->root;

    for (unsigned depth = 1;; depth++) {
        unsigned i = position(b, key);

        *found = i < b->n && b->key[i] == key;
        if (*found || b->leaf)
            return depth;
        b = b->child[i];
    }
}

uint64_t btree_op(uint64_t keys)
{
    struct btree t = {0};
    uint64_t state = 1, sum = 0;
    bool found;

    t.root = bnode_new(&t, true);
    for (uint64_t i = 0; i < keys; i++)
        insert(&t, (uint32_t)next_random(&state));
    /* Half of the look-ups find their key, and all of those that can. */
    state = 1;
    for (uint64_t i = 0; i < keys; i++) {
        uint32_t key = (uint32_t)next_random(&state) + (i & 1);
        unsigned depth = lookup(&t, key, &found);

        sum = mix(sum, depth * 2 + found);
    }
    return sum;
}
