/*
 * The unit tests' frame: a table of cases, one TAP line each. A case goes on
 * after a failed CHECK; REQUIRE leaves it.
 */
#ifndef SEALPOST_TEST_H
#define SEALPOST_TEST_H

#include <stdbool.h>
#include <stddef.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

#define TEST(fn) {#fn, fn}
/* The last thing in a test file: int main() over the table. */
#define TEST_MAIN(cases)                                                  \
    int main(void)                                                        \
    {                                                                     \
        return test_main((cases), sizeof(cases) / sizeof((cases)[0]));    \
    }

int test_main(const struct test_case *cases, size_t n);
bool test_check(bool ok, const char *what, const char *file, int line);
bool test_check_str(const char *got, const char *want, const char *what,
                    const char *file, int line);
bool test_check_int(long long got, long long want, const char *what,
                    const char *file, int line);
/* Has the case that runs passed so far? For a process of its own. */
bool test_passes(void);
/* Names the row of a table in the messages that follow; NULL to end. */
void test_row(const char *name);
/* A fresh directory, removed at the end if all passed. Static string. */
const char *test_dir(void);
/* $srcdir/PATH on the heap. */
char *test_data(const char *path);

#define CHECK(cond) test_check((cond), #cond, __FILE__, __LINE__)
#define CHECK_STR(got, want) \
    test_check_str((got), (want), #got, __FILE__, __LINE__)
#define CHECK_INT(got, want) \
    test_check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define REQUIRE(cond)      \
    do {                   \
        if (!CHECK(cond))  \
            return;        \
    } while (0)

#endif
