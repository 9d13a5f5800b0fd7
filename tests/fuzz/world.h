/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_FUZZ_WORLD_H
#define IRSAFS_TESTS_FUZZ_WORLD_H

#include "fs/shared/block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What surrounds the state machine: a clock that stops at every tick that was asked for, a client
 * that brings what it is told to, a notifier that is done when it is told to be, and a record of what
 * readers were promised. fuzz_core puts events in, fuzz_session requests of a kernel. The rules that
 * hold for both are asserted here. */

enum {
    FUZZ_INODES_MAX = 512,
    FUZZ_PARKED_MAX = 96,
    FUZZ_TEXTS = 6,
    FUZZ_CONTENT_MAX = 4096,
};

/* An inode that a LOOKUP of ours has seen. */
struct fuzz_inode {
    uint64_t ino;
    enum irsafs_kind kind;
    uint64_t n_lookups;     /* what we owe */
    uint64_t needed_flight; /* no look may show a text of an older flight without a comment */
    bool known;             /* the rest is: it never changes any more */
    uint64_t generation;
    struct timespec mtime;
    size_t size;
    char content[FUZZ_CONTENT_MAX];
};

/* A request without answer. */
struct fuzz_parked {
    uint64_t id; /* 0: free */
    enum irsafs_request_kind kind;
    uint64_t ino;
    int64_t since_ms;
    uint64_t needed_flight; /* a touch: the flight that must have begun after it */
    irsafs_waiter_id waiter;
};

struct fuzz_text {
    char bytes[1024];
    size_t size;
    uint64_t flight; /* the last one that brought it; 0: none */
    int64_t landed_ms;
};

struct fuzz_world {
    struct irsafs_core_settings settings;
    struct irsafs_block *block;
    struct irsafs_core *core;
    int64_t now_ms, next_tick_ms;
    int64_t ttl_ms;  /* with its jitter */
    uint64_t flight; /* begun and not landed, or 0 */
    uint64_t n_flights, tell, told;
    unsigned n_settles;
    bool stopped;
    bool taken_over;            /* since the effects were asked for */
    bool fail_at_once;          /* the next flight cannot be started */
    void (*answer)(void *user); /* takes the answers of the core */
    void *user;

    struct fuzz_text texts[FUZZ_TEXTS];
    uint64_t needed_flight;       /* of a LOOKUP that begins now */
    uint64_t dropped_flight;      /* texts of older flights... */
    uint64_t dropped_generation;  /* ...are not in generations after this one */
    char identity;                /* of the last text; 0: none */
    int64_t no_run_since_ms;      /* begin of an unbroken row of 404; -1 */
    int64_t patience_until_ms;    /* as the service asked, clamped */
    int64_t failed_ms;            /* the last flight failed then; -1: it did not */
    int64_t good_ms;              /* the last good one landed; -1: none */
    bool failed_refused, touched; /* touched: since the last flight began */
    struct fuzz_inode inodes[FUZZ_INODES_MAX];
    size_t n_inodes;
    struct fuzz_parked parked[FUZZ_PARKED_MAX];
    uint64_t last_id;
    /* At most so many requests wait that nobody waits for: interrupted before they came (no kernel
     * does that, but libfuse allows it) and refused by a worker that died before it let go of them;
     * the next one does not know of the interrupt. */
    unsigned n_ghosts;
};

struct timespec fuzz_world_real(const struct fuzz_world *w);

/* One of a few settings. */
void fuzz_world_init(struct fuzz_world *w, unsigned variant);
/* Another worker goes on with the core, at another address. Then `told` is to be said. */
void fuzz_world_move(struct fuzz_world *w);

/* What the daemon does after each event; asserts single flight, patience, no busy loop, bounds. */
void fuzz_world_settle(struct fuzz_world *w);
/* Time goes by, tick after tick. */
void fuzz_world_pass(struct fuzz_world *w, int64_t ms);
int64_t fuzz_world_duration_ms(unsigned arg);

void fuzz_world_land_good(struct fuzz_world *w, unsigned arg);
void fuzz_world_land_bad(struct fuzz_world *w, unsigned arg);
void fuzz_world_told(struct fuzz_world *w, uint64_t told);
void fuzz_world_stop(struct fuzz_world *w);

/* A LOOKUP that began when needed_flight was `needed` was answered with ino. The caller keeps to
 * FUZZ_INODES_MAX. */
struct fuzz_inode *
fuzz_world_looked_up(struct fuzz_world *w, uint64_t ino, enum irsafs_kind kind, uint64_t needed);
/* The arg-th inode that a kernel still holds, counted from the newest; NULL when there is none: no
 * request comes for an inode that is forgotten. */
struct fuzz_inode *fuzz_world_inode(struct fuzz_world *w, unsigned arg);
/* A look was answered: the content is what it was before and follows all the rules. */
void fuzz_world_see(struct fuzz_world *w, struct fuzz_inode *inode);

/* A request goes in; NULL when there are too many. */
struct fuzz_parked *
fuzz_world_ask(struct fuzz_world *w, enum irsafs_request_kind kind, uint64_t ino);
/* It has its answer: asserts that it waited for one. ok: not interrupted, not refused. */
void fuzz_world_answered(struct fuzz_world *w, uint64_t id, bool ok);
struct fuzz_parked *fuzz_world_find(struct fuzz_world *w, uint64_t id);
/* A kernel does not forget an inode while a request for it is under way. */
bool fuzz_world_in_use(const struct fuzz_world *w, uint64_t ino);

#endif
