/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/backoff.h"
#include "fs/core/state.h"

#include <stddef.h>
#include <string.h>

#define NEVER INT64_MAX

enum {
    STATUS_REUSE_MS = 100, /* cp(1) compares the inode of its stat with that of its open */
    START_MS = 30 * 1000,  /* so long after our start a refused connection is a late container */
    START_RETRY_MS = 500,
    TOKEN_RETRY_MAX_MS = 5 * 1000, /* the token endpoint is in our pod: nobody is hurt by a knock */
    JITTER_TTL_MIN_MS = 60 * 1000, /* a shorter TTL is a test or a person's: taken exactly */
    UNDO_KEPT = 64 << 10,          /* more of the log is given back after a large transaction */
};

static uint32_t next_random(struct irsafs_core *c)
{
    c->random = c->random * 1664525u + 1013904223u; /* Numerical Recipes LCG: jitter, not secrets */
    return c->random >> 8;
}

/* Before an event changes anything: the scalars are saved as a whole, entries of tables one by one. */
static void begin(struct irsafs_core *c)
{
    if (!irsafs_undo_is_open(&c->undo)) {
        irsafs_undo_save(&c->undo, &c->random,
                         offsetof(struct irsafs_core, tables) -
                             offsetof(struct irsafs_core, random));
    }
}

/* Takes those off the parked requests whose inode is not pending any more. */
static void answer_lookers(struct irsafs_core *c)
{
    irsafs_waiter_id next;
    for (irsafs_waiter_id id = c->waiters.parked.first; id != 0; id = next) {
        const struct irsafs_waiter *w = irsafs_waiters_at(c, id);
        next = w->next;
        if (w->told != 0) {
            continue;
        }
        const struct irsafs_inode *inode = irsafs_files_find(c, w->request.ino);
        if (inode == NULL || !irsafs_is_pending(inode)) {
            irsafs_waiters_answer(c, id);
        }
    }
}

/* The name `config` gets a new pending inode. tell: the kernel may know the old one. */
static void make_pending(struct irsafs_core *c, bool tell)
{
    (void)irsafs_files_make_current(c, IRSAFS_KIND_CONFIG, c->epoch);
    c->tell += tell ? 1 : 0;
    c->changes++;
}

/* Readers up to this epoch wait no longer: they get the text of the moment. So does the name, unless
 * it promises a newer epoch. */
static void publish(struct irsafs_core *c, uint64_t up_to, int64_t now_ms, struct timespec real)
{
    const struct irsafs_inode *cur = irsafs_current(c);
    bool promised = irsafs_is_pending(cur) && cur->epoch > up_to;
    struct irsafs_content content;
    irsafs_content_now(c, promised ? up_to : c->epoch, now_ms, &content);
    if (promised && !irsafs_files_any_pending(c, up_to)) {
        return;
    }
    irsafs_generation_id g = irsafs_content_generation(c, &content, now_ms, real);
    irsafs_files_ready_up_to(c, up_to, g);
    if (!promised && cur->generation != g) {
        irsafs_files_ready(c, irsafs_files_make_current(c, IRSAFS_KIND_CONFIG, c->epoch), g);
        c->tell++;
    }
    c->changes++;
    answer_lookers(c);
}

static void drop_good(struct irsafs_core *c, struct timespec real)
{
    irsafs_files_unref(c, c->good.body);
    c->good.body = 0;
    c->unserved_since_s = real.tv_sec;
    c->changes++;
}

/* ---- what happens by itself as time goes by */

