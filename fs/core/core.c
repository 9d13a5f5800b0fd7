/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/core.h"

#include "fs/core/backoff.h"
#include "fs/core/notice.h"

#include <stdlib.h>
#include <string.h>

#define NEVER INT64_MAX

enum {
    ATTR_SETTLE_MS = 20,    /* see file_entry */
    TOUCH_SETTLE_MS = 5,    /* see due_ms */
    STATUS_REUSE_MS = 100,  /* cp(1) compares the inode of its stat with that of its open */
    PENDING_ENTRY_MS = 500, /* see pending_entry */
    SUPERSEDED_ATTR_MS = 60 * 1000,
    FLIGHT_GRACE_MS = 1000, /* between the deadline of a client and the news of its end */
    NO_RUN_GRACE_MS = 60 * 1000,
    START_MS = 30 * 1000, /* so long after our start a refused connection is a late container */
    START_RETRY_MS = 500,
    JITTER_TTL_MIN_MS = 60 * 1000, /* a shorter TTL is a test or a person's: taken exactly */
};

struct good {
    struct irsafs_text *body; /* NULL: there is no last-good text */
    uint32_t profiles;
    uint64_t epoch;
    int64_t landed_ms, landed_s;
    char identity[65];
};

struct failure {
    bool active; /* the last flight failed */
    struct irsafs_error error;
    int64_t since_s;
    uint32_t in_a_row;
    int64_t next_try_ms;
    int64_t first_no_run_ms; /* begin of an unbroken row of 404; -1: none */
};

struct flight {
    bool running;
    uint64_t number, epoch;
    int64_t start_ms, start_s;
};

struct irsafs_core {
    struct irsafs_core_settings settings; /* ttl_ms with its jitter */
    struct irsafs_files *files;
    int64_t born_ms;
    uint32_t random;

    struct good good;
    struct failure failure;
    struct flight flight;         /* the running one, or the last one */
    int64_t retry_after_until_ms; /* 0: the service did not ask for patience */

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

    uint64_t tell, told;            /* notifications: wanted, done */
    uint64_t announced;             /* the flight number that was told to the caller */
    struct irsafs_generation *last; /* the newest of config... */
    uint64_t last_number;           /* ...while its number is still this */
    bool stopping;

    uint64_t changes; /* counts state changes: a `status` of before one is not used again */
    uint64_t status_changes;
    int64_t status_ms;
    uint64_t n_failed;
    int64_t last_flight_ms;
    struct irsafs_waiters waiters;
};

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static uint32_t next_random(struct irsafs_core *c)
{
    c->random = c->random * 1664525u + 1013904223u; /* Numerical Recipes LCG: jitter, not secrets */
    return c->random >> 8;
}

static struct irsafs_inode *current(const struct irsafs_core *c)
{
    return irsafs_files_current(c->files, IRSAFS_KIND_CONFIG);
}

static bool is_pending(const struct irsafs_inode *inode)
{
    return inode->state == IRSAFS_INODE_PENDING;
}

/* ---- the text of the moment */

struct content {
    char head[IRSAFS_NOTICE_MAX];
    size_t head_len;
    struct irsafs_text *body; /* not counted */
};

/* What a reader who wants epoch `epoch` would see now. */
static void
content_now(const struct irsafs_core *c, uint64_t epoch, int64_t now_ms, struct content *ret)
{
    const struct good *good = &c->good;
    bool expired = now_ms >= good->landed_ms + c->settings.ttl_ms;
    ret->body = good->body;
    ret->head_len = 0;
    if (good->body != NULL && !expired && good->epoch >= epoch) {
        return;
    }
    struct irsafs_error no_answer;
    (void)irsafs_error_set(&no_answer, IRSAFS_E_NO_ANSWER_YET,
                           "the mapping service has not answered yet");
    /* A failure that is older than the touch says nothing about it. */
    bool failed = c->failure.active && c->landed >= epoch;
    bool touched = good->body != NULL && good->epoch < epoch;
    int64_t since_s = failed ? c->failure.since_s : touched ? c->touched_s : c->unserved_since_s;
    struct irsafs_notice notice = {
        .have_text = good->body != NULL,
        .mountpoint = c->settings.mountpoint,
        .since_s = since_s,
        .fetched_s = good->landed_s,
        .reason = c->failure.active ? &c->failure.error : &no_answer,
    };
    ret->head_len = irsafs_notice_render(&notice, ret->head);
}

