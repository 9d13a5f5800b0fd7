/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine, walked through hours with a clock of its own. */
#include "fs/core/backoff.h"
#include "fs/core/core.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { S = 1000, TTL = 60 * S - 1, WAIT = 5 * S, STALE_WAIT = S, MAX_STALE = 24 * 3600 * S };

/* A core, its clock, and what came out of it. */
struct world {
    struct irsafs_core *core;
    int64_t now_ms;
    uint64_t flight; /* started and not landed, or 0 */
    uint64_t flights;
    uint64_t tell;
    int64_t next_tick_ms;
    uint64_t answered[8192]; /* handles of the answered requests, in order */
    size_t n_answered;
};

static struct timespec real(const struct world *w)
{
    return (struct timespec){.tv_sec = 1700000000 + w->now_ms / S,
                             .tv_nsec = w->now_ms % S * 1000000};
}

static void settle(struct world *w)
{
    struct irsafs_effects e = irsafs_core_effects(w->core, w->now_ms, real(w));
    struct irsafs_request request;
    if (e.start_flight != 0) {
        assert_int_equal(w->flight, 0); /* single flight */
        w->flight = e.start_flight;
        w->flights++;
    }
    w->tell = e.tell;
    w->next_tick_ms = e.next_tick_ms;
    while (irsafs_core_next_answer(w->core, &request)) {
        w->answered[w->n_answered++] = request.handle;
        irsafs_core_answered(w->core);
    }
    irsafs_core_commit(w->core, NULL);
}

/* As the worker has it: zero, and not where any other block was. */
static struct irsafs_core *new_block(void)
{
    void *block = mmap(NULL, irsafs_core_size(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    return block;
}

static struct world *world_with(bool prefetch, int64_t min_refresh_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    struct irsafs_core_settings settings = {
        .ttl_ms = TTL,
        .max_stale_ms = MAX_STALE,
        .wait_ms = WAIT,
        .stale_wait_ms = STALE_WAIT,
        .fetch_timeout_ms = 60 * S,
        .min_refresh_ms = min_refresh_ms,
        .prefetch = prefetch,
        .mountpoint = "/m",
    };
    w->now_ms = 1000 * S;
    w->core = new_block();
    irsafs_core_init(w->core, &settings, w->now_ms, real(w));
    settle(w);
    return w;
}

static struct world *new_world(void)
{
    return world_with(false, 2 * S);
}

static void end(struct world *w)
{
    (void)munmap(w->core, irsafs_core_size());
    free(w);
}

/* Lets time pass, stopping at every tick that was asked for. */
static void pass(struct world *w, int64_t ms)
{
    int64_t until = w->now_ms + ms;
    while (w->next_tick_ms <= until) {
        assert_true(w->next_tick_ms > w->now_ms || w->next_tick_ms == w->now_ms);
        int64_t before = w->next_tick_ms;
        w->now_ms = before > w->now_ms ? before : w->now_ms;
        irsafs_core_tick(w->core, w->now_ms, real(w));
        settle(w);
        assert_true(w->next_tick_ms > w->now_ms); /* a tick is asked for once: no busy loop */
    }
    w->now_ms = until;
    settle(w);
}

static struct irsafs_entry lookup(struct world *w)
{
    struct irsafs_entry e = irsafs_core_lookup_config(w->core, w->now_ms, real(w));
    settle(w);
    return e;
}

static enum irsafs_look
look_at(struct world *w, uint64_t ino, uint64_t handle, irsafs_waiter_id *waiter)
{
    struct irsafs_request request = {.handle = handle, .kind = IRSAFS_REQUEST_GETATTR, .ino = ino};
    irsafs_waiter_id ignored;
    enum irsafs_look look =
        irsafs_core_look(w->core, &request, w->now_ms, real(w), waiter != NULL ? waiter : &ignored);
    settle(w);
    return look;
}

static enum irsafs_look touch(struct world *w, uint64_t handle)
{
    struct irsafs_request request = {.handle = handle, .kind = IRSAFS_REQUEST_SETATTR};
    irsafs_waiter_id ignored;
    enum irsafs_look look = irsafs_core_touch(w->core, &request, w->now_ms, real(w), &ignored);
    settle(w);
    return look;
}

static void told(struct world *w)
{
    irsafs_core_told(w->core, w->tell);
    settle(w);
}

static struct irsafs_landing good(const char *text)
{
    struct irsafs_landing l = {.retry_after_ms = -1, .profiles = 1, .identity = "jane"};
    l.text = text;
    l.text_len = strlen(text);
    return l;
}

static struct irsafs_landing bad(enum irsafs_code code)
{
    struct irsafs_landing l = {.retry_after_ms = -1};
    (void)irsafs_error_set(&l.error, code, "test %d", (int)code);
    return l;
}

static void land(struct world *w, struct irsafs_landing l)
{
    assert_int_not_equal(w->flight, 0);
    uint64_t flight = w->flight;
    w->flight = 0;
    irsafs_core_landed(w->core, flight, &l, w->now_ms, real(w));
    settle(w);
}

static const char *text_of(const struct world *w, uint64_t ino)
{
    static char text[8192];
    struct irsafs_entry e;
    const struct irsafs_generation *g = irsafs_core_file(w->core, ino, w->now_ms, &e);
    assert_non_null(g);
    struct irsafs_str parts[2];
    irsafs_files_parts(w->core, g, parts);
    assert_int_equal(e.size, parts[0].len + parts[1].len);
    memcpy(text, parts[0].ptr, parts[0].len);
    memcpy(text + parts[0].len, parts[1].ptr, parts[1].len);
    text[e.size] = '\0';
    return text;
}

/* What a reader who comes now sees; it must not have to wait. */
static const char *read_now(struct world *w)
{
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 0, NULL), IRSAFS_LOOK_READY);
    const char *text = text_of(w, e.ino);
    irsafs_core_forget(w->core, e.ino, 1);
    return text;
}

