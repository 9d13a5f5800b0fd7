/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/state.h"

enum {
    ATTR_SETTLE_MS = 20,    /* see irsafs_file_entry */
    PENDING_ENTRY_MS = 500, /* see irsafs_pending_entry */
    SUPERSEDED_ATTR_MS = 60 * 1000,
};

struct irsafs_entry
irsafs_file_entry(const struct irsafs_core *c, const struct irsafs_inode *inode, int64_t now_ms)
{
    const struct irsafs_generation *g = irsafs_files_at(c, inode->generation);
    struct irsafs_entry e = {
        .ino = inode->ino,
        .kind = (enum irsafs_kind)inode->kind,
        .size = irsafs_files_size(c, g),
        .mtime = g->mtime,
        .attr_timeout_ms = SUPERSEDED_ATTR_MS,
    };
    if (inode->kind == IRSAFS_KIND_CONFIG && inode->current) {
        e.entry_timeout_ms = irsafs_max_ms(0, irsafs_next_change_ms(c, now_ms) - now_ms);
        e.attr_timeout_ms = e.entry_timeout_ms;
    }
    /* The kernel stores how long attributes are good before it stores the size, and fstat(2) reads
     * both without the lock (fs/fuse/inode.c, fuse_change_attributes): attributes of an inode that
     * was pending a moment ago are not to be cached. */
    if (now_ms < g->ready_ms + ATTR_SETTLE_MS && inode->kind == IRSAFS_KIND_CONFIG) {
        e.attr_timeout_ms = 0;
    }
    return e;
}

/* A pending inode becomes READY at a moment that is not known yet; the name must be asked for again
 * before the state that follows changes. */
struct irsafs_entry irsafs_pending_entry(const struct irsafs_core *c,
                                         const struct irsafs_inode *inode,
                                         struct timespec real)
{
    return (struct irsafs_entry){
        .ino = inode->ino,
        .mtime = real,
        .entry_timeout_ms = irsafs_min_ms(PENDING_ENTRY_MS, c->settings.ttl_ms / 5 * 4),
    };
}

const struct irsafs_generation *irsafs_core_file(const struct irsafs_core *c,
                                                 uint64_t ino,
                                                 int64_t now_ms,
                                                 struct irsafs_entry *ret_entry)
{
    const struct irsafs_inode *inode = irsafs_files_find(c, ino);
    if (inode == NULL || inode->state != IRSAFS_INODE_READY) {
        return NULL;
    }
    *ret_entry = irsafs_file_entry(c, inode, now_ms);
    return irsafs_files_at(c, inode->generation);
}

bool irsafs_core_entry(const struct irsafs_core *c,
                       uint64_t ino,
                       int64_t now_ms,
                       struct timespec real,
                       struct irsafs_entry *ret_entry)
{
    const struct irsafs_inode *inode = irsafs_files_find(c, ino);
    if (inode == NULL || inode->state == IRSAFS_INODE_EVICTED) {
        return false;
    }
    *ret_entry = irsafs_is_pending(inode) ? irsafs_pending_entry(c, inode, real)
                                          : irsafs_file_entry(c, inode, now_ms);
    return true;
}
