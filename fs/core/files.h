/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_FILES_H
#define IRSAFS_FS_CORE_FILES_H

#include "base/attr.h"
#include "fs/core/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The immutable files: inodes, and the generations (contents) that they show.
 *
 * An inode starts pending (its content is not known) or with a generation, and keeps that
 * generation until the kernel forgets it. Several inodes may show one generation. Inode numbers are
 * never used twice. Fixed tables: nothing is allocated after _new but the texts themselves. */

enum {
    IRSAFS_INODES_MAX = 4096, /* of both kinds */
    IRSAFS_CONFIG_GENERATIONS_MAX = 64,
    IRSAFS_CONFIG_BYTES_MAX = 32 << 20,
    IRSAFS_STATUS_GENERATIONS_MAX = 256,
};

enum irsafs_kind { IRSAFS_KIND_CONFIG, IRSAFS_KIND_STATUS, IRSAFS_KINDS };

struct irsafs_generation {
    uint64_t number;          /* 1, 2, 3 ... per kind; 0: free slot */
    struct irsafs_text *head; /* comment lines on top, or NULL; owned */
    struct irsafs_text *body; /* or NULL; owned */
    struct timespec mtime;    /* when it became readable */
    int64_t ready_ms;
    uint32_t inodes; /* inodes that show it */
};

enum irsafs_inode_state {
    IRSAFS_INODE_FREE,
    IRSAFS_INODE_PENDING,
    IRSAFS_INODE_READY,
    IRSAFS_INODE_EVICTED, /* its generation had to go (limits above): answers ESTALE */
};

struct irsafs_inode {
    uint64_t ino;
    enum irsafs_inode_state state;
    enum irsafs_kind kind;
    bool handed_out;                      /* some LOOKUP has answered with it */
    bool current;                         /* the name points here: never freed, never evicted */
    uint64_t n_lookups;                   /* references of the kernel: LOOKUP adds, FORGET takes */
    uint64_t epoch;                       /* config: the touches that its text must be newer than */
    struct irsafs_generation *generation; /* READY only */
};

struct irsafs_files;

/* first_ino: inode numbers grow from here. NULL without memory. */
struct irsafs_files *irsafs_files_new(uint64_t first_ino) IRSAFS_MUST_CHECK;
struct irsafs_files *irsafs_files_free(struct irsafs_files *files);

/* A new pending inode that is `current`. Never fails: when the table is full the oldest inode that
 * nobody needs any more is given up (it answers ESTALE from then on). The one that was current for
 * this kind loses that, and is freed when the kernel does not hold it. */
struct irsafs_inode *
irsafs_files_make_current(struct irsafs_files *files, enum irsafs_kind kind, uint64_t epoch);
struct irsafs_inode *irsafs_files_current(const struct irsafs_files *files, enum irsafs_kind kind);

/* NULL when there is none with this number. */
struct irsafs_inode *irsafs_files_find(const struct irsafs_files *files, uint64_t ino);
void irsafs_files_lookup(struct irsafs_inode *inode);
void irsafs_files_forget(struct irsafs_files *files, uint64_t ino, uint64_t n);

/* A new generation; takes over both references (either may be NULL). Never fails: over the limits
 * the oldest superseded generation is evicted. */
struct irsafs_generation *irsafs_files_generation(struct irsafs_files *files,
                                                  enum irsafs_kind kind,
                                                  struct irsafs_text *head,
                                                  struct irsafs_text *body,
                                                  struct timespec mtime,
                                                  int64_t ready_ms);
/* pending -> READY */
void irsafs_files_ready(struct irsafs_inode *inode, struct irsafs_generation *generation);
bool irsafs_files_any_pending(const struct irsafs_files *files, uint64_t up_to_epoch);
/* Makes every pending config inode with an epoch up to this one READY. */
void irsafs_files_ready_up_to(struct irsafs_files *files,
                              uint64_t epoch,
                              struct irsafs_generation *generation);

size_t irsafs_generation_size(const struct irsafs_generation *generation);

struct irsafs_files_usage {
    uint32_t inodes, pending, generations[IRSAFS_KINDS];
    uint64_t bytes, n_lookups, evicted;
};
struct irsafs_files_usage irsafs_files_usage(const struct irsafs_files *files);

#endif