static enum irsafs_state state(const struct world *w)
{
    return irsafs_core_view(w->core, w->now_ms).state;
}

/* How many touches were so far: fetched, delayed, joined, put off. */
static void assert_touches(const struct world *w, const uint64_t (*wanted)[IRSAFS_REFRESH_OUTCOMES])
{
    const struct irsafs_counts counts = irsafs_core_view(w->core, w->now_ms).counts;
    for (size_t i = 0; i < IRSAFS_REFRESH_OUTCOMES; i++) {
        assert_int_equal(counts.refreshes[IRSAFS_REFRESH_TOUCH][i], (*wanted)[i]);
    }
}
#define TOUCHES(...) (&(const uint64_t[IRSAFS_REFRESH_OUTCOMES]){__VA_ARGS__})

/* A world with one good text. */
static struct world *fresh_world(const char *text)
{
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, good(text));
    assert_string_equal(read_now(w), text);
    w->n_answered = 0;
    return w;
}

/* ---- lazy, single flight */

static void test_names_ask_nobody(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    assert_int_equal(state(w), IRSAFS_STATE_EMPTY);
    for (int i = 0; i < 10; i++) {
        struct irsafs_entry e = lookup(w);
        assert_int_equal(e.size, 0);
        assert_int_equal(e.attr_timeout_ms, 0);
    }
    pass(w, 3600 * S);
    assert_int_equal(w->flights, 0);
    end(w);
}

static void test_first_look_fetches_once_for_all(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    for (uint64_t i = 1; i <= 300; i++) {
        assert_int_equal(look_at(w, e.ino, i, NULL), IRSAFS_LOOK_PARKED);
    }
    assert_int_equal(w->flights, 1);
    assert_int_equal(state(w), IRSAFS_STATE_PENDING);
    pass(w, 300);
    assert_int_equal(w->n_answered, 0);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, 300);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(w->answered[i], i + 1); /* in the order in which they came */
    }
    assert_string_equal(text_of(w, e.ino), "A\n");
    assert_int_equal(lookup(w).ino, e.ino); /* the inode they waited for is the generation */
    assert_int_equal(w->tell, 0);           /* which the kernel need not be told */
    assert_int_equal(w->flights, 1);
    end(w);
}

static void test_prefetch(void **arg)
{
    (void)arg;
    struct world *w = world_with(true, 2 * S);
    assert_int_equal(w->flights, 1);
    pass(w, 3 * S);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    pass(w, 1999); /* the bound counts from the begin of the flight: 2 s are left of 5 */
    assert_int_equal(w->n_answered, 0);
    pass(w, 1);
    assert_int_equal(w->n_answered, 1);
    end(w);
}

static void test_pending_inode_is_handed_out_once(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry a = lookup(w);
    assert_int_equal(look_at(w, a.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    struct irsafs_entry b = lookup(w);
    assert_int_not_equal(a.ino, b.ino);
    assert_int_equal(look_at(w, b.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->flights, 1);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, 2);
    assert_string_equal(text_of(w, a.ino), "A\n");
    assert_string_equal(text_of(w, b.ino), "A\n");
    assert_int_equal(lookup(w).ino, b.ino);
    assert_int_equal(lookup(w).ino, b.ino);
    end(w);
}

static void test_interrupted_reader_leaves_the_others(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    irsafs_waiter_id waiter;
    assert_int_equal(look_at(w, e.ino, 1, &waiter), IRSAFS_LOOK_PARKED);
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    irsafs_core_interrupt(w->core, waiter);
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).waiters, 1);
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).counts.interrupts, 1);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, 1);
    assert_int_equal(w->answered[0], 2);
    end(w);
}

