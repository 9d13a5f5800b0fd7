/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/environment.h"

#include "base/attr.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

const char *const *irsafs_environment(void)
{
    static const char *const kept[] = {
        "LD_",           "GLIBC_TUNABLES=", "MALLOC_", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
        "LSAN_OPTIONS=", "TSAN_OPTIONS=",
#ifdef IRSAFS_TEST_PLACES
        "FAKETIME",   /* tests/host/test_clock.py */
        "FAILMALLOC", /* tests/host/test_memory.py */
#endif
    };
    enum { MAX = 16 };
    static const char *env[MAX + 1];
    size_t n = 0;
    for (char **e = environ; *e != NULL && n < MAX; e++) {
        for (size_t i = 0; i < IRSAFS_COUNT(kept); i++) {
            if (n < MAX && strncmp(*e, kept[i], strlen(kept[i])) == 0) {
                env[n++] = *e;
                break;
            }
        }
    }
    env[n] = NULL;
    return env;
}
