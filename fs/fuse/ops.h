/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_OPS_H
#define IRSAFS_FS_FUSE_OPS_H

#include "base/clock.h"
#include "fs/fuse/journal.h"
#include "fs/fuse/session.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/* The request handlers; private to fs/fuse. */

enum { IRSAFS_INO_ROOT = FUSE_ROOT_ID, IRSAFS_INO_REFRESH = 2, IRSAFS_INO_FIRST_FREE = 4096 };

struct irsafs_session {
    struct irsafs_session_settings settings;
    struct irsafs_core *core;
    struct irsafs_journal *journal;
    int fuse_fd;
    struct fuse_session *fuse;
    uint32_t protocol_major, protocol_minor;
    const char *missing; /* a feature that irsafs relies on and the kernel has not, or NULL */
    bool hello;          /* FUSE_INIT is being handled */
    bool greeted;        /* with the reply that the kernel has, or gets */
    struct irsafs_slot *current; /* of the request being handled */
    char *long_request;          /* one that does not fit its slot, put together */
    uint64_t handled;
    unsigned n_free;
    uint16_t free_slots[IRSAFS_SLOTS];
    fuse_req_t requests[IRSAFS_SLOTS]; /* of the parked ones */
};

const struct fuse_lowlevel_ops *irsafs_fuse_ops(void);

/* Replies to a request whose inode is READY or gone, or to a touch. */
void irsafs_fuse_answer(struct irsafs_session *session,
                        fuse_req_t req,
                        const struct irsafs_request *request);

/* A parked request is answered otherwise (EINTR): slot i and its waiter are let go of. */
void irsafs_session_unpark(struct irsafs_session *session, unsigned i);

#endif