static void test_parked_requests_are_bounded(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    for (uint64_t i = 1; i <= IRSAFS_PARKED_MAX; i++) {
        assert_int_equal(look_at(w, e.ino, i, NULL), IRSAFS_LOOK_PARKED);
    }
    assert_int_equal(look_at(w, e.ino, 9999, NULL), IRSAFS_LOOK_FULL);
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).counts.refused, 1);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, IRSAFS_PARKED_MAX);
    assert_int_equal(look_at(w, e.ino, 9999, NULL), IRSAFS_LOOK_READY);
    end(w);
}

/* ---- ageing */

static void test_aging_renews_in_the_background(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, TTL * 7 / 10);
    (void)read_now(w);
    assert_int_equal(w->flights, 1);
    pass(w, TTL / 5);
    assert_int_equal(w->flights, 1); /* nobody looked */
    assert_int_equal(state(w), IRSAFS_STATE_AGING);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(w->flights, 2);
    assert_string_equal(text_of(w, e.ino), "A\n");
    land(w, good("B\n"));
    assert_int_equal(w->tell, 1);
    assert_string_equal(text_of(w, e.ino), "A\n"); /* an open handle keeps its text */
    assert_string_equal(read_now(w), "B\n");
    end(w);
}

static void test_equal_text_keeps_the_inode(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    struct irsafs_entry before = lookup(w);
    pass(w, TTL * 9 / 10);
    (void)lookup(w);
    land(w, good("A\n"));
    struct irsafs_entry after = lookup(w);
    assert_int_equal(before.ino, after.ino);
    assert_int_equal(before.mtime.tv_sec, after.mtime.tv_sec);
    assert_int_equal(before.mtime.tv_nsec, after.mtime.tv_nsec);
    assert_int_equal(w->tell, 0);
    assert_int_equal(state(w), IRSAFS_STATE_FRESH);
    end(w);
}

static void test_kernel_timeouts_end_at_the_next_change(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 100);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(e.entry_timeout_ms, TTL / 5 * 4 - 100);
    assert_int_equal(e.attr_timeout_ms, e.entry_timeout_ms);
    pass(w, TTL / 5 * 4);
    e = lookup(w); /* starts the flight: nothing changes before the TTL that is not told */
    assert_int_equal(e.entry_timeout_ms, TTL - TTL / 5 * 4 - 100);
    end(w);
}

static void test_no_cached_attributes_just_after_ready(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    assert_int_equal(lookup(w).attr_timeout_ms, 0);
    pass(w, 20);
    assert_int_not_equal(lookup(w).attr_timeout_ms, 0);
    end(w);
}

static void test_expiry_tells_the_kernel_and_waits_for_a_look(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, TTL);
    assert_int_equal(w->tell, 1);
    assert_int_equal(w->flights, 1);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(w->flights, 1);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->flights, 2);
    pass(w, STALE_WAIT - 1);
    assert_int_equal(w->n_answered, 0);
    pass(w, 1); /* the bound of a text that merely outlived its TTL */
    assert_int_equal(w->n_answered, 1);
    assert_non_null(strstr(text_of(w, e.ino), "# irsafs: STALE since "));
    assert_non_null(strstr(text_of(w, e.ino), "\nA\n"));
    assert_int_equal(state(w), IRSAFS_STATE_STALE);
    /* Later readers pay nothing while the flight goes on, and get the text when it lands. */
    assert_non_null(strstr(read_now(w), "STALE"));
    pass(w, 10 * S);
    assert_non_null(strstr(read_now(w), "STALE"));
    land(w, good("B\n"));
    assert_string_equal(read_now(w), "B\n");
    assert_int_equal(w->flights, 2);
    end(w);
}

/* ---- touching */

static void test_touch_swaps_tells_then_answers(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    struct irsafs_entry old = lookup(w);
    assert_int_equal(touch(w, 7), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->tell, 1);
    assert_int_equal(w->n_answered, 0);
    told(w);
    assert_int_equal(w->n_answered, 1);
    assert_int_equal(w->answered[0], 7);
    struct irsafs_entry e = lookup(w);
    assert_int_not_equal(e.ino, old.ino);
    assert_int_equal(look_at(w, e.ino, 8, NULL), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->flights, 2);
    land(w, good("B\n"));
    assert_int_equal(w->answered[1], 8);
    assert_string_equal(text_of(w, e.ino), "B\n");
    assert_string_equal(text_of(w, old.ino), "A\n");
    end(w);
}

static void test_touch_fetches_without_a_reader(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1);
    (void)touch(w, 2); /* echo > refresh: a truncation and a write are one fetch */
    assert_touches(w, TOUCHES(1, 0, 1, 0));
    pass(w, 50);
    assert_int_equal(w->flights, 2);
    land(w, good("B\n"));
    pass(w, 10 * S);
    assert_int_equal(w->flights, 2);
    assert_string_equal(read_now(w), "B\n");
    end(w);
}

