/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_HANDED_H
#define IRSAFS_FS_SHARED_HANDED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What the supervisor hands to the processes that it starts, and what they say to each other. */

/* Descriptors, at these numbers. stdin and stdout are /dev/null, stderr is the log. */
enum irsafs_handed {
    IRSAFS_HANDED_FUSE = 3, /* worker: /dev/fuse; notifier: a clone that nothing is read from */
    IRSAFS_HANDED_BELL,     /* memory: struct irsafs_bell */
    IRSAFS_HANDED_RING,     /* eventfd, worker to notifier: there is something to tell */
    IRSAFS_HANDED_TOLD,     /* eventfd, notifier to worker: it has been told */
    IRSAFS_HANDED_BLOCK,    /* memory: struct irsafs_block; worker only */
    IRSAFS_HANDED_CONTROL,  /* socket to the supervisor; worker only */
    IRSAFS_HANDED_LOG,      /* app.log, or /dev/null; worker only */
    IRSAFS_HANDED_PLACES,   /* test build only */
    IRSAFS_HANDED_END,
};

enum { IRSAFS_FUSE_MINOR_EPOCH = 44 }; /* protocol 7.44 has FUSE_NOTIFY_INC_EPOCH */

/* Exit status of a process of ours whose walls cannot be had, before or after it was executed. */
enum { IRSAFS_STATUS_NOT_CONFINED = 126 };

/* Between worker and notifier. */
struct irsafs_bell {
    _Atomic uint64_t tell;  /* the worker: notifications wanted */
    _Atomic uint64_t told;  /* the notifier: as many are done */
    _Atomic uint32_t epoch; /* bool, the worker: the kernel has FUSE_NOTIFY_INC_EPOCH */
    _Atomic uint32_t busy;  /* bool, the notifier: one is under way; for tests/places */
    /* The notifier: how many could not be told, and the last one's errno. */
    _Atomic uint32_t failures, error;
};

/* Messages between supervisor and worker: of one size, one per packet, with some descriptors. */
enum { IRSAFS_ORDER_FDS_MAX = 2 };

enum irsafs_order_type {
    IRSAFS_ORDER_START = 1, /* worker: run the client for `flight`, at most timeout_ms */
    IRSAFS_ORDER_LANDED,  /* supervisor: it has ended; with two descriptors: its text, its report */
    IRSAFS_ORDER_TAKEN,   /* worker: its text and report are not needed any more */
    IRSAFS_ORDER_STOP,    /* supervisor: answer everybody; drain */
    IRSAFS_ORDER_STOPPED, /* worker: done */
    IRSAFS_ORDER_LISTEN, /* supervisor: serve the socket that comes along, or show why there is none */
    IRSAFS_ORDER_FAILED, /* worker: it cannot go on, `code` says why; another worker could neither */
    IRSAFS_ORDER_PUBLISH, /* worker: make `length` bytes of the publication `file` a file; one at a time */
    IRSAFS_ORDER_PUBLISHED, /* supervisor: it is one, or `code` says why not */
    IRSAFS_ORDER_REFRESH,   /* supervisor: the file `refresh` was touched, head.touches has grown */
    IRSAFS_ORDER_DONE, /* worker: the only fetch is over and in the file; `code` says how it ended */
    IRSAFS_ORDER_LOG,  /* supervisor: log from `code` on; a descriptor: the new app.log */
};

struct irsafs_order {
    uint32_t type;
    /* FAILED, DONE, LANDED (it could not be started): enum irsafs_code; LISTEN: an errno, or 0 when the
     * socket comes along; PUBLISH: bool, where it cannot be written the old text must not stay; PUBLISHED: an
     * errno or 0; LOG: a level */
    uint32_t code;
    uint64_t flight;     /* START, LANDED, TAKEN */
    int64_t timeout_ms;  /* START */
    int32_t wait_status; /* LANDED: of waitpid(2) */
    uint32_t killed;     /* LANDED: bool, for being late */
    uint32_t listener;   /* LISTEN: enum irsafs_listening */
    uint32_t file;       /* PUBLISH, PUBLISHED: enum irsafs_published */
    uint32_t length;     /* PUBLISH */
    uint64_t number;     /* PUBLISH, PUBLISHED: of the text, for the worker that asks */
};

#endif
