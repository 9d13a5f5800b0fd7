/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_STATE_H
#define IRSAFS_FS_CORE_STATE_H

#include "fs/core/core.h"
#include "fs/core/notice.h"
#include "fs/core/undo.h"

/* The memory of the state machine and the questions about it that need no event: what a reader would
 * see, and when what is due. Private to fs/core. */

struct irsafs_good {
    irsafs_text_id body; /* 0: there is no last-good text */
    uint32_t profiles;
    uint64_t epoch;
    int64_t landed_ms, landed_s;
    char identity[65];
};

struct irsafs_failure {
    bool active; /* the last flight failed */
    struct irsafs_error error;
    int64_t since_s;
    uint32_t in_a_row;
    int64_t next_try_ms;
    int64_t first_no_run_ms; /* begin of an unbroken row of 404; -1: none */
};

struct irsafs_current_flight {
    bool running;
    uint64_t number, epoch;
    int64_t start_ms, start_s;
};

struct irsafs_core {
    /* Never changed after _init. */
    struct irsafs_core_settings settings; /* ttl_ms with its jitter */
    int64_t born_ms;

    /* From here to the tables: saved as a whole when a transaction begins. */
    uint32_t random;
    struct irsafs_good good;
    struct irsafs_failure failure;
    struct irsafs_current_flight flight; /* the running one, or the last one */
    int64_t retry_after_until_ms;        /* 0: the service did not ask for patience */

    uint64_t epoch;  /* newest */
    uint64_t begun;  /* newest epoch for which a flight has begun */
    uint64_t landed; /* newest epoch for which a flight has ended */
    bool touched;    /* a touch wants a flight */
    int64_t touched_ms, touched_s;
    bool asked; /* a look wants a flight, from asked_ms on */
    int64_t asked_ms;
    /* Until when readers of pending inodes wait: those that the running flight serves, and the
     * others. 0: nobody waits yet. */
    int64_t flight_deadline_ms, next_deadline_ms;
    int64_t unserved_since_s; /* since when there is nothing to show or the TTL is over */

    uint64_t tell, told;       /* notifications: wanted, done */
    uint64_t announced;        /* the flight number that was told to the caller */
    irsafs_generation_id last; /* the newest of config... */
    uint64_t last_number;      /* ...while its number is still this */
    bool stopping;

    uint64_t changes; /* counts state changes: a `status` of before one is not used again */
    uint64_t status_changes;
    int64_t status_ms;
    uint64_t n_failed;
    uint64_t n_texts; /* times that a flight brought another text than the one before */
    int64_t last_flight_ms;
    struct irsafs_counts counts;
    struct irsafs_waiters waiters;
    struct irsafs_files files;

    /* Entries are saved one by one. */
    struct irsafs_tables tables;
    struct irsafs_waiter waiter_pool[IRSAFS_PARKED_MAX];

    struct irsafs_undo undo;
    struct irsafs_bytes bytes;
};

/* The largest transaction answers everybody and makes every inode READY: the log can take it. */
_Static_assert(IRSAFS_UNDO_MAX >
                   (size_t)IRSAFS_PARKED_MAX * 5 * (sizeof(struct irsafs_waiter) + 32) +
                       (size_t)IRSAFS_INODES_MAX * 3 * (sizeof(struct irsafs_inode) + 32) +
                       IRSAFS_INODES_MAX * (sizeof(struct irsafs_generation) + 32),
               "an event fits the log");

static inline int64_t irsafs_max_ms(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t irsafs_min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline const struct irsafs_inode *irsafs_current(const struct irsafs_core *c)
{
    return &c->tables.inodes[c->files.current[IRSAFS_KIND_CONFIG] - 1];
}

static inline bool irsafs_is_pending(const struct irsafs_inode *inode)
{
    return inode->state == IRSAFS_INODE_PENDING;
}

/* ---- the text of the moment (content.c) */

struct irsafs_content {
    char head[IRSAFS_NOTICE_MAX];
    size_t head_len;
    irsafs_text_id body; /* not counted */
};

/* What a reader who wants epoch `epoch` would see now. */
void irsafs_content_now(const struct irsafs_core *c,
                        uint64_t epoch,
                        int64_t now_ms,
                        struct irsafs_content *ret_content);
bool irsafs_content_is_shown(const struct irsafs_core *c,
                             const struct irsafs_content *content,
                             irsafs_generation_id generation);
/* The inode shows the last-good text without any comment. */
bool irsafs_shows_fresh_text(const struct irsafs_core *c, const struct irsafs_inode *inode);
/* The generation with this content: the newest one if it shows the same (its mtime stays: programs
 * that watch it do not reload for nothing), otherwise a new one. */
irsafs_generation_id irsafs_content_generation(struct irsafs_core *c,
                                               const struct irsafs_content *content,
                                               int64_t now_ms,
                                               struct timespec real);

/* ---- what the kernel may know (entry.c) */

struct irsafs_entry
irsafs_file_entry(const struct irsafs_core *c, const struct irsafs_inode *inode, int64_t now_ms);
struct irsafs_entry irsafs_pending_entry(const struct irsafs_core *c,
                                         const struct irsafs_inode *inode,
                                         struct timespec real);

/* ---- times (schedule.c); INT64_MAX: never */

/* When the last-good text is old enough to be renewed in the background; expired; not to be shown. */
int64_t irsafs_aging_ms(const struct irsafs_core *c);
int64_t irsafs_expiry_ms(const struct irsafs_core *c);
int64_t irsafs_good_end_ms(const struct irsafs_core *c);
/* When the next flight shall begin. */
int64_t irsafs_due_ms(const struct irsafs_core *c);
/* FETCHED or DELAYED, of a touch a moment ago that wants a flight of its own. */
enum irsafs_refresh_outcome irsafs_touch_outcome(const struct irsafs_core *c, int64_t now_ms);
/* When the kernel must ask again for the name of a READY inode: at the next change of state that
 * needs a LOOKUP. What needs none (the end of the TTL, a landing) tells the kernel itself. */
int64_t irsafs_next_change_ms(const struct irsafs_core *c, int64_t now_ms);
/* How long readers wait when no touch has set a deadline. */
int64_t irsafs_bound_ms(const struct irsafs_core *c);

#endif
