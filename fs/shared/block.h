/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_BLOCK_H
#define IRSAFS_FS_SHARED_BLOCK_H

#include "base/limits.h"
#include "fs/core/core.h"
#include "fs/core/notice.h"
#include "fs/fuse/journal.h"
#include "fs/shared/address.h"
#include "fs/shared/counters.h"
#include "fs/shared/facts.h"
#include "fs/shared/mode.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* The memory that outlives a worker: a memfd of the supervisor, mapped by each worker. Plain data, no
 * pointers. The supervisor writes the head before the first worker starts, and what it counts later;
 * it reads nothing of it but two counters, and the bytes of a publication, which it copies: whatever a
 * worker leaves here, the supervisor does not follow it. */

enum { IRSAFS_LAYOUT = 5 }; /* to be raised with every change of what follows */

struct irsafs_worker_settings {
    struct irsafs_core_settings core;
    char mountpoint[PATH_MAX];
    char token_path[PATH_MAX]; /* the only web_identity_token_file that a text may hold */
    char client[PATH_MAX];     /* for messages */
    uid_t uid;                 /* owner of the files */
    gid_t gid;
    mode_t config_mode, refresh_mode;
    int sandbox;     /* enum irsafs_sandbox_mode */
    uint32_t mode;   /* enum irsafs_mode */
    uint32_t layout; /* enum irsafs_layout; mode mount only */
    bool once;       /* mode file: one fetch, then the end */
    struct irsafs_address listeners[IRSAFS_LISTENERS];
    bool epoch_allowed; /* FUSE_NOTIFY_INC_EPOCH where the kernel has it */
    pid_t supervisor;   /* the pid that people know */
};

struct irsafs_head {
    uint32_t layout; /* IRSAFS_LAYOUT of who made it */
    struct irsafs_worker_settings settings;
    /* Grow with every answer and every heartbeat; `progress` also with every take-over that was
     * finished. */
    _Atomic uint64_t alive, progress;
    _Atomic uint64_t watched[IRSAFS_WATCHED]; /* the supervisor's, for metrics: see counters.h */
    _Atomic uint64_t touches; /* the supervisor's: of the file `refresh`, mode FILE */
};

/* Where the reader stands that fs/worker/scribe.c is. */
struct irsafs_scribed {
    uint64_t parked;  /* the inode whose content it waits for; 0: it does not wait */
    uint64_t shown;   /* the inode it has seen last and still holds; 0: none */
    uint64_t touches; /* of the head, that the core has heard of */
};

/* What a worker knows beside the core, for `status` and the log. */
struct irsafs_memory {
    bool core_ready; /* the core has been initialized */
    struct irsafs_client_facts facts;
    struct irsafs_counters counters;
    char last_tls[16];
    uint32_t last_result; /* enum irsafs_code of the last flight: changes are logged once */
    uint64_t failures;    /* flights that failed, since the last good one */
    uint64_t take_overs;
    struct irsafs_scribed scribed; /* mode FILE */
};

/* A text that the worker, which cannot open files, has the supervisor write into one. Belongs to the
 * supervisor from the order PUBLISH to the order PUBLISHED, otherwise to the worker. */
enum irsafs_published {
    IRSAFS_PUBLISHED_CONFIG,
    IRSAFS_PUBLISHED_STATUS,
    IRSAFS_PUBLICATIONS,
};

struct irsafs_publication {
    _Alignas(4096) char bytes[IRSAFS_NOTICE_MAX + IRSAFS_TEXT_MAX];
};

struct irsafs_block {
    _Alignas(4096) struct irsafs_head head;
    _Alignas(4096) struct irsafs_memory memory;
    struct irsafs_journal journal;
    struct irsafs_publication publications[IRSAFS_PUBLICATIONS];
    /* the core: see irsafs_block_core */
};

static inline size_t irsafs_block_size(void)
{
    return sizeof(struct irsafs_block) + irsafs_core_size();
}

static inline struct irsafs_core *irsafs_block_core(struct irsafs_block *block)
{
    return (struct irsafs_core *)(block + 1);
}

#endif
