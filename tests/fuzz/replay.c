/*
 * replay.c: runs a fuzz target on files, in builds without libFuzzer: the reproducers of bugs that were
 * mended, and any reproducer that has just been found.
 *
 * usage: PROGRAM FILE|PATTERN...
 */
#include "fuzz.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SIZE = 1 << 20 };

static bool replay(const char *path)
{
    static uint8_t data[MAX_SIZE];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return false;
    }
    size_t n = fread(data, 1, sizeof(data), f);
    fclose(f);
    uint8_t *exact = malloc(n ? n : 1); /* of its own size, so that a sanitizer sees reads beyond it */
    if (!exact)
        return false;
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return true;
}

int main(int argc, char **argv)
{
    glob_t files = {0};
    for (int i = 1; i < argc; i++)
        if (glob(argv[i], i > 1 ? GLOB_APPEND : 0, NULL, &files)) {
            fprintf(stderr, "%s: no such file\n", argv[i]);
            return 2;
        }
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|PATTERN...\n", argv[0]);
        return 2;
    }
    LLVMFuzzerInitialize(&argc, &argv);
    for (size_t i = 0; i < files.gl_pathc; i++)
        if (!replay(files.gl_pathv[i]))
            return 2;
    printf("%zu inputs\n", files.gl_pathc);
    globfree(&files);
    return 0;
}