static bool shows(const struct irsafs_generation *g, const struct content *content)
{
    size_t head_len = g->head != NULL ? g->head->size : 0;
    return g->body == content->body && head_len == content->head_len &&
           (head_len == 0 || memcmp(g->head->bytes, content->head, head_len) == 0);
}

static bool shows_fresh_text(const struct irsafs_core *c, const struct irsafs_inode *inode)
{
    return inode->state == IRSAFS_INODE_READY && inode->generation->head == NULL &&
           inode->generation->body != NULL && inode->generation->body == c->good.body;
}

/* What is shown when there is no memory for the comment lines. Never freed: the count starts at 1. */
static struct irsafs_text *out_of_memory_text(void)
{
    static const char line[] = "# irsafs: out of memory (IRSAFS-E001). See the log of irsafs.\n";
    static union {
        struct irsafs_text text;
        char storage[sizeof(struct irsafs_text) + sizeof(line)];
    } store = {.text = {.refs = 1, .size = sizeof(line) - 1}};
    memcpy(store.text.bytes, line, sizeof(line) - 1);
    return irsafs_text_ref(&store.text);
}

/* The generation with this content: the newest one if it shows the same (its mtime stays: programs
 * that watch it do not reload for nothing), otherwise a new one. */
static struct irsafs_generation *generation_of(struct irsafs_core *c,
                                               const struct content *content,
                                               int64_t now_ms,
                                               struct timespec real)
{
    bool alive = c->last != NULL && c->last->number == c->last_number;
    if (alive && shows(c->last, content)) {
        return c->last;
    }
    struct irsafs_text *head = NULL;
    if (content->head_len > 0) {
        head = irsafs_text_new(content->head_len);
        if (head != NULL) {
            memcpy(head->bytes, content->head, content->head_len);
        } else {
            head = out_of_memory_text();
        }
    }
    struct irsafs_text *body = content->body != NULL ? irsafs_text_ref(content->body) : NULL;
    c->last = irsafs_files_generation(c->files, IRSAFS_KIND_CONFIG, head, body, real, now_ms);
    c->last_number = c->last->number;
    return c->last;
}

/* Takes those off the parked requests whose inode is not pending any more. */
static void answer_lookers(struct irsafs_core *c)
{
    struct irsafs_waiter *next;
    for (struct irsafs_waiter *w = c->waiters.parked.first; w != NULL; w = next) {
        next = w->next;
        if (w->told != 0) {
            continue;
        }
        const struct irsafs_inode *inode = irsafs_files_find(c->files, w->request.ino);
        if (inode == NULL || !is_pending(inode)) {
            irsafs_waiters_answer(&c->waiters, w);
        }
    }
}

/* The name `config` gets a new pending inode. tell: the kernel may know the old one. */
static void make_pending(struct irsafs_core *c, bool tell)
{
    (void)irsafs_files_make_current(c->files, IRSAFS_KIND_CONFIG, c->epoch);
    c->tell += tell ? 1 : 0;
    c->changes++;
}

/* Readers up to this epoch wait no longer: they get the text of the moment. So does the name, unless
 * it promises a newer epoch. */
static void publish(struct irsafs_core *c, uint64_t up_to, int64_t now_ms, struct timespec real)
{
    struct irsafs_inode *cur = current(c);
    bool promised = is_pending(cur) && cur->epoch > up_to;
    struct content content;
    content_now(c, promised ? up_to : c->epoch, now_ms, &content);
    if (promised && !irsafs_files_any_pending(c->files, up_to)) {
        return;
    }
    struct irsafs_generation *g = generation_of(c, &content, now_ms, real);
    irsafs_files_ready_up_to(c->files, up_to, g);
    if (!promised && cur->generation != g) {
        cur = irsafs_files_make_current(c->files, IRSAFS_KIND_CONFIG, c->epoch);
        irsafs_files_ready(cur, g);
        c->tell++;
    }
    c->changes++;
    answer_lookers(c);
}

