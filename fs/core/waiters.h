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
    void *handle; /* the caller's, e.g. a fuse_req_t */
    enum irsafs_request_kind kind;
    uint64_t ino;
    int64_t offset; /* READ */
    uint64_t size;  /* READ: bytes wanted; WRITE: bytes taken */
};

struct irsafs_waiter {
    struct irsafs_request request;
    uint64_t told;  /* touches: the notification that must be done first */
    bool answering; /* taken off the parked ones, waits for irsafs_waiters_pop */
    struct irsafs_waiter *next, *prev;
};

struct irsafs_waiter_list {
    struct irsafs_waiter *first, *last;
};

struct irsafs_waiters {
    struct irsafs_waiter_list parked, answer, free;
    uint32_t n_parked;  /* parked only */
    uint32_t n_lookers; /* those of them that wait for a content */
    uint32_t n_used;    /* pool entries ever used */
    struct irsafs_waiter pool[IRSAFS_PARKED_MAX];
};

/* NULL when the pool is used up. Valid until popped or removed. */
struct irsafs_waiter *irsafs_waiters_park(struct irsafs_waiters *waiters,
                                          const struct irsafs_request *request,
                                          uint64_t told);
/* parked -> to be answered. */
void irsafs_waiters_answer(struct irsafs_waiters *waiters, struct irsafs_waiter *waiter);
/* Takes the next one to be answered out of the pool; false when there is none. */
bool irsafs_waiters_pop(struct irsafs_waiters *waiters, struct irsafs_request *ret_request);
/* An interrupted request leaves without an answer of ours, parked or about to be answered. */
void irsafs_waiters_remove(struct irsafs_waiters *waiters, struct irsafs_waiter *waiter);

#endif
