/* SPDX-License-Identifier: Apache-2.0 */
/* A random walk in which each event is rolled back and done again, and the worker killed at every undo
 * record of it: a state machine that another process finds at another address, as it was before. The
 * linker's --wrap leads undo records and commits here. */
#include "fs/core/state.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { S = 1000, PAGE = 4096, HELD_MAX = 300 };

/* ---- the places of death */

static jmp_buf death;
static unsigned left;   /* places until it; 0: it does not come */
static unsigned passed; /* places */

static void place(void)
{
    passed++;
    if (left > 0 && --left == 0) {
        longjmp(death, 1);
    }
}

void __real_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size);
void __wrap_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size);
void __wrap_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size)
{
    place(); /* with every store since the last record */
    __real_irsafs_undo_save(undo, at, size);
    place(); /* with none */
}

void __real_irsafs_undo_commit(struct irsafs_undo *undo);
void __wrap_irsafs_undo_commit(struct irsafs_undo *undo);
void __wrap_irsafs_undo_commit(struct irsafs_undo *undo)
{
    place();
    __real_irsafs_undo_commit(undo);
}

/* ---- the block */

__attribute__((noinline)) /* not beside a setjmp */
static void *
map(int protection)
{
    void *at = mmap(NULL, irsafs_core_size(), protection,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static struct irsafs_core *move(struct irsafs_core *core)
{
    size_t size = irsafs_core_size();
    void *to = map(PROT_NONE);
    assert_ptr_equal(mremap(core, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    return to;
}

static void give_back(void *at, size_t size)
{
    assert_int_equal((uintptr_t)at % PAGE, 0); /* madvise(2) wants pages */
    assert_int_equal(size % PAGE, 0);
    assert_int_equal(madvise(at, size, MADV_DONTNEED), 0);
}

/* Everything but the bytes of texts and the log; of the texts that are held a sum. */
enum { STATE_SIZE = offsetof(struct irsafs_core, undo) };
struct snapshot {
    uint64_t sum;
    _Alignas(struct irsafs_core) unsigned char state[STATE_SIZE];
};

static uint64_t sum_of_texts(const struct irsafs_core *c)
{
    uint64_t sum = 14695981039346656037u;
    for (unsigned id = 1; id <= IRSAFS_TEXTS; id++) {
        struct irsafs_str text = irsafs_files_bytes(c, (irsafs_text_id)id);
        for (size_t i = 0; c->tables.texts[id - 1].refs > 0 && i < text.len; i++) {
            sum = (sum ^ (unsigned char)text.ptr[i]) * 1099511628211u;
        }
    }
    return sum;
}

/* The bytes between `member` and the next one, or the end: they may be anything in a new value. */
#define CLEAR_AFTER(object, member, end)                                                           \
    memset((char *)&(object) + offsetof(__typeof__(object), member) + sizeof((object).member), 0,  \
           (end)-offsetof(__typeof__(object), member) - sizeof((object).member))

static void clear_padding(struct snapshot *s)
{
    struct irsafs_core *c = (void *)s->state; /* as far as the log */
    CLEAR_AFTER(c->flight, running, offsetof(struct irsafs_current_flight, number));
    CLEAR_AFTER(c->failure, active, offsetof(struct irsafs_failure, error));
    for (size_t i = 0; i < IRSAFS_INODES_MAX; i++) {
        CLEAR_AFTER(c->tables.inodes[i], current, sizeof(struct irsafs_inode));
    }
    for (size_t i = 0; i < IRSAFS_GENERATIONS; i++) {
        CLEAR_AFTER(c->tables.generations[i], body, sizeof(struct irsafs_generation));
    }
    for (size_t i = 0; i < IRSAFS_PARKED_MAX; i++) {
        CLEAR_AFTER(c->waiter_pool[i], answering, sizeof(struct irsafs_waiter));
    }
}

static void take(struct snapshot *s, const struct irsafs_core *c)
{
    s->sum = sum_of_texts(c);
    memcpy(s->state, c, STATE_SIZE);
}

static void
assert_equal(const struct snapshot *s, uint64_t sum, const void *state, const char *what)
{
    if (memcmp(s->state, state, STATE_SIZE) != 0) {
        size_t i = 0;
        while (s->state[i] == ((const unsigned char *)state)[i]) {
            i++;
        }
        fail_msg("%s: byte %zu of struct irsafs_core differs", what, i);
    }
    assert_int_equal(s->sum, sum);
}

static void assert_same(const struct snapshot *s, const struct irsafs_core *c, const char *what)
{
    assert_equal(s, sum_of_texts(c), c, what);
}

/* Not of the same transaction: done once more. */
static void
assert_same_again(const struct snapshot *s, const struct irsafs_core *c, const char *what)
{
    static struct snapshot expected;
    static struct snapshot again;
    expected = *s;
    take(&again, c);
    clear_padding(&expected);
    clear_padding(&again);
    assert_equal(&expected, again.sum, again.state, what);
}

/* ---- events */

enum kind {
    LOOKUP_CONFIG,
    LOOKUP_STATUS,
    PUBLISH_STATUS,
    LOOK,
    TOUCH,
    INTERRUPT,
    FORGET,
    LANDED,
    TOLD,
    TICK,
    EFFECTS,
    ANSWERED,
    STOP,
    SAVE,
    KINDS
};

struct event {
    enum kind kind;
    int64_t now_ms;
    uint64_t ino, number;
    irsafs_waiter_id waiter;
    struct irsafs_request request;
    struct irsafs_landing landing;
};

struct result {
    bool ok;
    enum irsafs_look look;
    irsafs_waiter_id waiter;
    struct irsafs_entry entry;
    struct irsafs_effects effects;
};

static struct timespec real(int64_t now_ms)
{
    return (struct timespec){.tv_sec = 1700000000 + now_ms / S, .tv_nsec = now_ms % S * 1000000};
}

/* Also what follows events that change little, in their transaction: whoever opens one has to save the
 * scalars for all that come after. */
static void publish_anything(struct irsafs_core *c, int64_t now_ms)
{
    irsafs_core_publish_status(c, (struct irsafs_str){"{}\n", 3}, now_ms, real(now_ms));
}

static void run(struct irsafs_core *c, const struct event *e, struct result *r)
{
    struct timespec at = real(e->now_ms);
    *r = (struct result){.ok = true};
    switch (e->kind) {
    case LOOKUP_CONFIG:
        r->entry = irsafs_core_lookup_config(c, e->now_ms, at);
        break;
    case LOOKUP_STATUS:
        r->ok = irsafs_core_lookup_status(c, e->now_ms, &r->entry);
        publish_anything(c, e->now_ms);
        break;
    case PUBLISH_STATUS:
        publish_anything(c, e->now_ms);
        break;
    case LOOK:
        r->look = irsafs_core_look(c, &e->request, e->now_ms, at, &r->waiter);
        break;
    case TOUCH:
        r->look = irsafs_core_touch(c, &e->request, e->now_ms, at, &r->waiter);
        break;
    case INTERRUPT:
        irsafs_core_interrupt(c, e->waiter);
        break;
    case FORGET:
        irsafs_core_forget(c, e->ino, e->number);
        publish_anything(c, e->now_ms);
        break;
    case LANDED:
        irsafs_core_landed(c, e->number, &e->landing, e->now_ms, at);
        break;
    case TOLD:
        irsafs_core_told(c, e->number);
        break;
    case TICK:
        irsafs_core_tick(c, e->now_ms, at);
        break;
    case EFFECTS:
        r->effects = irsafs_core_effects(c, e->now_ms, at);
        break;
    case ANSWERED:
        irsafs_core_answered(c);
        break;
    case STOP:
        irsafs_core_stop(c, e->now_ms, at);
        break;
    case SAVE: /* of a caller, in the same mapping; here what only the core has a use for */
        irsafs_core_save(c, &c->waiter_pool[IRSAFS_PARKED_MAX - 1], sizeof(struct irsafs_waiter));
        c->waiter_pool[IRSAFS_PARKED_MAX - 1].told++;
        publish_anything(c, e->now_ms);
        break;
    case KINDS:
        break;
    }
}

static void assert_same_result(const struct result *a, const struct result *b)
{
    assert_int_equal(a->ok, b->ok);
    assert_int_equal(a->look, b->look);
    assert_int_equal(a->waiter, b->waiter);
    assert_int_equal(a->entry.ino, b->entry.ino);
    assert_int_equal(a->entry.size, b->entry.size);
    assert_int_equal(a->entry.mtime.tv_sec, b->entry.mtime.tv_sec);
    assert_int_equal(a->entry.mtime.tv_nsec, b->entry.mtime.tv_nsec);
    assert_int_equal(a->entry.entry_timeout_ms, b->entry.entry_timeout_ms);
    assert_int_equal(a->entry.attr_timeout_ms, b->entry.attr_timeout_ms);
    assert_int_equal(a->effects.start_flight, b->effects.start_flight);
    assert_int_equal(a->effects.tell, b->effects.tell);
    assert_int_equal(a->effects.next_tick_ms, b->effects.next_tick_ms);
}

static void roll_back(struct irsafs_core *c)
{
    uint64_t len = c->undo.len;
    irsafs_core_roll_back(c);
    c->undo.len = len; /* it was killed in there: again */
    irsafs_core_roll_back(c);
    irsafs_files_give_back(c, NULL); /* so that the next try takes the same text */
}

/* ---- the walk */

struct walk {
    struct irsafs_core *core;
    int64_t now_ms;
    uint64_t random;
    uint64_t held[HELD_MAX]; /* an inode number for each lookup */
    size_t n_held;
    irsafs_waiter_id parked[64];
    size_t n_parked;
    unsigned n_events, n_deaths, done[KINDS];
};

static struct snapshot before, after;

static unsigned dice(struct walk *w, unsigned n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->random >> 33) % n;
}

/* The worker is killed at the n-th place; false: the event has fewer. */
static bool die_at(struct walk *w, const struct event *e, unsigned n)
{
    struct result r;
    volatile bool died = false;
    left = n;
    if (setjmp(death) == 0) {
        run(w->core, e, &r);
        place(); /* before the commit */
    } else {
        died = true;
    }
    left = 0;
    w->core = move(w->core);
    w->n_deaths += died;
    return died;
}

static void assert_taken_over(struct irsafs_core *c, const char *what)
{
    uint64_t tell = c->tell;
    irsafs_core_take_over(c);
    assert_int_equal(c->tell, tell + 1);
    assert_int_equal(c->announced, 0);
    roll_back(c); /* the next one was killed before it committed anything */
    assert_same(&before, c, what);
}

static void do_event(struct walk *w, const struct event *e, bool die, struct result *ret)
{
    struct result again;
    char what[64];
    (void)snprintf(what, sizeof(what), "event %u, kind %d", w->n_events, (int)e->kind);
    take(&before, w->core);
    passed = 0;
    run(w->core, e, ret);
    take(&after, w->core);
    roll_back(w->core);
    assert_same(&before, w->core, what);
    unsigned n = die ? passed : 0;
    for (unsigned i = 1; i <= n + 1 && die; i++) {
        (void)snprintf(what, sizeof(what), "event %u, kind %d, place %u", w->n_events, (int)e->kind,
                       i);
        assert_true(die_at(w, e, i) || i > n);
        roll_back(w->core);
        assert_same(&before, w->core, what);
        assert_taken_over(w->core, what);
        run(w->core, e, &again);
        assert_same_again(&after, w->core, what);
        assert_same_result(ret, &again);
        roll_back(w->core);
    }
    run(w->core, e, &again);
    assert_same_again(&after, w->core, what);
    assert_same_result(ret, &again);
    irsafs_core_commit(w->core, give_back);
    w->n_events++;
    w->done[e->kind]++;
}

static struct irsafs_landing any_landing(struct walk *w)
{
    static const char *const texts[] = {"A\n", "B\n", "[profile c]\n", "D\n"};
    struct irsafs_landing l = {.retry_after_ms = -1, .identity = "jane"};
    unsigned n = dice(w, 10);
    if (n < 6) {
        l.text = texts[n % IRSAFS_COUNT(texts)];
        l.text_len = strlen(l.text);
        l.identity[0] = n == 5 ? 'x' : 'j';
    } else {
        static const enum irsafs_code codes[] = {IRSAFS_E_CONNECT, IRSAFS_E_DENIED, IRSAFS_E_NO_RUN,
                                                 IRSAFS_E_BUSY};
        (void)irsafs_error_set(&l.error, codes[n - 6], "test");
        l.retry_after_ms = n == 9 ? 3000 : -1;
        l.connect_refused = n == 6;
    }
    return l;
}

static void drop_parked(struct walk *w, irsafs_waiter_id id)
{
    for (size_t i = 0; i < w->n_parked; i++) {
        if (w->parked[i] == id) {
            w->parked[i] = w->parked[--w->n_parked];
            return;
        }
    }
}

/* What comes next; false: nothing that makes sense now. */
static bool next_event(struct walk *w, struct event *e)
{
    bool any = w->n_held > 0;
    *e = (struct event){.kind = (enum kind)dice(w, KINDS), .now_ms = w->now_ms};
    e->ino = any ? w->held[dice(w, (unsigned)w->n_held)] : 1;
    e->request = (struct irsafs_request){.handle = w->n_events, .ino = e->ino};
    switch (e->kind) {
    case LOOKUP_CONFIG:
    case LOOKUP_STATUS:
        return w->n_held < HELD_MAX;
    case LOOK:
    case TOUCH:
        e->request.kind = e->kind == LOOK ? IRSAFS_REQUEST_GETATTR : IRSAFS_REQUEST_SETATTR;
        return w->n_parked < IRSAFS_COUNT(w->parked);
    case INTERRUPT:
        e->waiter = w->n_parked > 0 ? w->parked[dice(w, (unsigned)w->n_parked)] : 0;
        return e->waiter != 0;
    case FORGET:
        e->number = 1;
        return any && (w->n_held > HELD_MAX - 30 || dice(w, 3) == 0);
    case LANDED:
        e->number = irsafs_core_flight(w->core);
        e->landing = any_landing(w);
        return true;
    case TOLD:
        e->number = w->core->tell - dice(w, 2) % (w->core->tell + 1);
        return true;
    case ANSWERED:
        return w->core->waiters.answer.first != 0;
    case STOP:
        return false; /* at the end */
    case PUBLISH_STATUS:
    case TICK:
    case EFFECTS:
    case SAVE:
    case KINDS:
        break;
    }
    return true;
}

static void note(struct walk *w, const struct event *e, const struct result *r)
{
    if ((e->kind == LOOKUP_CONFIG || e->kind == LOOKUP_STATUS) && r->ok) {
        w->held[w->n_held++] = r->entry.ino;
    } else if (r->look == IRSAFS_LOOK_PARKED && r->waiter != 0) {
        w->parked[w->n_parked++] = r->waiter;
    } else if (e->kind == INTERRUPT) {
        drop_parked(w, e->waiter);
    } else if (e->kind == FORGET) {
        for (size_t i = 0; i < w->n_held; i++) {
            if (w->held[i] == e->ino) {
                w->held[i] = w->held[--w->n_held];
                break;
            }
        }
    }
}

static void begin_with(struct walk *w, const struct irsafs_core_settings *settings)
{
    *w = (struct walk){.core = map(PROT_READ | PROT_WRITE), .now_ms = 1000 * S};
    irsafs_core_init(w->core, settings, w->now_ms, real(w->now_ms));
}

static void begin(struct walk *w, uint64_t seed)
{
    const struct irsafs_core_settings settings = {
        .ttl_ms = 50 * S,
        .max_stale_ms = 3600 * S,
        .wait_ms = 5 * S,
        .stale_wait_ms = S,
        .fetch_timeout_ms = 60 * S,
        .min_refresh_ms = S,
        .mountpoint = "/m",
    };
    begin_with(w, &settings);
    w->random = seed;
}

static void end(struct walk *w)
{
    (void)munmap(w->core, irsafs_core_size());
}

static void walk(struct walk *w, unsigned n_steps, unsigned deaths_every)
{
    static const int64_t times[] = {0, 0, 0, 1, 5, 21, 101, 1 * S, 6 * S, 45 * S, 400 * S};
    struct event e;
    struct result r;
    for (unsigned i = 0; i < n_steps; i++) {
        w->now_ms += times[dice(w, IRSAFS_COUNT(times))];
        irsafs_waiter_id answer = w->core->waiters.answer.first;
        if (next_event(w, &e)) {
            do_event(w, &e, w->done[e.kind] % deaths_every == 0, &r);
            note(w, &e, &r);
            if (e.kind == ANSWERED) {
                drop_parked(w, answer);
            }
        }
    }
    e = (struct event){.kind = STOP, .now_ms = w->now_ms};
    do_event(w, &e, true, &r);
    for (int kind = 0; kind < KINDS; kind++) {
        assert_true(w->done[kind] > 0);
    }
}

static void test_walk_with_deaths(void **arg)
{
    (void)arg;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct walk w;
        begin(&w, seed);
        walk(&w, 1500, 7);
        assert_true(w.n_deaths > 500);
        end(&w);
    }
}

/* Tables that are full: generations are evicted, then inodes. */
static void test_deaths_when_all_is_full(void **arg)
{
    (void)arg;
    struct walk w;
    struct result r;
    struct event e = {.kind = PUBLISH_STATUS};
    begin(&w, 1);
    for (unsigned i = 0; i < IRSAFS_INODES_MAX + 3; i++) {
        bool die = i == IRSAFS_STATUS_GENERATIONS_MAX + 2 || i > IRSAFS_INODES_MAX;
        e.now_ms = w.now_ms;
        if (die) {
            do_event(&w, &e, true, &r);
        } else {
            run(w.core, &e, &r);
        }
        assert_true(irsafs_core_lookup_status(w.core, w.now_ms, &r.entry)); /* held */
        irsafs_core_commit(w.core, give_back);
    }
    assert_true(w.n_deaths > 30);
    end(&w);
}

/* The first worker is killed while it begins: another one begins anew. */
static void test_death_in_the_beginning(void **arg)
{
    (void)arg;
    struct walk w;
    const struct irsafs_core_settings settings = {.ttl_ms = 50 * S, .mountpoint = "/m"};
    begin_with(&w, &settings);
    take(&after, w.core);
    end(&w);
    for (volatile unsigned n = 1; n < 100; n++) {
        w.core = map(PROT_READ | PROT_WRITE);
        left = n;
        if (setjmp(death) == 0) {
            irsafs_core_init(w.core, &settings, w.now_ms, real(w.now_ms));
            assert_true(n > 3);
            n = 100;
        } else {
            w.core = move(w.core);
            roll_back(w.core);
            irsafs_core_init(w.core, &settings, w.now_ms, real(w.now_ms));
        }
        left = 0;
        assert_same_again(&after, w.core, "beginning");
        end(&w);
    }
}

/* ---- what is taken over is whole */

static const char *text_of(const struct irsafs_core *c, uint64_t ino, int64_t now_ms)
{
    static char text[64];
    struct irsafs_entry e;
    struct irsafs_str parts[2];
    const struct irsafs_generation *g = irsafs_core_file(c, ino, now_ms, &e);
    assert_non_null(g);
    irsafs_files_parts(c, g, parts);
    (void)snprintf(text, sizeof(text), "%.*s", (int)parts[1].len, parts[1].ptr);
    return text;
}

static uint64_t publish(struct walk *w, unsigned number)
{
    char text[16];
    struct irsafs_entry e;
    int len = snprintf(text, sizeof(text), "%u", number);
    irsafs_core_publish_status(w->core, (struct irsafs_str){text, (size_t)len}, w->now_ms,
                               real(w->now_ms));
    assert_true(irsafs_core_lookup_status(w->core, w->now_ms, &e));
    return e.ino;
}

/* All generations of `status` are held, one text is free; the worker is killed when it has filled it,
 * and the next one handles the same LOOKUP again before its first commit. */
static void test_no_text_is_written_twice(void **arg)
{
    (void)arg;
    enum { N = IRSAFS_STATUS_GENERATIONS_MAX };
    static uint64_t inos[N + 1];
    struct walk w;
    char number[16];
    begin(&w, 1);
    for (unsigned i = 0; i <= N; i++) { /* one more: the free text is not the last one */
        inos[i] = publish(&w, i);
        irsafs_core_commit(w.core, give_back);
    }
    if (setjmp(death) == 0) {
        left = 6;
        (void)publish(&w, N + 1);
        fail();
    }
    w.core = move(w.core);
    irsafs_core_take_over(w.core);
    (void)publish(&w, N + 1); /* inos[0] had to go before, inos[1] now */
    irsafs_core_commit(w.core, give_back);
    for (unsigned i = 2; i <= N; i++) {
        (void)snprintf(number, sizeof(number), "%u", i);
        assert_string_equal(text_of(w.core, inos[i], w.now_ms), number);
    }
    end(&w);
}

/* give_back asserts that these are pages. */
static void test_a_long_log_is_given_back(void **arg)
{
    (void)arg;
    struct walk w;
    begin(&w, 1);
    for (unsigned i = 0; i < 40; i++) {
        irsafs_core_save(w.core, &w.core->tables, 4096);
    }
    irsafs_core_commit(w.core, give_back);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_with_deaths),
        cmocka_unit_test(test_deaths_when_all_is_full),
        cmocka_unit_test(test_death_in_the_beginning),
        cmocka_unit_test(test_no_text_is_written_twice),
        cmocka_unit_test(test_a_long_log_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
