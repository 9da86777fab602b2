/*
 * area.c: the data pages before and after a case.
 */
#include "case.h"

void area_prepare(const struct icase *k, uint8_t *area, uint8_t *before)
{
    for (unsigned i = 0; i < k->npatches; i++) {
        const struct patch *p = &k->patch[i];
        memcpy(area + p->off, k->patch_bytes + p->at, p->len);
        memcpy(before + p->off, k->patch_bytes + p->at, p->len);
    }
}

void area_collect(const struct icase *k, uint8_t *area, uint8_t *before, const uint8_t *base,
                  struct outcome *o)
{
    o->nchunks = 0;
    o->overflow = false;
    for (unsigned i = 0; i < DATA_SIZE / CHUNK; i++) {
        if (!memcmp(area + i * CHUNK, before + i * CHUNK, CHUNK))
            continue;
        if (o->nchunks == MAX_CHUNKS) {
            o->overflow = true;
        } else {
            o->chunk[o->nchunks] = (uint8_t)i;
            memcpy(o->data[o->nchunks++], area + i * CHUNK, CHUNK);
        }
        memcpy(area + i * CHUNK, base + i * CHUNK, CHUNK);
    }
    for (unsigned i = 0; i < k->npatches; i++) {
        const struct patch *p = &k->patch[i];
        memcpy(area + p->off, base + p->off, p->len);
        memcpy(before + p->off, base + p->off, p->len);
    }
}
