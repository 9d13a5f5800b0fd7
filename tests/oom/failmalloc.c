/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Preloaded: the n-th allocation of the process fails (FAILMALLOC=n), or the n-th and all that follow
 * (FAILMALLOC=n+). FAILMALLOC_COUNT=FD: the number of allocations is written there at the end, as eight
 * bytes. Only for programs with one thread. free is the C library's own, as is all memory. */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static unsigned long n_allocations;
static unsigned long first_to_fail; /* 0: none; counted from 1 */
static bool all_that_follow;
static int count_fd = -1;

static unsigned long number(const char *text)
{
    unsigned long n = 0;
    for (; text != NULL && *text >= '0' && *text <= '9'; text++) {
        n = n * 10 + (unsigned long)(*text - '0');
    }
    return n;
}

/* The settings count from main on: what the loader and libraries do before it is not ours. */
__attribute__((constructor)) static void begin(void)
{
    const char *which = getenv("FAILMALLOC");
    const char *fd = getenv("FAILMALLOC_COUNT");
    all_that_follow = which != NULL && strchr(which, '+') != NULL;
    count_fd = fd != NULL ? (int)number(fd) : -1;
    n_allocations = 0;
    first_to_fail = number(which);
}

__attribute__((destructor)) static void end(void)
{
    first_to_fail = 0;
    if (count_fd >= 0 && write(count_fd, &n_allocations, sizeof(n_allocations)) < 0) {
        count_fd = -1;
    }
}

static bool fails(void)
{
    n_allocations++;
    bool now = first_to_fail > 0 &&
               (all_that_follow ? n_allocations >= first_to_fail : n_allocations == first_to_fail);
    if (now) {
        errno = ENOMEM;
    }
    return now;
}

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (memory == NULL) {
        return ENOMEM;
    }
    *ret = memory;
    return 0;
}

#pragma GCC visibility pop
