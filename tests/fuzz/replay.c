/*
 * Plays a fuzz target's corpus as a plain program, so that `make check` runs
 * each input without a fuzzer. fuzz_NAME takes tests/fuzz/corpus/NAME, or the
 * files that are named on the command line.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1 for a file that was played. */
static int
play(const char *path, unsigned number)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    size_t n;

    if (!f || !data) {
        printf("not ok %u - %s cannot be read\n", number, path);
        exit(1);
    }
    n = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    /* The exact size, so that a sanitizer sees a read past the end. */
    if (n) {
        uint8_t *exact = malloc(n);

        if (!exact)
            exit(99);
        memcpy(exact, data, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    } else {
        LLVMFuzzerTestOneInput(data, 0);
    }
    free(data);
    printf("ok %u - %s\n", number, strrchr(path, '/') ? strrchr(path, '/') + 1
                                                      : path);
    fflush(stdout);
    return 1;
}

static unsigned
play_folder(const char *target)
{
    const char *src = getenv("srcdir");
    const char *name = strstr(target, "fuzz_");
    char folder[PATH_MAX], path[PATH_MAX + 300];
    struct dirent **entry;
    unsigned count = 0;
    int n;

    for (const char *p = name; p; p = strstr(p + 1, "fuzz_"))
        name = p;
    if (!name)
        return 0;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s",
             src ? src : ".", name + 5);
    n = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (entry[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
            count += (unsigned)play(path, count + 1);
        }
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return count;
}

int
main(int argc, char **argv)
{
    unsigned count = 0;

    if (argc > 1)
        for (int i = 1; i < argc; i++)
            count += (unsigned)play(argv[i], count + 1);
    else
        count = play_folder(argv[0]);
    if (!count)
        printf("not ok 1 - no input for %s\n", argv[0]);
    printf("1..%u\n", count ? count : 1);
    return count ? 0 : 1;
}
