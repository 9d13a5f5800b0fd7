/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_WAITERS_H
#define IRSAFS_FS_CORE_WAITERS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Parked requests: a fixed pool, and the order in which they came. */

enum { IRSAFS_PARKED_MAX = 4000 };

enum irsafs_request_kind {
    IRSAFS_REQUEST_GETATTR, /* waits for the content of ino */
    IRSAFS_REQUEST_READ,    /* the same */
    IRSAFS_REQUEST_SETATTR, /* a touch: waits until the kernel has been told (`told`) */
    IRSAFS_REQUEST_WRITE,   /* the same */
};

struct irsafs_request {
    uint64_t handle; /* the caller's */
    uint64_t ino;
    int64_t offset; /* READ */
    uint32_t size;  /* READ: bytes wanted; WRITE: bytes taken */
    uint32_t kind;  /* enum irsafs_request_kind */
};

/* Places in the pool, counted from 1; 0 is none. */
typedef uint16_t irsafs_waiter_id;

struct irsafs_waiter {
    struct irsafs_request request;
    uint64_t told; /* touches: the notification that must be done first; 0: looks */
    irsafs_waiter_id next, prev;
    bool answering; /* taken off the parked ones, waits for its answer */
};

struct irsafs_waiter_list {
    irsafs_waiter_id first, last;
};

struct irsafs_waiters { /* saved as a whole with each transaction */
    struct irsafs_waiter_list parked, answer, free;
    uint32_t n_parked;  /* parked only */
    uint32_t n_lookers; /* those of them that wait for a content */
    uint32_t n_used;    /* pool entries ever used */
};

struct irsafs_core;

/* 0 when the pool is used up. Valid until removed. */
irsafs_waiter_id
irsafs_waiters_park(struct irsafs_core *core, const struct irsafs_request *request, uint64_t told);
/* parked -> to be answered. */
void irsafs_waiters_answer(struct irsafs_core *core, irsafs_waiter_id id);
/* It has been answered, or interrupted while it was parked or about to be answered. */
void irsafs_waiters_remove(struct irsafs_core *core, irsafs_waiter_id id);
/* NULL for 0. */
const struct irsafs_waiter *irsafs_waiters_at(const struct irsafs_core *core, irsafs_waiter_id id);

#endif
