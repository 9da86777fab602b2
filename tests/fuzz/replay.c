/*
 * replay.c: runs a fuzz target on files, in builds without libFuzzer: the reproducers of bugs that were
 * mended, and any reproducer that has just been found.
 *
 * usage: PROGRAM FILE...
 */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SIZE = 1 << 20 };

int main(int argc, char **argv)
{
    static uint8_t data[MAX_SIZE];
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 2;
        }
        size_t n = fread(data, 1, sizeof(data), f);
        fclose(f);
        uint8_t *exact = malloc(n ? n : 1); /* of its own size, so that a sanitizer sees reads beyond it */
        if (!exact)
            return 2;
        memcpy(exact, data, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
