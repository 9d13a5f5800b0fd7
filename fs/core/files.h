/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_FILES_H
#define IRSAFS_FS_CORE_FILES_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/str.h"
#include "fs/core/notice.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The immutable files: inodes, and the generations (contents) that they show.
 *
 * An inode starts pending (its content is not known) or with a generation, and keeps that
 * generation until the kernel forgets it. Several inodes may show one generation, several
 * generations one text. Inode numbers are never used twice. Tables of fixed size whose entries name
 * each other by place, so that they mean the same wherever they are mapped. */

enum {
    IRSAFS_INODES_MAX = 4096, /* of both kinds */
    IRSAFS_CONFIG_GENERATIONS_MAX = 64,
    IRSAFS_CONFIG_BYTES_MAX = 32 << 20,
    IRSAFS_STATUS_GENERATIONS_MAX = 256,
    IRSAFS_GENERATIONS = IRSAFS_CONFIG_GENERATIONS_MAX + IRSAFS_STATUS_GENERATIONS_MAX,
    /* Each generation may show a text of its own; one more is the last-good text, one is new. */
    IRSAFS_CONFIG_TEXTS = IRSAFS_CONFIG_GENERATIONS_MAX + 2,
    IRSAFS_STATUS_TEXTS = IRSAFS_STATUS_GENERATIONS_MAX + 1,
    IRSAFS_TEXTS = IRSAFS_CONFIG_TEXTS + IRSAFS_STATUS_TEXTS,
};

enum irsafs_kind { IRSAFS_KIND_CONFIG, IRSAFS_KIND_STATUS, IRSAFS_KINDS };

/* Places in the tables, counted from 1; 0 is none. */
typedef uint16_t irsafs_inode_id;
typedef uint16_t irsafs_generation_id;
typedef uint16_t irsafs_text_id;

/* Immutable bytes with a count of holders. */
struct irsafs_text {
    uint32_t refs; /* 0: free */
    uint32_t size;
};

struct irsafs_generation {
    uint64_t number; /* 1, 2, 3 ... per kind; 0: free */
    struct timespec mtime;
    int64_t ready_ms;    /* when it became readable */
    uint32_t inodes;     /* that show it */
    uint32_t head_len;   /* comment lines on top */
    irsafs_text_id body; /* holds a reference */
};

enum irsafs_inode_state {
    IRSAFS_INODE_FREE,
    IRSAFS_INODE_PENDING,
    IRSAFS_INODE_READY,
    IRSAFS_INODE_EVICTED, /* its generation had to go (limits above): answers ESTALE */
};

struct irsafs_inode {
    uint64_t ino;
    uint64_t n_lookups;              /* references of the kernel: LOOKUP adds, FORGET takes */
    uint64_t epoch;                  /* config: the touches that its text must be newer than */
    irsafs_generation_id generation; /* READY only */
    uint8_t state;                   /* enum irsafs_inode_state */
    uint8_t kind;                    /* enum irsafs_kind */
    bool handed_out;                 /* some LOOKUP has answered with it */
    bool current;                    /* the name points here: never freed, never evicted */
};

struct irsafs_files {     /* saved as a whole with each transaction */
    uint64_t next_serial; /* inode number = serial and slot: unique, found without search */
    uint64_t next_number[IRSAFS_KINDS];
    uint64_t evicted;
    uint64_t underflows; /* more forgotten than looked up: must stay 0 */
    uint32_t slot_hint;  /* where the search for a free slot begins */
    uint32_t slots_used; /* slots at or above this one were never used: they need no look */
    irsafs_inode_id current[IRSAFS_KINDS];
};

struct irsafs_tables { /* entries are saved one by one */
    struct irsafs_inode inodes[IRSAFS_INODES_MAX];
    struct irsafs_generation generations[IRSAFS_GENERATIONS];
    char heads[IRSAFS_CONFIG_GENERATIONS_MAX][IRSAFS_NOTICE_MAX];
    struct irsafs_text texts[IRSAFS_TEXTS];
};

/* The bytes of texts. Not saved: they are written before the text has a holder, and given back only
 * when the transaction that took the last one is committed. */
struct irsafs_bytes {
    bool dirty[IRSAFS_TEXTS]; /* written to since it was given back */
    _Alignas(4096) char config[IRSAFS_CONFIG_TEXTS][IRSAFS_TEXT_MAX];
    _Alignas(4096) char status[IRSAFS_STATUS_TEXTS][IRSAFS_STATUS_MAX];
};

struct irsafs_core;

/* first_ino: inode numbers grow from here. */
void irsafs_files_init(struct irsafs_core *core, uint64_t first_ino);

/* A new pending inode that is `current`. Never fails: when the table is full the oldest inode that
 * nobody needs any more is given up (it answers ESTALE from then on). The one that was current for
 * this kind loses that, and is freed when the kernel does not hold it. */
struct irsafs_inode *
irsafs_files_make_current(struct irsafs_core *core, enum irsafs_kind kind, uint64_t epoch);
/* NULL when there is none with this number. */
const struct irsafs_inode *irsafs_files_find(const struct irsafs_core *core, uint64_t ino);
void irsafs_files_lookup(struct irsafs_core *core, struct irsafs_inode *inode);
void irsafs_files_forget(struct irsafs_core *core, uint64_t ino, uint64_t n);

/* A free text filled with these bytes (at most the kind's maximum), without a holder yet. */
irsafs_text_id
irsafs_files_text(struct irsafs_core *core, enum irsafs_kind kind, struct irsafs_str bytes);
void irsafs_files_ref(struct irsafs_core *core, irsafs_text_id id);
void irsafs_files_unref(struct irsafs_core *core, irsafs_text_id id); /* 0 is fine */
struct irsafs_str irsafs_files_bytes(const struct irsafs_core *core, irsafs_text_id id);
/* Marks as clean, and hands to give_back (which may be NULL) the bytes of, the texts that nobody
 * holds. Between transactions. */
void irsafs_files_give_back(struct irsafs_core *core, void (*give_back)(void *at, size_t size));

/* A new generation: comment lines (config only; may be empty) and a text (or 0), of which it takes a
 * reference. Never fails: over the limits the oldest superseded generation is evicted. */
irsafs_generation_id irsafs_files_generation(struct irsafs_core *core,
                                             enum irsafs_kind kind,
                                             struct irsafs_str head,
                                             irsafs_text_id body,
                                             struct timespec mtime,
                                             int64_t ready_ms);
const struct irsafs_generation *irsafs_files_at(const struct irsafs_core *core,
                                                irsafs_generation_id id);
/* The comment lines and the text. */
void irsafs_files_parts(const struct irsafs_core *core,
                        const struct irsafs_generation *generation,
                        struct irsafs_str ret_parts[2]);
size_t irsafs_files_size(const struct irsafs_core *core,
                         const struct irsafs_generation *generation);

/* pending -> READY */
void irsafs_files_ready(struct irsafs_core *core,
                        struct irsafs_inode *inode,
                        irsafs_generation_id generation);
bool irsafs_files_any_pending(const struct irsafs_core *core, uint64_t up_to_epoch);
/* Makes every pending config inode with an epoch up to this one READY. */
void irsafs_files_ready_up_to(struct irsafs_core *core,
                              uint64_t epoch,
                              irsafs_generation_id generation);

struct irsafs_files_usage {
    uint32_t inodes, pending, generations[IRSAFS_KINDS];
    uint64_t bytes, n_lookups, evicted, underflows;
};
struct irsafs_files_usage irsafs_files_usage(const struct irsafs_core *core);

#endif
