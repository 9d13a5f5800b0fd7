/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_JOURNAL_H
#define IRSAFS_FS_FUSE_JOURNAL_H

#include "fs/core/waiters.h"

#include <linux/fuse.h>
#include <stdint.h>
#include <time.h>

/* The requests that the kernel waits for, in memory that outlives the worker. A request is read
 * straight into its slot and stays there until it has its answer: a worker that is killed after
 * read(2) loses nothing, the next one handles the slots again. The kernel refuses a second answer to
 * one request with ENOENT (fs/fuse/dev.c, fuse_dev_do_write), which is no error here. */

enum {
    IRSAFS_SLOTS = 4096, /* more than may be parked: an INTERRUPT always finds one */
    IRSAFS_SLOT_REQUEST = 240,
    IRSAFS_MAX_WRITE = 128 << 10, /* told to the kernel */
    IRSAFS_OVERFLOW = IRSAFS_MAX_WRITE + (8 << 10),
    IRSAFS_HELLO_MAX = 256,
};
_Static_assert(IRSAFS_SLOTS > IRSAFS_PARKED_MAX + 1, "room for a request beside the parked ones");

enum irsafs_slot_state {
    IRSAFS_SLOT_NEW,    /* nothing has happened yet that counts */
    IRSAFS_SLOT_DONE,   /* the core has had the event; what is missing is the reply */
    IRSAFS_SLOT_PARKED, /* the core answers later */
};

/* In use: in.len is not 0. */
struct irsafs_slot {
    union {
        struct fuse_in_header in;
        char request[IRSAFS_SLOT_REQUEST];
    };
    /* The redo record: part of the core's transaction, so that an event happens exactly once. */
    uint64_t ino;            /* DONE: the inode that a LOOKUP is answered with */
    irsafs_waiter_id waiter; /* PARKED */
    uint8_t state;           /* enum irsafs_slot_state */
    uint8_t unused[5];
};
_Static_assert(sizeof(struct irsafs_slot) == 256, "slots do not cross pages");

struct irsafs_journal {
    struct timespec started, refreshed; /* mtime of the directory, of `refresh` */
    /* FUSE_INIT is sent once and obeyed once: a later worker hears the recorded one, and its reply,
     * which must be the same, is not sent. */
    union {
        struct fuse_in_header in;
        char bytes[IRSAFS_HELLO_MAX];
    } hello;
    char hello_reply[IRSAFS_HELLO_MAX];
    uint32_t hello_reply_len; /* 0: not known yet */
    uint32_t hello_done;      /* the kernel has the reply */
    uint32_t slots_used;      /* slots at or above this one were never used: nobody looks at them */
    _Alignas(4096) struct irsafs_slot slots[IRSAFS_SLOTS];
    /* The rest of a request that is longer than a slot. One is enough: it is answered at once, or (a
     * long WRITE) parked, and then nobody looks at its data. */
    _Alignas(4096) char overflow[IRSAFS_OVERFLOW];
};

#endif