static void test_touch_is_collapsed_by_min_refresh(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    assert_int_equal(touch(w, 1), IRSAFS_LOOK_PARKED);
    assert_touches(w, TOUCHES(0, 1, 0, 0));
    told(w);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->flights, 1);
    pass(w, 2 * S - 1);
    assert_int_equal(w->flights, 1);
    pass(w, 1);
    assert_int_equal(w->flights, 2);
    land(w, good("B\n"));
    assert_string_equal(text_of(w, e.ino), "B\n");
    end(w);
}

static void test_touch_during_a_flight_makes_exactly_one_more(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry first = lookup(w);
    assert_int_equal(look_at(w, first.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    pass(w, 10);
    for (uint64_t i = 0; i < 5; i++) {
        (void)touch(w, 100 + i);
        pass(w, 10);
    }
    assert_touches(w, TOUCHES(0, 1, 4, 0));
    told(w);
    w->n_answered = 0;
    struct irsafs_entry second = lookup(w);
    assert_int_equal(look_at(w, second.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, 1); /* who came before the touch is served by the first */
    assert_int_equal(w->answered[0], 1);
    assert_string_equal(text_of(w, first.ino), "A\n");
    pass(w, 2 * S);
    assert_int_equal(w->flights, 2);
    land(w, good("B\n"));
    assert_int_equal(w->answered[1], 2);
    assert_string_equal(text_of(w, second.ino), "B\n");
    pass(w, 10 * S);
    assert_int_equal(w->flights, 2);
    end(w);
}

/* ---- refreshes of the endpoint */

static struct irsafs_refresh refresh(struct world *w)
{
    struct irsafs_refresh r = irsafs_core_refresh(w->core, w->now_ms, real(w));
    settle(w);
    return r;
}

static void test_refresh_is_over_when_every_look_sees_it(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    uint64_t texts = irsafs_core_view(w->core, w->now_ms).n_texts;
    pass(w, 10 * S);
    struct irsafs_refresh r = refresh(w);
    pass(w, 50);
    assert_int_equal(w->flights, 2);
    assert_false(irsafs_core_refreshed(w->core, &r));
    land(w, good("B\n"));
    assert_false(irsafs_core_refreshed(w->core, &r)); /* the kernel may still show A */
    told(w);
    assert_true(irsafs_core_refreshed(w->core, &r));
    assert_string_equal(read_now(w), "B\n");
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).n_texts, texts + 1);
    pass(w, 10 * S);
    r = refresh(w);
    pass(w, 50);
    land(w, good("B\n"));
    told(w);
    assert_true(irsafs_core_refreshed(w->core, &r));
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).n_texts, texts + 1);
    assert_int_equal(irsafs_core_view(w->core, w->now_ms)
                         .counts.refreshes[IRSAFS_REFRESH_ENDPOINT][IRSAFS_REFRESH_FETCHED],
                     2);
    end(w);
}

static void test_refreshes_during_a_flight_share_the_next(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    struct irsafs_refresh first = refresh(w);
    pass(w, 50);
    struct irsafs_refresh second = refresh(w);
    struct irsafs_refresh third = refresh(w);
    land(w, good("B\n"));
    told(w);
    assert_true(irsafs_core_refreshed(w->core, &first));
    assert_false(irsafs_core_refreshed(w->core, &second)); /* that fetch began before it */
    pass(w, 2 * S);
    assert_int_equal(w->flights, 3);
    land(w, bad(IRSAFS_E_SERVICE));
    told(w);
    assert_true(irsafs_core_refreshed(w->core, &second));
    assert_true(irsafs_core_refreshed(w->core, &third));
    pass(w, 10 * S);
    assert_int_equal(w->flights, 3);
    end(w);
}

static void test_touches_faster_than_fetches_starve_nobody(void **arg)
{
    (void)arg;
    struct world *w = world_with(false, 0);
    for (uint64_t i = 0; i < 50; i++) {
        struct irsafs_entry e = lookup(w);
        assert_int_equal(look_at(w, e.ino, i, NULL), IRSAFS_LOOK_PARKED);
        pass(w, 100);
        (void)touch(w, 1000 + i);
        told(w);
        pass(w, 100);
        if (i % 4 == 3) {
            size_t before = w->n_answered;
            land(w, good("A\n"));
            assert_true(w->n_answered > before);
        }
    }
    assert_true(irsafs_core_view(w->core, w->now_ms).waiters <= 8);
    end(w);
}

static void test_unanswered_touch_is_said(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1);
    told(w);
    struct irsafs_entry e = lookup(w);
    w->n_answered = 0;
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    pass(w, WAIT - 1);
    assert_int_equal(w->n_answered, 0);
    pass(w, 1);
    assert_int_equal(w->n_answered, 1);
    assert_non_null(strstr(text_of(w, e.ino), "IRSAFS-E501"));
    assert_non_null(
        strstr(text_of(w, e.ino), "\nA\n")); /* within its TTL, but older than the touch */
    assert_int_equal(state(w), IRSAFS_STATE_STALE);
    land(w, bad(IRSAFS_E_SERVICE));
    assert_non_null(strstr(read_now(w), "IRSAFS-E701"));
    end(w);
}