static void drop_good(struct irsafs_core *c, struct timespec real)
{
    c->good.body = irsafs_text_unref(c->good.body);
    c->unserved_since_s = real.tv_sec;
    c->changes++;
}

/* ---- what happens by itself as time goes by */

static int64_t good_end_ms(const struct irsafs_core *c)
{
    int64_t end = c->good.landed_ms + c->settings.max_stale_ms;
    if (c->failure.first_no_run_ms >= 0) {
        end = min(end, c->failure.first_no_run_ms + NO_RUN_GRACE_MS);
    }
    return end;
}

static void update(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    if (c->good.body != NULL && now_ms >= good_end_ms(c)) {
        drop_good(c, real);
    }
    struct irsafs_inode *cur = current(c);
    if (shows_fresh_text(c, cur) && now_ms >= c->good.landed_ms + c->settings.ttl_ms) {
        c->unserved_since_s = real.tv_sec;
        if (!c->failure.active && !c->stopping) {
            if (!c->flight.running) {
                c->next_deadline_ms = 0;
            }
            make_pending(c, true);
        }
    }
    cur = current(c);
    if (!is_pending(cur)) {
        struct content content;
        content_now(c, c->epoch, now_ms, &content);
        if (cur->generation == NULL || !shows(cur->generation, &content)) {
            publish(c, c->epoch, now_ms, real);
        }
    }
    if (c->flight.running && c->flight_deadline_ms != 0 && now_ms >= c->flight_deadline_ms) {
        publish(c, c->flight.epoch, now_ms, real);
    }
    if (c->next_deadline_ms != 0 && now_ms >= c->next_deadline_ms && is_pending(current(c))) {
        publish(c, c->epoch, now_ms, real);
    }
}

/* When the next flight shall begin. */
static int64_t due_ms(const struct irsafs_core *c)
{
    if (c->flight.running || c->stopping) {
        return NEVER;
    }
    int64_t due = NEVER;
    if (c->touched) {
        int64_t earliest = c->retry_after_until_ms;
        if (c->flight.number > 0) {
            earliest = max(earliest, c->flight.start_ms + c->settings.min_refresh_ms);
        }
        /* `echo > refresh` is a truncation and a write: one fetch serves both, unless somebody
         * already waits for it. */
        bool waited_for = c->next_deadline_ms != 0 && c->waiters.n_lookers > 0;
        due = max(earliest, waited_for ? 0 : c->touched_ms + TOUCH_SETTLE_MS);
    }
    if (c->asked) {
        due = min(due, max(c->asked_ms, c->retry_after_until_ms));
    }
    return due;
}

static void ask(struct irsafs_core *c, int64_t at_ms)
{
    if (!c->asked) {
        c->asked = true;
        c->asked_ms = at_ms;
    }
}

static void begin_flight(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    c->flight = (struct flight){
        .running = true,
        .number = c->flight.number + 1,
        .epoch = c->epoch,
        .start_ms = now_ms,
        .start_s = real.tv_sec,
    };
    c->begun = c->epoch;
    c->touched = false;
    c->asked = false;
    c->flight_deadline_ms = c->next_deadline_ms;
    c->next_deadline_ms = 0;
    c->changes++;
}

struct irsafs_effects
irsafs_core_effects(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
    if (due_ms(c) <= now_ms) {
        begin_flight(c, now_ms, real);
    }
    struct irsafs_effects e = {.tell = c->tell, .next_tick_ms = due_ms(c)};
    if (c->flight.running && c->announced != c->flight.number) {
        e.start_flight = c->flight.number;
        c->announced = c->flight.number;
    }
    const int64_t times[] = {
        c->flight.running ? c->flight_deadline_ms : 0,
        c->next_deadline_ms,
        shows_fresh_text(c, current(c)) ? c->good.landed_ms + c->settings.ttl_ms : 0,
        c->good.body != NULL ? good_end_ms(c) : 0,
    };
    for (size_t i = 0; i < IRSAFS_COUNT(times); i++) {
        if (times[i] > now_ms) {
            e.next_tick_ms = min(e.next_tick_ms, times[i]);
        }
    }
    return e;
}

