/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_CORE_H
#define IRSAFS_FS_CORE_CORE_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/core/counts.h"
#include "fs/core/files.h"
#include "fs/core/waiters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The state machine of irsafs: which text `config` shows, who waits for it, when to fetch.
 *
 * Events go in (lookup, look, touch, flight landed, told, tick, forget, interrupt, stop), each with
 * the time it happens at; effects come out of irsafs_core_effects and irsafs_core_next_answer, which
 * the caller asks after the events. No clock, no I/O, no thread, no memory of its own: the caller
 * gives it a block that may be shared with, and taken over by, another process. Events change it in
 * transactions: nothing of an event counts before irsafs_core_commit, which the caller does before
 * anybody outside can see what follows from it.
 *
 * The words:
 *   flight   one run of the client. At most one at a time (single flight).
 *   epoch    counts touches that need a fetch of their own. A flight serves the epochs up to the one
 *            that was newest when it began; an inode of epoch e shows a text whose flight began
 *            after the touch that opened e.
 *   due      when the next flight shall begin.
 * now_ms is CLOCK_BOOTTIME, real the wall clock. */

struct irsafs_core_settings {
    int64_t ttl_ms, max_stale_ms, wait_ms, stale_wait_ms, fetch_timeout_ms, min_refresh_ms;
    bool prefetch;
    bool show_failure;    /* the first one too: who looks waits for no container that is late */
    char mountpoint[256]; /* for the advice in the comment lines; cut when longer */
    uint32_t random_seed; /* jitter only */
    uint64_t first_ino;
};

struct irsafs_core;

/* Bytes of a core, most of them never touched; to be zero and page-aligned. Memory around it that lies
 * in the same mapping may take part in its transactions (irsafs_core_save). */
size_t irsafs_core_size(void);
void irsafs_core_init(struct irsafs_core *core,
                      const struct irsafs_core_settings *settings,
                      int64_t now_ms,
                      struct timespec real);

/* ---- transactions */

/* `size` bytes at `at` are about to be changed by the caller in this transaction. */
void irsafs_core_save(struct irsafs_core *core, const void *at, size_t size);
/* What has happened since the last commit counts. give_back (may be NULL) is told of memory inside the
 * block whose pages are not needed any more. */
void irsafs_core_commit(struct irsafs_core *core, void (*give_back)(void *at, size_t size));
/* For a process that takes the block over: what was not committed has never happened, and the kernel's
 * name `config` is to be dropped: what the last process told it, and whether, is not known. */
void irsafs_core_take_over(struct irsafs_core *core);
/* What was not committed has never happened. */
void irsafs_core_roll_back(struct irsafs_core *core);

/* ---- looking */

/* What the kernel may know about an inode, and for how long. */
struct irsafs_entry {
    uint64_t ino;
    enum irsafs_kind kind;
    uint64_t size; /* 0 while pending */
    struct timespec mtime;
    int64_t entry_timeout_ms, attr_timeout_ms;
};

/* LOOKUP of `config`: never waits. The inode counts one reference more. */
struct irsafs_entry
irsafs_core_lookup_config(struct irsafs_core *core, int64_t now_ms, struct timespec real);

/* LOOKUP of `status`: false when a new document must be rendered and given to _publish_status
 * first. A document is used again for 100 ms while nothing has happened. */
bool irsafs_core_lookup_status(struct irsafs_core *core,
                               int64_t now_ms,
                               struct irsafs_entry *ret_entry) IRSAFS_MUST_CHECK;
/* What the document shows has changed outside the core: the last one is not used again. */
void irsafs_core_status_changed(struct irsafs_core *core);
/* At most IRSAFS_STATUS_MAX bytes, which are copied. */
void irsafs_core_publish_status(struct irsafs_core *core,
                                struct irsafs_str document,
                                int64_t now_ms,
                                struct timespec real);

enum irsafs_look {
    IRSAFS_LOOK_READY,  /* answer now, with irsafs_core_file */
    IRSAFS_LOOK_PARKED, /* comes back from irsafs_core_next_answer */
    IRSAFS_LOOK_GONE,   /* ESTALE */
    IRSAFS_LOOK_FULL,   /* EAGAIN: too many parked requests */
};

/* GETATTR or READ of request->ino. PARKED: *ret_waiter is what irsafs_core_interrupt wants. */
enum irsafs_look irsafs_core_look(struct irsafs_core *core,
                                  const struct irsafs_request *request,
                                  int64_t now_ms,
                                  struct timespec real,
                                  irsafs_waiter_id *ret_waiter) IRSAFS_MUST_CHECK;

/* A readable inode: its generation, or NULL when it is gone (ESTALE). */
const struct irsafs_generation *irsafs_core_file(const struct irsafs_core *core,
                                                 uint64_t ino,
                                                 int64_t now_ms,
                                                 struct irsafs_entry *ret_entry);

/* What an earlier LOOKUP was answered with, as it is now; false when it is gone. */
bool irsafs_core_entry(const struct irsafs_core *core,
                       uint64_t ino,
                       int64_t now_ms,
                       struct timespec real,
                       struct irsafs_entry *ret_entry);

/* A touch of `refresh`, in whatever form. PARKED until the kernel has been told, or FULL. */
enum irsafs_look irsafs_core_touch(struct irsafs_core *core,
                                   const struct irsafs_request *request,
                                   int64_t now_ms,
                                   struct timespec real,
                                   irsafs_waiter_id *ret_waiter) IRSAFS_MUST_CHECK;