/* ---- failures */

static void test_cold_failure_gives_comments_and_backs_off(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, bad(IRSAFS_E_SERVICE));
    assert_int_equal(w->n_answered, 1);
    assert_non_null(strstr(text_of(w, e.ino), "# irsafs: NO PROFILES"));
    assert_int_equal(state(w), IRSAFS_STATE_NONE);
    for (int i = 0; i < 8; i++) { /* one client opens the file eight times */
        assert_non_null(strstr(read_now(w), "IRSAFS-E701"));
    }
    assert_int_equal(w->flights, 1);
    pass(w, 1000);
    e = lookup(w); /* the time for the next try has come: the look starts it and waits */
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    assert_int_equal(w->flights, 2);
    pass(w, STALE_WAIT);
    assert_int_equal(w->n_answered, 2);
    end(w);
}

static void test_backoff_doubles_up_to_a_minute(void **arg)
{
    (void)arg;
    static const int64_t want[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (uint32_t i = 0; i < IRSAFS_COUNT(want); i++) {
        assert_int_equal(irsafs_backoff_ms(i + 1, 0), want[i] * S);
        assert_true(irsafs_backoff_ms(i + 1, 999) >= want[i] * S * 4 / 5);
        assert_true(irsafs_backoff_ms(i + 1, 999) < want[i] * S);
    }
    assert_int_equal(irsafs_retry_after_clamp_ms(0), S);
    assert_int_equal(irsafs_retry_after_clamp_ms(3 * S), 3 * S);
    assert_int_equal(irsafs_retry_after_clamp_ms(INT64_MAX), 300 * S);
}

static void test_outage_serves_last_good_without_waiting(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, TTL);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, bad(IRSAFS_E_CONNECT));
    for (int i = 0; i < 20; i++) {
        pass(w, 30 * S);
        const char *text = read_now(w); /* starts a try in the background when it is time */
        assert_non_null(strstr(text, "STALE"));
        assert_non_null(strstr(text, "\nA\n"));
        if (w->flight != 0) {
            land(w, bad(IRSAFS_E_CONNECT));
        }
    }
    assert_in_range(w->flights, 8, 20);
    (void)touch(w, 2); /* overrides the back-off */
    pass(w, 2 * S);
    assert_int_not_equal(w->flight, 0);
    land(w, good("B\n"));
    assert_string_equal(read_now(w), "B\n");
    end(w);
}

static void test_same_failure_makes_no_new_generation(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, bad(IRSAFS_E_SERVICE));
    uint64_t generation = irsafs_core_view(w->core, w->now_ms).generation;
    for (int i = 0; i < 5; i++) {
        pass(w, 100 * S);
        e = lookup(w);
        assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
        land(w, bad(IRSAFS_E_SERVICE));
    }
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).generation, generation);
    end(w);
}

static void test_retry_after_binds_touches_too(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, TTL);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    struct irsafs_landing l = bad(IRSAFS_E_BUSY);
    l.retry_after_ms = 20 * S;
    land(w, l);
    (void)touch(w, 2);
    assert_touches(w, TOUCHES(0, 0, 0, 1));
    told(w);
    assert_non_null(strstr(read_now(w), "IRSAFS-E702")); /* waiting would be in vain */
    pass(w, 20 * S - 1);
    assert_int_equal(w->flights, 2);
    pass(w, 1);
    assert_int_equal(w->flights, 3); /* the touch is not forgotten */
    land(w, good("B\n"));
    assert_string_equal(read_now(w), "B\n");
    end(w);
}

static void test_denied_drops_the_copy(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1);
    pass(w, 10);
    land(w, bad(IRSAFS_E_DENIED));
    assert_null(strstr(read_now(w), "\nA\n"));
    assert_int_equal(state(w), IRSAFS_STATE_NONE);
    end(w);
}

static void test_no_run_drops_the_copy_after_a_minute(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1);
    pass(w, 10);
    land(w, bad(IRSAFS_E_NO_RUN));
    assert_non_null(strstr(read_now(w), "\nA\n"));
    pass(w, 60 * S - 1);
    assert_non_null(strstr(read_now(w), "\nA\n"));
    if (w->flight != 0) {
        land(w, bad(IRSAFS_E_NO_RUN));
    }
    pass(w, 1); /* by the clock, whether or not somebody asks */
    assert_null(strstr(read_now(w), "\nA\n"));
    end(w);
}

static void test_too_old_is_not_served(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, TTL);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, bad(IRSAFS_E_SERVICE));
    pass(w, MAX_STALE - TTL - 1);
    assert_int_equal(state(w), IRSAFS_STATE_STALE);
    pass(w, 1);
    assert_int_equal(state(w), IRSAFS_STATE_NONE);
    end(w);
}