bool irsafs_core_next_answer(struct irsafs_core *c, struct irsafs_request *ret_request)
{
    return irsafs_waiters_pop(&c->waiters, ret_request);
}

void irsafs_core_tick(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
}

/* ---- looking */

static int64_t aging_ms(const struct irsafs_core *c)
{
    return c->good.landed_ms + c->settings.ttl_ms / 5 * 4;
}

/* When the kernel must ask again for the name of a READY inode: at the next change of state that
 * needs a LOOKUP. What needs none (the end of the TTL, a landing) tells the kernel itself. */
static int64_t next_change_ms(const struct irsafs_core *c, int64_t now_ms)
{
    bool coming = c->flight.running || c->asked;
    if (shows_fresh_text(c, current(c))) {
        int64_t end = c->good.landed_ms + c->settings.ttl_ms;
        if (now_ms < aging_ms(c)) {
            return aging_ms(c);
        }
        return coming || !c->failure.active ? end : min(end, c->failure.next_try_ms);
    }
    if (coming) {
        return (c->flight.running ? c->flight.start_ms : now_ms) + c->settings.fetch_timeout_ms +
               FLIGHT_GRACE_MS;
    }
    return c->failure.active ? c->failure.next_try_ms : due_ms(c) != NEVER ? due_ms(c) : now_ms;
}

