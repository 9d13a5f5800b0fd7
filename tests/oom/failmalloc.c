/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Preloaded: an allocation fails, or it and all that follow, as a file says that the test has mapped too
 * (tests/lib/failmalloc.py). FAILMALLOC is its path. FAILMALLOC_ROLE: only in processes with this first
 * argument. The file counts over all of these: what has failed in one does not fail in the next one.
 * It is opened before main, so before any sandbox. free is the C library's own, as is all memory. */

struct control {
    _Atomic uint64_t first_to_fail; /* 0: none; counted from 1 */
    _Atomic uint64_t last_to_fail;
    _Atomic uint64_t n_allocations;
    _Atomic uint64_t n_failed;
    _Atomic uint64_t n_processes;
};

static struct control *control; /* NULL: nothing fails here */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* What the loader and libraries do before main is not ours. */
__attribute__((constructor)) static void begin(int argc, char **argv)
{
    const char *path = getenv("FAILMALLOC");
    const char *role = getenv("FAILMALLOC_ROLE");
    bool ours = role == NULL || (argc > 1 && strcmp(argv[1], role) == 0);
    int fd = ours && path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (at != MAP_FAILED) {
        control = at;
        atomic_fetch_add(&control->n_processes, 1);
    }
}

static bool fails(void)
{
    if (control == NULL) {
        return false;
    }
    uint64_t n = atomic_fetch_add(&control->n_allocations, 1) + 1;
    if (control->first_to_fail == 0 || n < control->first_to_fail || n > control->last_to_fail) {
        return false;
    }
    atomic_fetch_add(&control->n_failed, 1);
    errno = ENOMEM;
    return true;
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