static void test_other_identity_drops_the_copy(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1);
    pass(w, 10);
    struct irsafs_landing l = bad(IRSAFS_E_SERVICE);
    memcpy(l.identity, "eve", 4);
    land(w, l);
    assert_null(strstr(read_now(w), "\nA\n"));
    end(w);
}

static void test_refused_at_start_is_tried_inside_the_wait(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    struct irsafs_landing l = bad(IRSAFS_E_CONNECT);
    l.connect_refused = true;
    for (int i = 0; i < 4; i++) {
        land(w, l);
        assert_int_equal(w->n_answered, 0);
        pass(w, 500);
    }
    assert_int_equal(w->flights, 5);
    land(w, good("A\n"));
    assert_int_equal(w->n_answered, 1);
    assert_string_equal(text_of(w, e.ino), "A\n");
    end(w);
}

static void test_refused_wait_is_bounded_and_paid_once(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    struct irsafs_landing l = bad(IRSAFS_E_CONNECT);
    l.connect_refused = true;
    int64_t start_ms = w->now_ms;
    while (w->n_answered == 0) {
        land(w, l);
        pass(w, w->n_answered == 0 ? 500 : 0);
        assert_true(w->now_ms <= start_ms + WAIT);
    }
    assert_non_null(strstr(text_of(w, e.ino), "IRSAFS-E503"));
    assert_non_null(strstr(read_now(w), "IRSAFS-E503"));
    end(w);
}

/* The container of the token may come long after us: while there has been no text, a look is worth a try soon. */
static void test_refused_before_the_first_text_is_tried_soon(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_landing l = bad(IRSAFS_E_TOKEN_URL);
    l.connect_refused = true;
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    while (w->n_answered == 0) {
        land(w, l);
        pass(w, w->n_answered == 0 ? 500 : 0);
    }
    bool started = false;
    for (int64_t born_ms = 1000 * S; w->now_ms < born_ms + 5 * 60 * S;) {
        int64_t next_ms = irsafs_core_view(w->core, w->now_ms).next_try_ms;
        started = started || w->now_ms >= born_ms + 30 * S;
        assert_true(next_ms <= (started ? 5000 : 500));
        pass(w, next_ms);
        e = lookup(w);
        assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
        land(w, l);
    }
    /* The service is everybody's: it is knocked at less and less. */
    l.error.code = IRSAFS_E_CONNECT;
    for (int i = 0; i < 8; i++) {
        pass(w, irsafs_core_view(w->core, w->now_ms).next_try_ms);
        e = lookup(w);
        assert_int_equal(look_at(w, e.ino, 3, NULL), IRSAFS_LOOK_PARKED);
        land(w, l);
    }
    assert_true(irsafs_core_view(w->core, w->now_ms).next_try_ms > 40 * S);
    end(w);
}

static void test_first_failure_is_shown_at_once_to_who_wants_it(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_core_settings settings = {.ttl_ms = TTL,
                                            .wait_ms = WAIT,
                                            .stale_wait_ms = STALE_WAIT,
                                            .fetch_timeout_ms = 60 * S,
                                            .mountpoint = "/m",
                                            .show_failure = true};
    (void)munmap(w->core, irsafs_core_size());
    w->core = new_block();
    irsafs_core_init(w->core, &settings, w->now_ms, real(w));
    struct irsafs_landing l = bad(IRSAFS_E_CONNECT);
    l.connect_refused = true;
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, l);
    assert_int_equal(w->n_answered, 1);
    assert_non_null(strstr(text_of(w, e.ino), "IRSAFS-E503"));
    assert_int_equal(lookup(w).entry_timeout_ms, 500); /* then is the next try */
    pass(w, 500);
    e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    land(w, good("A\n"));
    assert_string_equal(text_of(w, e.ino), "A\n");
    end(w);
}

/* ---- bounds and the end */

static void test_wait_is_paid_once_in_an_outage(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    pass(w, 4 * S);
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    pass(w, 1 * S); /* who comes later waits what is left */
    assert_int_equal(w->n_answered, 2);
    for (int i = 0; i < 8; i++) {
        assert_non_null(strstr(read_now(w), "IRSAFS-E501"));
    }
    end(w);
}

static void test_generations_are_bounded(void **arg)
{
    (void)arg;
    struct world *w = world_with(false, 0);
    uint64_t first = 0;
    for (int i = 0; i < 200; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "text %d\n", i);
        struct irsafs_entry e = lookup(w); /* never forgotten: somebody holds them all open */
        first = first == 0 ? e.ino : first;
        assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
        land(w, good(text));
        assert_string_equal(read_now(w), text);
        pass(w, 10);
        (void)touch(w, 2);
        told(w);
    }
    struct irsafs_view v = irsafs_core_view(w->core, w->now_ms);
    assert_in_range(v.usage.generations[IRSAFS_KIND_CONFIG], 1, IRSAFS_CONFIG_GENERATIONS_MAX);
    assert_int_equal(look_at(w, first, 1, NULL), IRSAFS_LOOK_GONE); /* ESTALE */
    end(w);
}