static struct irsafs_entry
file_entry(const struct irsafs_core *c, const struct irsafs_inode *inode, int64_t now_ms)
{
    const struct irsafs_generation *g = inode->generation;
    struct irsafs_entry e = {
        .ino = inode->ino,
        .kind = inode->kind,
        .size = irsafs_generation_size(g),
        .mtime = g->mtime,
        .attr_timeout_ms = SUPERSEDED_ATTR_MS,
    };
    if (inode->kind == IRSAFS_KIND_CONFIG && inode->current) {
        e.entry_timeout_ms = max(0, next_change_ms(c, now_ms) - now_ms);
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
static struct irsafs_entry
pending_entry(const struct irsafs_core *c, const struct irsafs_inode *inode, struct timespec real)
{
    return (struct irsafs_entry){
        .ino = inode->ino,
        .mtime = real,
        .entry_timeout_ms = min(PENDING_ENTRY_MS, c->settings.ttl_ms / 5 * 4),
    };
}

/* A LOOKUP of a READY name is an access: it may start a fetch in the background, or, when there is
 * nothing to show and the time for the next try has come, make the name pending. */
static void access_ready(struct irsafs_core *c, int64_t now_ms)
{
    if (c->flight.running || c->stopping) {
        return;
    }
    bool may_try = !c->failure.active || now_ms >= c->failure.next_try_ms;
    if (shows_fresh_text(c, current(c))) {
        if (now_ms >= aging_ms(c) && may_try) {
            ask(c, now_ms);
        }
    } else if (c->failure.active && may_try) {
        if (c->good.body != NULL) {
            ask(c, now_ms);
        } else {
            c->next_deadline_ms = 0;
            make_pending(c, false); /* the kernel is asking: it has no name to drop */
        }
    }
}

struct irsafs_entry
irsafs_core_lookup_config(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
    if (!is_pending(current(c))) {
        access_ready(c, now_ms);
    }
    struct irsafs_inode *cur = current(c);
    if (is_pending(cur) && cur->handed_out) {
        /* Handed out by one LOOKUP only. A second reply with its size 0 would raise the kernel's
         * attribute version, and the answer to a GETATTR that was parked before would be ignored:
         * an empty file. */
        make_pending(c, false);
        cur = current(c);
    }
    irsafs_files_lookup(cur);
    return is_pending(cur) ? pending_entry(c, cur, real) : file_entry(c, cur, now_ms);
}

/* How long readers wait when no touch has set a deadline. */
static int64_t bound_ms(const struct irsafs_core *c)
{
    bool first = c->good.body == NULL && c->last_number == 0;
    return first ? c->settings.wait_ms : c->settings.stale_wait_ms;
}

enum irsafs_look irsafs_core_look(struct irsafs_core *c,
                                  const struct irsafs_request *request,
                                  int64_t now_ms,
                                  struct timespec real,
                                  struct irsafs_waiter **ret_waiter)
{
    update(c, now_ms, real);
    const struct irsafs_inode *inode = irsafs_files_find(c->files, request->ino);
    if (inode == NULL || inode->state == IRSAFS_INODE_EVICTED) {
        return IRSAFS_LOOK_GONE;
    }
    if (!is_pending(inode)) {
        return IRSAFS_LOOK_READY;
    }
    bool covered = c->flight.running && c->flight.epoch >= inode->epoch;
    int64_t *deadline_ms = covered ? &c->flight_deadline_ms : &c->next_deadline_ms;
    if (*deadline_ms == 0) {
        *deadline_ms = (covered ? c->flight.start_ms : now_ms) + bound_ms(c);
    }
    if (!covered && !c->touched && !c->flight.running) {
        ask(c, now_ms);
    }
    bool pointless = !covered && !c->flight.running && due_ms(c) >= *deadline_ms;
    if (c->stopping || now_ms >= *deadline_ms || pointless) {
        publish(c, covered ? c->flight.epoch : c->epoch, now_ms, real);
        return IRSAFS_LOOK_READY;
    }
    struct irsafs_waiter *w = irsafs_waiters_park(&c->waiters, request, 0);
    if (w == NULL) {
        return IRSAFS_LOOK_FULL;
    }
    *ret_waiter = w;
    return IRSAFS_LOOK_PARKED;
}

const struct irsafs_generation *irsafs_core_file(const struct irsafs_core *c,
                                                 uint64_t ino,
                                                 int64_t now_ms,
                                                 struct irsafs_entry *ret_entry)
{
    const struct irsafs_inode *inode = irsafs_files_find(c->files, ino);
    if (inode == NULL || inode->state != IRSAFS_INODE_READY) {
        return NULL;
    }
    *ret_entry = file_entry(c, inode, now_ms);
    return inode->generation;
}

void irsafs_core_interrupt(struct irsafs_core *c, struct irsafs_waiter *waiter)
{
    irsafs_waiters_remove(&c->waiters, waiter);
}

void irsafs_core_forget(struct irsafs_core *c, uint64_t ino, uint64_t n)
{
    irsafs_files_forget(c->files, ino, n);
}

/* ---- touching */

/* After this no look that starts later may be answered with a text whose flight began before. */
static void open_epoch(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    struct irsafs_inode *cur = current(c);
    bool begun = c->begun >= c->epoch;
    if (begun) {
        c->epoch++;
        c->touched_s = real.tv_sec;
    }
    if (begun || !is_pending(cur) || c->next_deadline_ms == 0) {
        c->next_deadline_ms = now_ms + c->settings.wait_ms;
    }
    if (!c->touched) {
        c->touched = true;
        c->touched_ms = now_ms;
    }
    if (!c->flight.running && due_ms(c) >= c->next_deadline_ms) {
        publish(c, c->epoch, now_ms,
                real); /* the service asked for more patience than readers have */
    } else if (begun || !is_pending(cur)) {
        make_pending(c, true);
    }
    c->changes++;
}

enum irsafs_look irsafs_core_touch(struct irsafs_core *c,
                                   const struct irsafs_request *request,
                                   int64_t now_ms,
                                   struct timespec real,
                                   struct irsafs_waiter **ret_waiter)
{
    update(c, now_ms, real);
    if (c->stopping) {
        return IRSAFS_LOOK_READY;
    }
    open_epoch(c, now_ms, real);
    if (c->told >= c->tell) {
        return IRSAFS_LOOK_READY;
    }
    struct irsafs_waiter *w = irsafs_waiters_park(&c->waiters, request, c->tell);
    if (w == NULL) {
        return IRSAFS_LOOK_FULL;
    }
    *ret_waiter = w;
    return IRSAFS_LOOK_PARKED;
}

void irsafs_core_told(struct irsafs_core *c, uint64_t told)
{
    c->told = told > c->told ? told : c->told;
    struct irsafs_waiter *next;
    for (struct irsafs_waiter *w = c->waiters.parked.first; w != NULL; w = next) {
        next = w->next;
        if (w->told != 0 && w->told <= c->told) {
            irsafs_waiters_answer(&c->waiters, w);
        }
    }
}

/* ---- fetching */

static void land_good(struct irsafs_core *c,
                      const struct irsafs_landing *landing,
                      int64_t now_ms,
                      struct timespec real)
{
    struct irsafs_text *old = c->good.body;
    bool same = old != NULL && old->size == landing->text->size &&
                memcmp(old->bytes, landing->text->bytes, old->size) == 0;
    if (same) {
        (void)irsafs_text_unref(landing->text); /* the kept one is what generations point at */
    } else {
        c->good.body = landing->text;
        (void)irsafs_text_unref(old);
    }
    c->good.profiles = landing->profiles;
    c->good.epoch = c->flight.epoch;
    c->good.landed_ms = now_ms;
    c->good.landed_s = real.tv_sec;
    memcpy(c->good.identity, landing->identity, sizeof(c->good.identity));
    c->failure = (struct failure){.first_no_run_ms = -1};
    c->retry_after_until_ms = 0;
}

static void land_failure(struct irsafs_core *c,
                         const struct irsafs_landing *landing,
                         int64_t now_ms,
                         struct timespec real)
{
    struct failure *f = &c->failure;
    bool same = f->active && f->error.code == landing->error.code;
    f->since_s = same ? f->since_s : real.tv_sec;
    f->active = true;
    f->error = landing->error;
    f->in_a_row++;
    f->next_try_ms = now_ms + irsafs_backoff_ms(f->in_a_row, next_random(c));
    if (landing->retry_after_ms >= 0) {
        c->retry_after_until_ms = now_ms + irsafs_retry_after_clamp_ms(landing->retry_after_ms);
        f->next_try_ms = max(f->next_try_ms, c->retry_after_until_ms);
    }
    if (landing->error.code != IRSAFS_E_NO_RUN) {
        f->first_no_run_ms = -1;
    } else if (f->first_no_run_ms < 0) {
        f->first_no_run_ms = now_ms;
    }
    if (c->good.body != NULL && landing->error.code == IRSAFS_E_DENIED) {
        drop_good(c, real);
    }
    c->n_failed++;
}

/* Containers of a pod start in any order: in our first seconds a refused connection is tried again
 * inside the reader's wait (or the prefetch), until something was shown once. */
static bool
starts_late(const struct irsafs_core *c, const struct irsafs_landing *landing, int64_t now_ms)
{
    bool waited_for = c->flight_deadline_ms > now_ms + START_RETRY_MS || c->settings.prefetch;
    return landing->connect_refused && c->last_number == 0 && waited_for && !c->stopping &&
           now_ms < c->born_ms + START_MS;
}

void irsafs_core_landed(struct irsafs_core *c,
                        uint64_t number,
                        const struct irsafs_landing *landing,
                        int64_t now_ms,
                        struct timespec real)
{
    if (!c->flight.running || number != c->flight.number) {
        (void)irsafs_text_unref(landing->text);
        return;
    }
    c->flight.running = false;
    c->landed = c->flight.epoch;
    c->last_flight_ms = now_ms - c->flight.start_ms;
    c->changes++;
    if (c->good.body != NULL && landing->identity[0] != '\0' &&
        strcmp(landing->identity, c->good.identity) != 0) {
        drop_good(c, real); /* a text belongs to the user and run that it was fetched for */
    }
    if (landing->text != NULL) {
        land_good(c, landing, now_ms, real);
    } else {
        land_failure(c, landing, now_ms, real);
        if (starts_late(c, landing, now_ms)) {
            c->failure.in_a_row = 0;
            c->failure.next_try_ms = now_ms + START_RETRY_MS;
            ask(c, now_ms + START_RETRY_MS);
            if (c->next_deadline_ms == 0) {
                c->next_deadline_ms = c->flight_deadline_ms;
            }
            return;
        }
    }
    publish(c, c->flight.epoch, now_ms, real);
}

void irsafs_core_stop(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
    c->stopping = true;
    c->flight.running = false;
    if (is_pending(current(c))) {
        publish(c, c->epoch, now_ms, real);
    }
    irsafs_core_told(c, c->tell);
}

/* ---- status */

bool irsafs_core_lookup_status(struct irsafs_core *c,
                               int64_t now_ms,
                               struct irsafs_entry *ret_entry)
{
    struct irsafs_inode *cur = irsafs_files_current(c->files, IRSAFS_KIND_STATUS);
    if (cur == NULL || c->status_changes != c->changes ||
        now_ms >= c->status_ms + STATUS_REUSE_MS) {
        return false;
    }
    irsafs_files_lookup(cur);
    *ret_entry = file_entry(c, cur, now_ms);
    return true;
}

void irsafs_core_publish_status(struct irsafs_core *c,
                                struct irsafs_text *text,
                                int64_t now_ms,
                                struct timespec real)
{
    struct irsafs_inode *cur = irsafs_files_make_current(c->files, IRSAFS_KIND_STATUS, 0);
    irsafs_files_ready(
        cur, irsafs_files_generation(c->files, IRSAFS_KIND_STATUS, NULL, text, real, now_ms));
    c->status_changes = c->changes;
    c->status_ms = now_ms;
}

static enum irsafs_state state_now(const struct irsafs_core *c, int64_t now_ms)
{
    const struct irsafs_inode *cur = current(c);
    if (is_pending(cur)) {
        return c->flight.number == 0 && !c->touched && !c->asked ? IRSAFS_STATE_EMPTY
                                                                 : IRSAFS_STATE_PENDING;
    }
    if (shows_fresh_text(c, cur)) {
        return now_ms < aging_ms(c) ? IRSAFS_STATE_FRESH : IRSAFS_STATE_AGING;
    }
    return c->good.body != NULL ? IRSAFS_STATE_STALE : IRSAFS_STATE_NONE;
}

struct irsafs_view irsafs_core_view(const struct irsafs_core *c, int64_t now_ms)
{
    const struct irsafs_inode *cur = current(c);
    struct irsafs_view v = {
        .state = state_now(c, now_ms),
        .generation = c->last_number,
        .bytes = is_pending(cur) ? 0 : irsafs_generation_size(cur->generation),
        .have_text = c->good.body != NULL,
        .profiles = c->good.profiles,
        .age_ms = now_ms - c->good.landed_ms,
        .fetched_s = c->good.landed_s,
        .ttl_ms = c->settings.ttl_ms,
        .next_change_ms = -1,
        .error = c->failure.active ? &c->failure.error : NULL,
        .error_since_s = c->failure.since_s,
        .next_try_ms = -1,
        .in_flight = c->flight.running,
        .flights = c->flight.number,
        .failed = c->n_failed,
        .last_flight_ms = c->last_flight_ms,
        .waiters = c->waiters.n_parked,
        .usage = irsafs_files_usage(c->files),
    };
    if (!is_pending(cur)) {
        v.next_change_ms = max(0, next_change_ms(c, now_ms) - now_ms);
    }
    if (c->failure.active && !c->flight.running) {
        v.next_try_ms = max(0, min(due_ms(c), c->failure.next_try_ms) - now_ms);
    }
    return v;
}

/* ---- life */

struct irsafs_core *
irsafs_core_new(const struct irsafs_core_settings *settings, int64_t now_ms, struct timespec real)
{
    struct irsafs_core *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->settings = *settings;
    c->files = irsafs_files_new(settings->first_ino);
    if (c->files == NULL) {
        return irsafs_core_free(c);
    }
    c->random = settings->random_seed;
    if (settings->ttl_ms >= JITTER_TTL_MIN_MS) { /* pods shall not ask in step: +-10 % */
        int64_t tenth = settings->ttl_ms / 10;
        c->settings.ttl_ms += (int64_t)next_random(c) % (2 * tenth + 1) - tenth;
    }
    c->born_ms = now_ms;
    c->failure.first_no_run_ms = -1;
    c->last_flight_ms = -1;
    c->unserved_since_s = real.tv_sec;
    c->epoch = 1;
    make_pending(c, false);
    if (settings->prefetch) {
        ask(c, now_ms);
    }
    return c;
}

struct irsafs_core *irsafs_core_free(struct irsafs_core *c)
{
    if (c != NULL) {
        c->files = irsafs_files_free(c->files);
        c->good.body = irsafs_text_unref(c->good.body);
        free(c);
    }
    return NULL;
}
