/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/undo.h"

#include "fs/core/place.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* After the saved bytes, so that the log is read from its end: the oldest value is put back last. */
struct record {
    int64_t offset; /* from the log's struct */
    uint64_t size;
};

/* The compiler keeps stores on their side of this; the processor does so for its own thread. */
static void in_order(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static uint64_t padded(uint64_t size)
{
    return (size + sizeof(struct record) - 1) / sizeof(struct record) * sizeof(struct record);
}

void irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size)
{
    struct record record = {.offset = (const char *)at - (const char *)undo, .size = size};
    uint64_t need = padded(size) + sizeof(record);
    if (need > sizeof(undo->log) - undo->len) {
        abort();
    }
    memcpy(undo->log + undo->len, at, size);
    memcpy(undo->log + undo->len + padded(size), &record, sizeof(record));
    in_order();
    undo->len += need;
    in_order();
    if (undo->len > undo->peak) {
        undo->peak = undo->len;
    }
    irsafs_place(IRSAFS_PLACE_SAVE);
}

void irsafs_undo_commit(struct irsafs_undo *undo)
{
    in_order();
    undo->len = 0;
    in_order();
}

void irsafs_undo_roll_back(struct irsafs_undo *undo)
{
    uint64_t len = undo->len;
    while (len > 0) {
        struct record record;
        memcpy(&record, undo->log + len - sizeof(record), sizeof(record));
        len -= sizeof(record) + padded(record.size);
        memcpy((char *)undo + record.offset, undo->log + len, record.size);
    }
    irsafs_undo_commit(undo);
}