static void update(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    begin(c);
    const struct irsafs_inode *cur = irsafs_current(c);
    if (irsafs_shows_fresh_text(c, cur) && now_ms >= irsafs_expiry_ms(c)) {
        c->unserved_since_s = real.tv_sec;
        if (!c->failure.active && !c->stopping) {
            if (!c->flight.running) {
                c->next_deadline_ms = 0;
            }
            make_pending(c, true);
        }
    }
    /* After that: what ends with its TTL makes way for a pending inode, not for a notice. */
    if (c->good.body != 0 && now_ms >= irsafs_good_end_ms(c)) {
        drop_good(c, real);
    }
    cur = irsafs_current(c);
    if (!irsafs_is_pending(cur)) {
        struct irsafs_content content;
        irsafs_content_now(c, c->epoch, now_ms, &content);
        if (cur->generation == 0 || !irsafs_content_is_shown(c, &content, cur->generation)) {
            publish(c, c->epoch, now_ms, real);
        }
    }
    if (c->flight.running && c->flight_deadline_ms != 0 && now_ms >= c->flight_deadline_ms) {
        publish(c, c->flight.epoch, now_ms, real);
    }
    if (c->next_deadline_ms != 0 && now_ms >= c->next_deadline_ms &&
        irsafs_is_pending(irsafs_current(c))) {
        publish(c, c->epoch, now_ms, real);
    }
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
    c->flight = (struct irsafs_current_flight){
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
    if (irsafs_due_ms(c) <= now_ms) {
        begin_flight(c, now_ms, real);
    }
    struct irsafs_effects e = {.tell = c->tell, .next_tick_ms = irsafs_due_ms(c)};
    if (c->flight.running && c->announced != c->flight.number) {
        e.start_flight = c->flight.number;
        c->announced = c->flight.number;
    }
    const int64_t times[] = {
        c->flight.running ? c->flight_deadline_ms : 0,
        c->next_deadline_ms,
        irsafs_shows_fresh_text(c, irsafs_current(c)) ? irsafs_expiry_ms(c) : 0,
        c->good.body != 0 ? irsafs_good_end_ms(c) : 0,
    };
    for (size_t i = 0; i < IRSAFS_COUNT(times); i++) {
        if (times[i] > now_ms) {
            e.next_tick_ms = irsafs_min_ms(e.next_tick_ms, times[i]);
        }
    }
    return e;
}

bool irsafs_core_next_answer(const struct irsafs_core *c, struct irsafs_request *ret_request)
{
    const struct irsafs_waiter *w = irsafs_waiters_at(c, c->waiters.answer.first);
    if (w == NULL) {
        return false;
    }
    *ret_request = w->request;
    return true;
}

void irsafs_core_answered(struct irsafs_core *c)
{
    begin(c);
    irsafs_waiters_remove(c, c->waiters.answer.first);
}

void irsafs_core_tick(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
}

/* ---- looking */

/* A LOOKUP of a READY name is an access: it may start a fetch in the background, or, when there is
 * nothing to show and the time for the next try has come, make the name pending. */
static void access_ready(struct irsafs_core *c, int64_t now_ms)
{
    if (c->flight.running || c->stopping) {
        return;
    }
    bool may_try = !c->failure.active || now_ms >= c->failure.next_try_ms;
    if (irsafs_shows_fresh_text(c, irsafs_current(c))) {
        if (now_ms >= irsafs_aging_ms(c) && may_try) {
            ask(c, now_ms);
        }
    } else if (c->failure.active && may_try) {
        if (c->good.body != 0) {
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
    if (!irsafs_is_pending(irsafs_current(c))) {
        access_ready(c, now_ms);
    }
    const struct irsafs_inode *cur = irsafs_current(c);
    if (irsafs_is_pending(cur) && cur->handed_out) {
        /* Handed out by one LOOKUP only. A second reply with its size 0 would raise the kernel's
         * attribute version, and the answer to a GETATTR that was parked before would be ignored:
         * an empty file. */
        make_pending(c, false);
        cur = irsafs_current(c);
    }
    irsafs_files_lookup(c, &c->tables.inodes[c->files.current[IRSAFS_KIND_CONFIG] - 1]);
    return irsafs_is_pending(cur) ? irsafs_pending_entry(c, cur, real)
                                  : irsafs_file_entry(c, cur, now_ms);
}

enum irsafs_look irsafs_core_look(struct irsafs_core *c,
                                  const struct irsafs_request *request,
                                  int64_t now_ms,
                                  struct timespec real,
                                  irsafs_waiter_id *ret_waiter)
{
    update(c, now_ms, real);
    const struct irsafs_inode *inode = irsafs_files_find(c, request->ino);
    if (inode == NULL || inode->state == IRSAFS_INODE_EVICTED) {
        return IRSAFS_LOOK_GONE;
    }
    if (!irsafs_is_pending(inode)) {
        return IRSAFS_LOOK_READY;
    }
    bool covered = c->flight.running && c->flight.epoch >= inode->epoch;
    int64_t *deadline_ms = covered ? &c->flight_deadline_ms : &c->next_deadline_ms;
    if (*deadline_ms == 0) {
        *deadline_ms = (covered ? c->flight.start_ms : now_ms) + irsafs_bound_ms(c);
    }
    if (!covered && !c->touched && !c->flight.running) {
        ask(c, now_ms);
    }
    bool pointless = !covered && !c->flight.running && irsafs_due_ms(c) >= *deadline_ms;
    if (c->stopping || now_ms >= *deadline_ms || pointless) {
        publish(c, covered ? c->flight.epoch : c->epoch, now_ms, real);
        return IRSAFS_LOOK_READY;
    }
    *ret_waiter = irsafs_waiters_park(c, request, 0);
    return *ret_waiter != 0 ? IRSAFS_LOOK_PARKED : IRSAFS_LOOK_FULL;
}

void irsafs_core_interrupt(struct irsafs_core *c, irsafs_waiter_id waiter)
{
    begin(c);
    c->counts.interrupts++;
    irsafs_waiters_remove(c, waiter);
}

void irsafs_core_forget(struct irsafs_core *c, uint64_t ino, uint64_t n)
{
    begin(c);
    irsafs_files_forget(c, ino, n);
}

/* ---- touching */

/* After this no look that starts later may be answered with a text whose flight began before. */
static enum irsafs_refresh_outcome
open_epoch(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    const struct irsafs_inode *cur = irsafs_current(c);
    bool begun = c->begun >= c->epoch;
    bool joins = !begun && (c->touched || c->asked);
    if (begun) {
        c->epoch++;
        c->touched_s = real.tv_sec;
    }
    /* Readers that wait for a late service (starts_late) were promised their time before. */
    bool promised = !c->flight.running && c->last_number == 0 && c->next_deadline_ms > now_ms;
    if (!promised && (begun || !irsafs_is_pending(cur) || c->next_deadline_ms == 0)) {
        c->next_deadline_ms = now_ms + c->settings.wait_ms;
    }
    if (!c->touched) {
        c->touched = true;
        c->touched_ms = now_ms;
    }
    enum irsafs_refresh_outcome outcome =
        joins ? IRSAFS_REFRESH_JOINED : irsafs_touch_outcome(c, now_ms);
    if (!c->flight.running && irsafs_due_ms(c) >= c->next_deadline_ms) {
        outcome = IRSAFS_REFRESH_PUT_OFF;
        publish(c, c->epoch, now_ms,
                real); /* the service asked for more patience than readers have */
    } else if (begun || !irsafs_is_pending(cur)) {
        make_pending(c, true);
    }
    c->changes++;
    return outcome;
}

enum irsafs_look irsafs_core_touch(struct irsafs_core *c,
                                   const struct irsafs_request *request,
                                   int64_t now_ms,
                                   struct timespec real,
                                   irsafs_waiter_id *ret_waiter)
{
    update(c, now_ms, real);
    if (c->stopping) {
        return IRSAFS_LOOK_READY;
    }
    c->counts.refreshes[IRSAFS_REFRESH_TOUCH][open_epoch(c, now_ms, real)]++;
    if (c->told >= c->tell) {
        return IRSAFS_LOOK_READY;
    }
    *ret_waiter = irsafs_waiters_park(c, request, c->tell);
    return *ret_waiter != 0 ? IRSAFS_LOOK_PARKED : IRSAFS_LOOK_FULL;
}

struct irsafs_refresh
irsafs_core_refresh(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
    if (!c->stopping) {
        c->counts.refreshes[IRSAFS_REFRESH_ENDPOINT][open_epoch(c, now_ms, real)]++;
    }
    return (struct irsafs_refresh){.epoch = c->epoch};
}

bool irsafs_core_refreshed(const struct irsafs_core *c, struct irsafs_refresh *refresh)
{
    if (!refresh->landed && c->landed >= refresh->epoch) {
        refresh->landed = true;
        refresh->told = c->tell;
    }
    return refresh->landed && c->told >= refresh->told;
}

void irsafs_core_told(struct irsafs_core *c, uint64_t told)
{
    begin(c);
    c->told = told > c->told ? told : c->told;
    irsafs_waiter_id next;
    for (irsafs_waiter_id id = c->waiters.parked.first; id != 0; id = next) {
        const struct irsafs_waiter *w = irsafs_waiters_at(c, id);
        next = w->next;
        if (w->told != 0 && w->told <= c->told) {
            irsafs_waiters_answer(c, id);
        }
    }
}

/* ---- fetching */

static void land_good(struct irsafs_core *c,
                      const struct irsafs_landing *landing,
                      int64_t now_ms,
                      struct timespec real)
{
    struct irsafs_str text = {landing->text, landing->text_len};
    bool same = c->good.body != 0 && irsafs_str_equal(irsafs_files_bytes(c, c->good.body), text);
    if (!same) { /* the kept one is what generations point at */
        irsafs_files_unref(c, c->good.body);
        c->good.body = irsafs_files_text(c, IRSAFS_KIND_CONFIG, text);
        irsafs_files_ref(c, c->good.body);
        c->n_texts++;
    }
    c->good.profiles = landing->profiles;
    c->good.epoch = c->flight.epoch;
    c->good.landed_ms = now_ms;
    c->good.landed_s = real.tv_sec;
    memcpy(c->good.identity, landing->identity, sizeof(c->good.identity));
    c->failure = (struct irsafs_failure){.first_no_run_ms = -1};
    c->retry_after_until_ms = 0;
}

static void land_failure(struct irsafs_core *c,
                         const struct irsafs_landing *landing,
                         int64_t now_ms,
                         struct timespec real)
{
    struct irsafs_failure *f = &c->failure;
    bool same = f->active && f->error.code == landing->error.code;
    f->since_s = same ? f->since_s : real.tv_sec;
    f->active = true;
    f->error = landing->error;
    f->in_a_row++;
    f->next_try_ms = now_ms + irsafs_backoff_ms(f->in_a_row, next_random(c));
    if (landing->retry_after_ms >= 0) {
        c->retry_after_until_ms = now_ms + irsafs_retry_after_clamp_ms(landing->retry_after_ms);
        f->next_try_ms = irsafs_max_ms(f->next_try_ms, c->retry_after_until_ms);
    }
    if (landing->error.code != IRSAFS_E_NO_RUN) {
        f->first_no_run_ms = -1;
    } else if (f->first_no_run_ms < 0) {
        f->first_no_run_ms = now_ms;
    }
    if (c->good.body != 0 && landing->error.code == IRSAFS_E_DENIED) {
        drop_good(c, real);
    }
    c->n_failed++;
}

/* Containers of a pod start in any order, and that of the token only when its image is there: until the first
 * text a refused connection is tried again soon. */
static void hurry(struct irsafs_core *c, const struct irsafs_landing *landing, int64_t now_ms)
{
    struct irsafs_failure *f = &c->failure;
    if (!landing->connect_refused || c->n_texts > 0) {
        return;
    }
    if (now_ms < c->born_ms + START_MS) {
        f->in_a_row = 0;
        f->next_try_ms = irsafs_max_ms(now_ms + START_RETRY_MS, c->retry_after_until_ms);
    } else if (landing->error.code == IRSAFS_E_TOKEN_URL) {
        int64_t soon_ms = irsafs_max_ms(now_ms + TOKEN_RETRY_MAX_MS, c->retry_after_until_ms);
        f->next_try_ms = irsafs_min_ms(f->next_try_ms, soon_ms);
    }
}

/* In our first seconds such a try is made inside the reader's wait (or the prefetch), until something was
 * shown once. */
static bool
starts_late(const struct irsafs_core *c, const struct irsafs_landing *landing, int64_t now_ms)
{
    bool waited_for = c->flight_deadline_ms > now_ms + START_RETRY_MS || c->settings.prefetch;
    return landing->connect_refused && c->last_number == 0 && waited_for && !c->stopping &&
           !c->settings.show_failure && now_ms < c->born_ms + START_MS;
}

void irsafs_core_landed(struct irsafs_core *c,
                        uint64_t number,
                        const struct irsafs_landing *landing,
                        int64_t now_ms,
                        struct timespec real)
{
    begin(c);
    if (!c->flight.running || number != c->flight.number) {
        return;
    }
    c->flight.running = false;
    c->landed = c->flight.epoch;
    c->last_flight_ms = now_ms - c->flight.start_ms;
    c->changes++;
    if (c->good.body != 0 && landing->identity[0] != '\0' &&
        strcmp(landing->identity, c->good.identity) != 0) {
        drop_good(c, real); /* a text belongs to the user and run that it was fetched for */
    }
    if (landing->text != NULL) {
        land_good(c, landing, now_ms, real);
    } else {
        land_failure(c, landing, now_ms, real);
        hurry(c, landing, now_ms);
        if (starts_late(c, landing, now_ms)) {
            ask(c, now_ms + START_RETRY_MS);
            /* They go on waiting, but no longer than they were promised. */
            if (c->flight_deadline_ms != 0) {
                c->next_deadline_ms =
                    c->next_deadline_ms == 0
                        ? c->flight_deadline_ms
                        : irsafs_min_ms(c->next_deadline_ms, c->flight_deadline_ms);
            }
            return;
        }
    }
    publish(c, c->flight.epoch, now_ms, real);
}

uint64_t irsafs_core_flight(const struct irsafs_core *c)
{
    return c->flight.running ? c->flight.number : 0;
}

void irsafs_core_stop(struct irsafs_core *c, int64_t now_ms, struct timespec real)
{
    update(c, now_ms, real);
    c->stopping = true;
    c->flight.running = false;
    if (irsafs_is_pending(irsafs_current(c))) {
        publish(c, c->epoch, now_ms, real);
    }
    irsafs_core_told(c, c->tell);
}

/* ---- status */

bool irsafs_core_lookup_status(struct irsafs_core *c,
                               int64_t now_ms,
                               struct irsafs_entry *ret_entry)
{
    irsafs_inode_id id = c->files.current[IRSAFS_KIND_STATUS];
    if (id == 0 || c->status_changes != c->changes || now_ms >= c->status_ms + STATUS_REUSE_MS) {
        return false;
    }
    struct irsafs_inode *cur = &c->tables.inodes[id - 1];
    begin(c);
    irsafs_files_lookup(c, cur);
    *ret_entry = irsafs_file_entry(c, cur, now_ms);
    return true;
}

void irsafs_core_status_changed(struct irsafs_core *c)
{
    begin(c);
    c->changes++;
}

void irsafs_core_publish_status(struct irsafs_core *c,
                                struct irsafs_str document,
                                int64_t now_ms,
                                struct timespec real)
{
    begin(c);
    irsafs_text_id text = irsafs_files_text(c, IRSAFS_KIND_STATUS, document);
    struct irsafs_inode *cur = irsafs_files_make_current(c, IRSAFS_KIND_STATUS, 0);
    irsafs_files_ready(c, cur,
                       irsafs_files_generation(c, IRSAFS_KIND_STATUS, (struct irsafs_str){"", 0},
                                               text, real, now_ms));
    c->status_changes = c->changes;
    c->status_ms = now_ms;
}

/* ---- life */

size_t irsafs_core_size(void)
{
    return sizeof(struct irsafs_core);
}

void irsafs_core_init(struct irsafs_core *c,
                      const struct irsafs_core_settings *settings,
                      int64_t now_ms,
                      struct timespec real)
{
    c->settings = *settings;
    irsafs_files_init(c, settings->first_ino);
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
    begin(c);
    make_pending(c, false);
    if (settings->prefetch) {
        ask(c, now_ms);
    }
    irsafs_core_commit(c, NULL);
}

/* ---- transactions */

void irsafs_core_save(struct irsafs_core *c, const void *at, size_t size)
{
    begin(c);
    irsafs_undo_save(&c->undo, at, size);
}

void irsafs_core_commit(struct irsafs_core *c, void (*give_back)(void *at, size_t size))
{
    if (!irsafs_undo_is_open(&c->undo)) {
        return;
    }
    irsafs_undo_commit(&c->undo);
    irsafs_files_give_back(c, give_back);
    if (c->undo.peak > UNDO_KEPT && give_back != NULL) {
        c->undo.peak = 0;
        give_back(c->undo.log + UNDO_KEPT, sizeof(c->undo.log) - UNDO_KEPT);
    }
}

void irsafs_core_roll_back(struct irsafs_core *c)
{
    irsafs_undo_roll_back(&c->undo);
    irsafs_files_give_back(c, NULL); /* texts of what has never happened are free again */
}

void irsafs_core_take_over(struct irsafs_core *c)
{
    irsafs_core_roll_back(c);
    begin(c);
    c->tell++;
    c->announced = 0;
}