static void test_bytes_of_generations_are_bounded(void **arg)
{
    (void)arg;
    struct world *w = world_with(false, 0);
    char *text = malloc(1 << 20);
    assert_non_null(text);
    for (int i = 0; i < 40; i++) {
        memset(text, 'a' + i % 26, (1 << 20) - 2);
        text[(1 << 20) - 2] = (char)('0' + i % 10);
        text[(1 << 20) - 1] = '\0';
        struct irsafs_entry e = lookup(w); /* held open for ever */
        assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
        land(w, good(text));
        assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_READY);
        pass(w, 10);
        (void)touch(w, 2);
        told(w);
    }
    struct irsafs_view v = irsafs_core_view(w->core, w->now_ms);
    assert_in_range(v.usage.bytes, 30 << 20, (32 << 20) + (1 << 20));
    assert_true(v.usage.evicted > 0);
    free(text);
    end(w);
}

static void test_forgotten_inodes_are_freed(void **arg)
{
    (void)arg;
    struct world *w = world_with(false, 0);
    for (int i = 0; i < 1000; i++) {
        struct irsafs_entry e = lookup(w);
        if (look_at(w, e.ino, 1, NULL) == IRSAFS_LOOK_PARKED) {
            land(w, good(i % 2 == 0 ? "A\n" : "B\n"));
        }
        (void)touch(w, 2);
        told(w);
        pass(w, 10);
        irsafs_core_forget(w->core, e.ino, 1);
        irsafs_core_forget(w->core, e.ino, 5); /* unknown by now: ignored */
        if (w->flight != 0) {
            land(w, good("C\n"));
        }
    }
    struct irsafs_view v = irsafs_core_view(w->core, w->now_ms);
    assert_int_equal(v.usage.inodes, 1);
    assert_int_equal(v.usage.n_lookups, 0);
    assert_int_equal(v.usage.evicted, 0);
    end(w);
}

static void test_inode_table_never_refuses(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    for (int i = 0; i < 3 * IRSAFS_INODES_MAX; i++) {
        (void)lookup(w); /* pending: each LOOKUP takes a new inode */
    }
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    land(w, good("A\n"));
    assert_string_equal(text_of(w, e.ino), "A\n");
    end(w);
}

static void test_stop_answers_everybody(void **arg)
{
    (void)arg;
    struct world *w = fresh_world("A\n");
    pass(w, 10 * S);
    (void)touch(w, 1); /* its notification never comes */
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 2, NULL), IRSAFS_LOOK_PARKED);
    irsafs_core_stop(w->core, w->now_ms, real(w));
    w->flight = 0;
    settle(w);
    assert_int_equal(w->n_answered, 2);
    assert_non_null(strstr(text_of(w, e.ino), "\nA\n"));
    assert_int_equal(touch(w, 3), IRSAFS_LOOK_READY);
    (void)read_now(w);
    assert_int_equal(w->flight, 0);
    end(w);
}

/* ---- status */

static struct irsafs_str document(void)
{
    return (struct irsafs_str){"{\"n\": 12}", 9};
}

static void test_status_is_a_generation_per_look(void **arg)
{
    (void)arg;
    struct world *w = new_world();
    struct irsafs_entry a;
    struct irsafs_entry b;
    assert_false(irsafs_core_lookup_status(w->core, w->now_ms, &a));
    irsafs_core_publish_status(w->core, document(), w->now_ms, real(w));
    assert_true(irsafs_core_lookup_status(w->core, w->now_ms, &a));
    assert_int_equal(a.entry_timeout_ms, 0);
    pass(w, 99); /* cp compares the inode of its stat with that of its open */
    assert_true(irsafs_core_lookup_status(w->core, w->now_ms, &b));
    assert_int_equal(a.ino, b.ino);
    struct irsafs_entry e = lookup(w);
    assert_int_equal(look_at(w, e.ino, 1, NULL), IRSAFS_LOOK_PARKED);
    assert_false(irsafs_core_lookup_status(w->core, w->now_ms, &b)); /* the state has changed */
    for (int i = 0; i < 1000; i++) {
        irsafs_core_publish_status(w->core, document(), w->now_ms, real(w));
        assert_true(irsafs_core_lookup_status(w->core, w->now_ms, &b));
        irsafs_core_commit(w->core, NULL);
    }
    assert_int_equal(irsafs_core_view(w->core, w->now_ms).usage.generations[IRSAFS_KIND_STATUS],
                     IRSAFS_STATUS_GENERATIONS_MAX);
    assert_int_equal(look_at(w, a.ino, 1, NULL), IRSAFS_LOOK_GONE);
    assert_int_equal(look_at(w, b.ino, 1, NULL), IRSAFS_LOOK_READY);
    end(w);
}

