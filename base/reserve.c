/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reserve.h"

#include "base/error.h"
#include "base/log.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { RESERVE_BYTES = 256 << 10, ALIGNMENT = alignof(max_align_t) };

static alignas(max_align_t) char reserve[RESERVE_BYTES]; /* no memory before it is used */
static size_t used;
static size_t n_blocks;

void *irsafs_reserve_malloc(size_t size)
{
    void *memory = malloc(size);
    if (memory != NULL) {
        return memory;
    }
    if (size > RESERVE_BYTES - ALIGNMENT - used) {
        irsafs_log(IRSAFS_LOG_ERROR, "no_memory", IRSAFS_LOG_NUMBER("bytes", size));
        _exit(irsafs_code_exit_status(IRSAFS_E_MEMORY));
    }
    memory = reserve + used;
    used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    n_blocks++;
    return memory;
}

/* The reserve is there again when nothing of it is in use. */
void irsafs_reserve_free(void *memory)
{
    uintptr_t at = (uintptr_t)memory;
    if (at < (uintptr_t)reserve || at >= (uintptr_t)reserve + RESERVE_BYTES) {
        free(memory);
    } else if (--n_blocks == 0) {
        used = 0;
    }
}