/* A touch that no request of the kernel stands for. */
struct irsafs_refresh {
    uint64_t epoch;
    bool landed;
    uint64_t told; /* once it has landed: what the kernel has to be told until */
};
struct irsafs_refresh
irsafs_core_refresh(struct irsafs_core *core, int64_t now_ms, struct timespec real);
/* A flight that began after it has landed, and every look that starts from now on sees what it brought. */
bool irsafs_core_refreshed(const struct irsafs_core *core, struct irsafs_refresh *refresh);

/* The reader of a parked request was interrupted: the caller answers EINTR itself. */
void irsafs_core_interrupt(struct irsafs_core *core, irsafs_waiter_id waiter);
void irsafs_core_forget(struct irsafs_core *core, uint64_t ino, uint64_t n);

/* ---- fetching */

/* What a flight brought. Strings are printable ASCII. */
struct irsafs_landing {
    struct irsafs_error error; /* code IRSAFS_OK: text is good */
    const char *text;          /* the caller's, copied by the core; NULL on failure */
    size_t text_len;           /* at most IRSAFS_TEXT_MAX */
    uint32_t profiles;
    int64_t retry_after_ms; /* as the service asked; -1: it did not */
    bool connect_refused;
    char identity[65]; /* of user and run; "" unknown. Another one than that of the last-good
                                text drops that text */
};

/* The client of flight `number` has ended. */
void irsafs_core_landed(struct irsafs_core *core,
                        uint64_t number,
                        const struct irsafs_landing *landing,
                        int64_t now_ms,
                        struct timespec real);

/* The number of the flight that is running, or 0. */
uint64_t irsafs_core_flight(const struct irsafs_core *core);

/* The kernel has been told about every change up to `told`. */
void irsafs_core_told(struct irsafs_core *core, uint64_t told);

/* The time asked for by next_tick_ms has come (earlier and later calls do no harm). */
void irsafs_core_tick(struct irsafs_core *core, int64_t now_ms, struct timespec real);

/* The end is near: whoever waits gets the text of the moment, no flight begins any more. */
void irsafs_core_stop(struct irsafs_core *core, int64_t now_ms, struct timespec real);

/* ---- effects */

struct irsafs_effects {
    uint64_t start_flight; /* number of a flight to begin now, or 0; told once, and again after a
                              take-over as long as it has not landed */
    uint64_t tell;         /* the kernel's name `config` must be dropped until told reaches this */
    int64_t next_tick_ms;  /* INT64_MAX: never */
};
/* Also begins the flight that is due, which is why it wants the time. */
struct irsafs_effects
irsafs_core_effects(struct irsafs_core *core, int64_t now_ms, struct timespec real);

/* The next request to be answered, in the order in which they came; false when there is none. The same
 * again until _answered says that it has its answer: an answer may be given twice, never lost. */
bool irsafs_core_next_answer(const struct irsafs_core *core, struct irsafs_request *ret_request);
void irsafs_core_answered(struct irsafs_core *core);

/* ---- for `status` */

enum irsafs_state {
    IRSAFS_STATE_EMPTY,   /* nobody has asked yet */
    IRSAFS_STATE_PENDING, /* the next look gets a text that is not there yet */
    IRSAFS_STATE_FRESH,
    IRSAFS_STATE_AGING, /* older than 0.8 TTL: the next access renews it in the background */
    IRSAFS_STATE_STALE, /* last-good text with comment lines on top */
    IRSAFS_STATE_NONE,  /* comment lines only */
};
/* "empty", "pending", ... Static string. */
const char *irsafs_state_name(enum irsafs_state state);

struct irsafs_view {
    enum irsafs_state state;
    uint64_t generation; /* number of the current or the last one; 0: none yet */
    uint64_t bytes;      /* of the current one */
    bool have_text;      /* the next fields are known */
    uint32_t profiles;
    uint64_t n_texts; /* grows when a flight brings another text than the one before */
    int64_t age_ms;
    int64_t fetched_s;                /* unix time */
    int64_t ttl_ms;                   /* with its jitter */
    int64_t next_change_ms;           /* until the state changes by itself; -1: it does not */
    const struct irsafs_error *error; /* why the last flight failed or what is missing; or NULL */
    int64_t error_since_s;
    int64_t next_try_ms; /* from now; -1: only when somebody looks or touches */
    bool in_flight;
    uint64_t flights, failed;
    int64_t last_flight_ms; /* duration; -1 none yet */
    uint32_t waiters;
    struct irsafs_files_usage usage;
    struct irsafs_counts counts;
};
struct irsafs_view irsafs_core_view(const struct irsafs_core *core, int64_t now_ms);

/* What the last fetch has left, in a few loads: a view counts all inodes, which is too much for each event. */
struct irsafs_last_good {
    bool have_text;
    struct irsafs_str text; /* without comment lines; good until the next event */
    int64_t fetched_s;      /* when, real time */
    uint64_t n_texts;       /* good ones since the start */
    bool fetched;           /* a fetch has ended, well or not */
    enum irsafs_code error; /* of the failure that lasts, or IRSAFS_OK */
};
struct irsafs_last_good irsafs_core_last_good(const struct irsafs_core *core);

#endif