/* ---- everything at random: the promises of the header hold in any order of events */

static void test_random_walk(void **arg)
{
    (void)arg;
    srand(7);
    for (int run = 0; run < 30; run++) {
        struct world *w = world_with(run % 2 == 0, run % 3 == 0 ? 0 : 2 * S);
        uint64_t inos[64] = {0};
        uint64_t parked = 0;
        for (int i = 0; i < 2000; i++) {
            int what = rand() % 10;
            uint64_t *slot = &inos[rand() % 64];
            w->n_answered = w->n_answered > 4096 ? 0 : w->n_answered;
            if (what < 3) {
                struct irsafs_entry e = lookup(w);
                if (*slot != 0) {
                    irsafs_core_forget(w->core, *slot, 1);
                }
                *slot = e.ino;
            } else if (what < 6 && *slot != 0) {
                parked += look_at(w, *slot, 1, NULL) == IRSAFS_LOOK_PARKED;
            } else if (what < 7) {
                (void)touch(w, 2);
                told(w);
            } else if (what < 8 && w->flight != 0) {
                land(w, rand() % 3 == 0 ? bad(IRSAFS_E_SERVICE) : good("A\n"));
            } else {
                pass(w, rand() % 4000);
            }
        }
        assert_true(parked > 0);
        for (size_t i = 0; i < IRSAFS_COUNT(inos); i++) {
            if (inos[i] != 0) {
                irsafs_core_forget(w->core, inos[i], 1);
            }
        }
        pass(w, WAIT + STALE_WAIT); /* nobody waits longer than the bounds */
        struct irsafs_view v = irsafs_core_view(w->core, w->now_ms);
        assert_int_equal(v.waiters, 0);
        assert_int_equal(v.usage.n_lookups, 0);
        assert_int_equal(v.usage.inodes, 1);
        end(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_ask_nobody),
        cmocka_unit_test(test_first_look_fetches_once_for_all),
        cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_pending_inode_is_handed_out_once),
        cmocka_unit_test(test_interrupted_reader_leaves_the_others),
        cmocka_unit_test(test_parked_requests_are_bounded),
        cmocka_unit_test(test_aging_renews_in_the_background),
        cmocka_unit_test(test_equal_text_keeps_the_inode),
        cmocka_unit_test(test_kernel_timeouts_end_at_the_next_change),
        cmocka_unit_test(test_no_cached_attributes_just_after_ready),
        cmocka_unit_test(test_expiry_tells_the_kernel_and_waits_for_a_look),
        cmocka_unit_test(test_touch_swaps_tells_then_answers),
        cmocka_unit_test(test_touch_fetches_without_a_reader),
        cmocka_unit_test(test_touch_is_collapsed_by_min_refresh),
        cmocka_unit_test(test_touch_during_a_flight_makes_exactly_one_more),
        cmocka_unit_test(test_refresh_is_over_when_every_look_sees_it),
        cmocka_unit_test(test_refreshes_during_a_flight_share_the_next),
        cmocka_unit_test(test_touches_faster_than_fetches_starve_nobody),
        cmocka_unit_test(test_unanswered_touch_is_said),
        cmocka_unit_test(test_cold_failure_gives_comments_and_backs_off),
        cmocka_unit_test(test_backoff_doubles_up_to_a_minute),
        cmocka_unit_test(test_outage_serves_last_good_without_waiting),
        cmocka_unit_test(test_same_failure_makes_no_new_generation),
        cmocka_unit_test(test_retry_after_binds_touches_too),
        cmocka_unit_test(test_denied_drops_the_copy),
        cmocka_unit_test(test_no_run_drops_the_copy_after_a_minute),
        cmocka_unit_test(test_too_old_is_not_served),
        cmocka_unit_test(test_other_identity_drops_the_copy),
        cmocka_unit_test(test_refused_at_start_is_tried_inside_the_wait),
        cmocka_unit_test(test_refused_wait_is_bounded_and_paid_once),
        cmocka_unit_test(test_refused_before_the_first_text_is_tried_soon),
        cmocka_unit_test(test_first_failure_is_shown_at_once_to_who_wants_it),
        cmocka_unit_test(test_wait_is_paid_once_in_an_outage),
        cmocka_unit_test(test_generations_are_bounded),
        cmocka_unit_test(test_bytes_of_generations_are_bounded),
        cmocka_unit_test(test_forgotten_inodes_are_freed),
        cmocka_unit_test(test_inode_table_never_refuses),
        cmocka_unit_test(test_stop_answers_everybody),
        cmocka_unit_test(test_status_is_a_generation_per_look),
        cmocka_unit_test(test_random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
