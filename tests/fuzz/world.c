/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/world.h"

#include "base/awsconfig/canon.h"
#include "base/limits.h"
#include "fs/core/backoff.h"
#include "tests/fuzz/death.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

enum { S = 1000, START_MS = 30 * S, NO_RUN_MS = 60 * S };

struct timespec fuzz_world_real(const struct fuzz_world *w)
{
    return (struct timespec){.tv_sec = 1767225600 + w->now_ms / S,
                             .tv_nsec = w->now_ms % S * 1000000};
}

static struct irsafs_view view_of(const struct fuzz_world *w)
{
    return irsafs_core_view(w->core, w->now_ms);
}

static void make_text(struct fuzz_text *text, unsigned number)
{
    size_t len = 0;
    for (unsigned i = 0; i <= number % 3; i++) {
        len += (size_t)snprintf(text->bytes + len, sizeof(text->bytes) - len,
                                "[profile r%u-%u]\nweb_identity_token_file = %s\n"
                                "role_arn=arn:aws:iam::123456789012:role/r%u\n",
                                number, i, IRSAFS_DEFAULT_TOKEN_PATH, number);
    }
    text->size = len;
}

void fuzz_world_init(struct fuzz_world *w, unsigned variant)
{
    static const struct irsafs_core_settings variants[] = {
        {.ttl_ms = 50 * S,
         .max_stale_ms = 3600 * S,
         .wait_ms = 5 * S,
         .stale_wait_ms = S,
         .fetch_timeout_ms = 60 * S,
         .min_refresh_ms = 2 * S},
        {.ttl_ms = 900 * S, /* with jitter */
         .max_stale_ms = 24 * 3600 * S,
         .wait_ms = 5 * S,
         .stale_wait_ms = S,
         .fetch_timeout_ms = 60 * S,
         .min_refresh_ms = 2 * S,
         .prefetch = true},
        {.ttl_ms = 10,
         .max_stale_ms = 100,
         .wait_ms = 50,
         .stale_wait_ms = 20,
         .fetch_timeout_ms = 10},
        {.ttl_ms = 10 * S, .fetch_timeout_ms = 60 * S}, /* nobody ever waits */
    };
    memset(w, 0, offsetof(struct fuzz_world, inodes));
    memset(w->parked, 0, sizeof(w->parked));
    w->n_inodes = 0;
    w->last_id = 0;
    w->n_ghosts = 0;
    w->settings = variants[variant % IRSAFS_COUNT(variants)];
    (void)snprintf(w->settings.mountpoint, sizeof(w->settings.mountpoint), "/var/run/.aws");
    w->settings.random_seed = variant;
    w->now_ms = 1000 * S;
    w->no_run_since_ms = -1;
    w->failed_ms = -1;
    w->good_ms = -1;
    for (unsigned i = 0; i < FUZZ_TEXTS; i++) {
        make_text(&w->texts[i], i);
    }
    w->block = fuzz_block_new();
    w->core = irsafs_block_core(w->block);
    irsafs_core_init(w->core, &w->settings, w->now_ms, fuzz_world_real(w));
    w->ttl_ms = view_of(w).ttl_ms;
}

void fuzz_world_move(struct fuzz_world *w)
{
    w->block = fuzz_block_move();
    w->core = irsafs_block_core(w->block);
    w->taken_over = true;
}

/* ---- flights */

static void begin_flight(struct fuzz_world *w, uint64_t number)
{
    FUZZ_ASSERT(w->flight == 0 && !w->stopped); /* single flight */
    FUZZ_ASSERT(number == w->n_flights + 1);
    FUZZ_ASSERT(w->now_ms >= w->patience_until_ms);
    if (w->failed_ms >= 0 && !w->touched) {
        int64_t least = w->failed_refused && w->failed_ms < 1000 * S + START_MS ? 500 : 800;
        FUZZ_ASSERT(w->now_ms >= w->failed_ms + least);
    }
    w->flight = number;
    w->n_flights = number;
    w->touched = false;
}

static void forget_texts(struct fuzz_world *w)
{
    w->dropped_flight = w->flight;
    w->dropped_generation = view_of(w).generation;
}

static void landed(struct fuzz_world *w, const struct irsafs_landing *landing)
{
    uint64_t number = w->flight;
    w->flight = 0;
    irsafs_core_landed(w->core, number, landing, w->now_ms, fuzz_world_real(w));
}

void fuzz_world_land_good(struct fuzz_world *w, unsigned arg)
{
    struct fuzz_text *text = &w->texts[arg % FUZZ_TEXTS];
    struct irsafs_landing landing = {.retry_after_ms = -1, .profiles = arg % 3 + 1};
    if (w->flight == 0) {
        return;
    }
    landing.identity[0] = (char)('a' + arg / FUZZ_TEXTS % 2);
    if (w->identity != 0 && landing.identity[0] != w->identity) {
        forget_texts(w);
    }
    w->identity = landing.identity[0];
    text->flight = w->flight;
    text->landed_ms = w->now_ms;
    w->no_run_since_ms = -1;
    w->failed_ms = -1;
    w->good_ms = w->now_ms;
    w->patience_until_ms = 0;
    landing.text = text->bytes;
    landing.text_len = text->size;
    landed(w, &landing);
}

void fuzz_world_land_bad(struct fuzz_world *w, unsigned arg)
{
    static const struct {
        enum irsafs_code code;
        int64_t retry_after_ms;
        bool refused;
        char identity;
    } rows[] = {
        {IRSAFS_E_CONNECT, -1, true, 0},         {IRSAFS_E_TIMEOUT, -1, false, 0},
        {IRSAFS_E_DENIED, -1, false, 'a'},       {IRSAFS_E_NO_RUN, -1, false, 'a'},
        {IRSAFS_E_BUSY, 0, false, 'a'},          {IRSAFS_E_BUSY, 3000, false, 'a'},
        {IRSAFS_E_SERVICE, INT64_MAX, false, 0}, {IRSAFS_E_SERVICE, -1, false, 'b'},
        {IRSAFS_E_MEMORY, -1, false, 0},         {IRSAFS_E_NOT_CONFIG, -2, false, 0},
    };
    struct irsafs_landing landing = {.retry_after_ms =
                                         rows[arg % IRSAFS_COUNT(rows)].retry_after_ms};
    if (w->flight == 0) {
        return;
    }
    landing.connect_refused = rows[arg % IRSAFS_COUNT(rows)].refused;
    landing.identity[0] = rows[arg % IRSAFS_COUNT(rows)].identity;
    enum irsafs_code code = rows[arg % IRSAFS_COUNT(rows)].code;
    (void)irsafs_error_set(&landing.error, code, "cause %u", arg);
    bool other =
        landing.identity[0] != '\0' && w->identity != 0 && landing.identity[0] != w->identity;
    if (other || code == IRSAFS_E_DENIED) {
        forget_texts(w);
        w->identity = 0;
    }
    w->failed_ms = w->now_ms;
    w->failed_refused = landing.connect_refused;
    if (landing.retry_after_ms >= 0) {
        w->patience_until_ms = w->now_ms + irsafs_retry_after_clamp_ms(landing.retry_after_ms);
    }
    if (code != IRSAFS_E_NO_RUN) {
        w->no_run_since_ms = -1;
    } else if (w->no_run_since_ms < 0) {
        w->no_run_since_ms = w->now_ms;
    }
    landed(w, &landing);
}

/* ---- time */

static int64_t longest_wait_ms(const struct fuzz_world *w)
{
    return w->settings.wait_ms > w->settings.stale_wait_ms ? w->settings.wait_ms
                                                           : w->settings.stale_wait_ms;
}

static int64_t longest_life_ms(const struct fuzz_world *w)
{
    return w->settings.max_stale_ms > w->ttl_ms ? w->settings.max_stale_ms : w->ttl_ms;
}

static bool is_look(const struct fuzz_parked *p)
{
    return p->kind == IRSAFS_REQUEST_GETATTR || p->kind == IRSAFS_REQUEST_READ;
}

static void assert_bounds(const struct fuzz_world *w)
{
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        const struct fuzz_parked *p = &w->parked[i];
        if (p->id == 0) {
            continue;
        }
        FUZZ_ASSERT(!w->stopped);
        if (is_look(p)) {
            FUZZ_ASSERT(w->now_ms < p->since_ms + longest_wait_ms(w));
        } else {
            FUZZ_ASSERT(w->told < w->tell); /* a touch waits for nothing else */
        }
    }
}

static void assert_view(const struct fuzz_world *w, const struct irsafs_view *v)
{
    uint32_t n_parked = 0;
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        n_parked += w->parked[i].id != 0 ? 1 : 0;
    }
    FUZZ_ASSERT(v->waiters >= n_parked && v->waiters <= n_parked + w->n_ghosts);
    FUZZ_ASSERT(v->in_flight == (w->flight != 0 && !w->stopped));
    FUZZ_ASSERT(v->flights == w->n_flights && v->failed <= v->flights);
    FUZZ_ASSERT(v->next_change_ms >= -1 && v->next_try_ms >= -1);
    FUZZ_ASSERT(v->state != IRSAFS_STATE_FRESH || (v->have_text && v->age_ms < v->ttl_ms));
    FUZZ_ASSERT(v->state != IRSAFS_STATE_AGING || (v->have_text && v->age_ms < v->ttl_ms));
    FUZZ_ASSERT(v->state != IRSAFS_STATE_STALE || v->have_text);
    FUZZ_ASSERT(v->state != IRSAFS_STATE_NONE || (!v->have_text && v->bytes > 0));
    /* A fresh answer counts for its TTL, and nothing counts for longer than max-stale. */
    FUZZ_ASSERT(w->good_ms < 0 || w->failed_ms >= 0 || w->now_ms >= w->good_ms + w->ttl_ms ||
                v->have_text);
    FUZZ_ASSERT(!v->have_text || v->age_ms < longest_life_ms(w));
    FUZZ_ASSERT(!w->stopped || v->usage.pending == 0);
    FUZZ_ASSERT(v->usage.underflows == 0);
}

void fuzz_world_settle(struct fuzz_world *w)
{
    struct irsafs_effects e;
    do {
        e = irsafs_core_effects(w->core, w->now_ms, fuzz_world_real(w));
        irsafs_core_commit(w->core, fuzz_block_give_back);
        if (w->taken_over && e.start_flight == w->flight) {
            e.start_flight = 0; /* a supervisor knows */
        }
        w->taken_over = false;
        if (e.start_flight != 0) {
            begin_flight(w, e.start_flight);
        }
        if (e.start_flight != 0 && w->fail_at_once) {
            w->fail_at_once = false;
            fuzz_world_land_bad(w, 8);
        }
    } while (e.start_flight != 0 && w->flight == 0);
    FUZZ_ASSERT(e.tell >= w->tell);
    FUZZ_ASSERT(e.next_tick_ms > w->now_ms); /* no busy loop */
    w->tell = e.tell;
    w->next_tick_ms = e.next_tick_ms;
    w->answer(w->user);
    if (w->n_settles++ % 4 == 0) { /* it looks through whole tables */
        struct irsafs_view view = view_of(w);
        assert_view(w, &view);
    }
    assert_bounds(w);
}

void fuzz_world_pass(struct fuzz_world *w, int64_t ms)
{
    int64_t until = w->now_ms + ms;
    while (w->next_tick_ms <= until) {
        w->now_ms = w->next_tick_ms;
        irsafs_core_tick(w->core, w->now_ms, fuzz_world_real(w));
        fuzz_world_settle(w);
    }
    w->now_ms = until;
    fuzz_world_settle(w);
}

int64_t fuzz_world_duration_ms(unsigned arg)
{
    static const int64_t durations[] = {1,       5,       20,       100,      500,       1 * S,
                                        2 * S,   4 * S,   10 * S,   40 * S,   60 * S,    300 * S,
                                        720 * S, 900 * S, 3600 * S, 7200 * S, 86400 * S, 30};
    return durations[arg % IRSAFS_COUNT(durations)];
}

void fuzz_world_told(struct fuzz_world *w, uint64_t told)
{
    irsafs_core_told(w->core, told);
    w->told = told > w->told ? told : w->told;
}

void fuzz_world_stop(struct fuzz_world *w)
{
    irsafs_core_stop(w->core, w->now_ms, fuzz_world_real(w));
    w->stopped = true;
    w->flight = 0;
}

/* ---- what readers see */

struct fuzz_inode *
fuzz_world_looked_up(struct fuzz_world *w, uint64_t ino, enum irsafs_kind kind, uint64_t needed)
{
    struct fuzz_inode *inode = NULL;
    for (size_t i = 0; i < w->n_inodes && inode == NULL; i++) {
        inode = w->inodes[i].ino == ino ? &w->inodes[i] : NULL;
    }
    if (inode == NULL) {
        FUZZ_ASSERT(w->n_inodes < FUZZ_INODES_MAX); /* the caller counts */
        inode = &w->inodes[w->n_inodes++];
        memset(inode, 0, offsetof(struct fuzz_inode, content));
        inode->ino = ino;
        inode->kind = kind;
    } else {
        /* A number means one file for ever, and a pending one is handed out once. */
        struct irsafs_entry entry;
        FUZZ_ASSERT(inode->kind == kind);
        FUZZ_ASSERT(irsafs_core_file(w->core, ino, w->now_ms, &entry) != NULL);
    }
    if (kind == IRSAFS_KIND_CONFIG && needed > inode->needed_flight) {
        inode->needed_flight = needed;
    }
    inode->n_lookups++;
    fuzz_world_see(w, inode);
    return inode;
}

struct fuzz_inode *fuzz_world_inode(struct fuzz_world *w, unsigned arg)
{
    for (size_t i = w->n_inodes; i > 0; i--) {
        struct fuzz_inode *inode = &w->inodes[i - 1];
        if (inode->n_lookups > 0 && arg-- == 0) {
            return inode;
        }
    }
    return NULL;
}

static size_t copy_content(const struct fuzz_world *w,
                           const struct irsafs_generation *g,
                           char to[FUZZ_CONTENT_MAX])
{
    struct irsafs_str parts[2];
    size_t len = 0;
    irsafs_files_parts(w->core, g, parts);
    for (size_t i = 0; i < IRSAFS_COUNT(parts); i++) {
        FUZZ_ASSERT(len + parts[i].len <= FUZZ_CONTENT_MAX);
        if (parts[i].len > 0) {
            memcpy(to + len, parts[i].ptr, parts[i].len);
        }
        len += parts[i].len;
    }
    return len;
}

static const struct fuzz_text *find_text(const struct fuzz_world *w, struct irsafs_str body)
{
    for (size_t i = 0; i < FUZZ_TEXTS; i++) {
        if (irsafs_str_equal((struct irsafs_str){w->texts[i].bytes, w->texts[i].size}, body)) {
            return &w->texts[i];
        }
    }
    return NULL;
}

static void assert_content(const struct fuzz_world *w,
                           const struct fuzz_inode *inode,
                           const struct irsafs_generation *g)
{
    size_t offset = 0;
    struct timespec real = fuzz_world_real(w);
    FUZZ_ASSERT(irsafs_canon_check(inode->content, inode->size, IRSAFS_DEFAULT_TOKEN_PATH,
                                   &offset) == NULL);
    FUZZ_ASSERT(inode->size > 0 && g->ready_ms <= w->now_ms && g->mtime.tv_sec <= real.tv_sec);
    if (g->body == 0) {
        return;
    }
    const struct fuzz_text *text = find_text(w, irsafs_files_bytes(w->core, g->body));
    FUZZ_ASSERT(text != NULL && text->flight > 0);
    FUZZ_ASSERT(g->number <= w->dropped_generation || text->flight >= w->dropped_flight);
    FUZZ_ASSERT(g->ready_ms - text->landed_ms < longest_life_ms(w));
    FUZZ_ASSERT(w->no_run_since_ms < 0 || g->ready_ms < w->no_run_since_ms + NO_RUN_MS);
    if (g->head_len == 0) {
        FUZZ_ASSERT(g->ready_ms < text->landed_ms + w->ttl_ms);
        FUZZ_ASSERT(text->flight >= inode->needed_flight);
    }
}

void fuzz_world_see(struct fuzz_world *w, struct fuzz_inode *inode)
{
    static char content[FUZZ_CONTENT_MAX];
    struct irsafs_entry entry;
    const struct irsafs_generation *g = irsafs_core_file(w->core, inode->ino, w->now_ms, &entry);
    if (g == NULL) {
        FUZZ_ASSERT(!inode->known || inode->n_lookups == 0 || view_of(w).usage.evicted > 0);
        return;
    }
    size_t size = copy_content(w, g, content);
    if (!inode->known) {
        inode->known = true;
        inode->size = size;
        inode->generation = g->number;
        inode->mtime = g->mtime;
        memcpy(inode->content, content, size);
    }
    if (inode->kind == IRSAFS_KIND_CONFIG) {
        assert_content(w, inode, g);
    }
    FUZZ_ASSERT(inode->size == size && memcmp(inode->content, content, size) == 0);
    FUZZ_ASSERT(inode->generation == g->number && inode->mtime.tv_sec == g->mtime.tv_sec &&
                inode->mtime.tv_nsec == g->mtime.tv_nsec);
    FUZZ_ASSERT(entry.size == size);
    FUZZ_ASSERT(entry.entry_timeout_ms >= 0 && entry.attr_timeout_ms >= 0);
    FUZZ_ASSERT(entry.entry_timeout_ms <= 24 * 3600 * S && entry.attr_timeout_ms <= 24 * 3600 * S);
}

/* ---- requests */

struct fuzz_parked *
fuzz_world_ask(struct fuzz_world *w, enum irsafs_request_kind kind, uint64_t ino)
{
    struct fuzz_parked *p = fuzz_world_find(w, 0);
    if (p != NULL) {
        *p = (struct fuzz_parked){
            .id = ++w->last_id, .kind = kind, .ino = ino, .since_ms = w->now_ms};
        p->needed_flight = w->n_flights + 1;
        w->touched = w->touched || !is_look(p);
    }
    return p;
}

struct fuzz_parked *fuzz_world_find(struct fuzz_world *w, uint64_t id)
{
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        if (w->parked[i].id == id) {
            return &w->parked[i];
        }
    }
    return NULL;
}

void fuzz_world_answered(struct fuzz_world *w, uint64_t id, bool ok)
{
    struct fuzz_parked *p = fuzz_world_find(w, id);
    FUZZ_ASSERT(id != 0 && p != NULL);
    if (ok && !is_look(p) && !w->stopped && p->needed_flight > w->needed_flight) {
        w->needed_flight = p->needed_flight;
    }
    p->id = 0;
}

bool fuzz_world_in_use(const struct fuzz_world *w, uint64_t ino)
{
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        if (w->parked[i].id != 0 && w->parked[i].ino == ino) {
            return true;
        }
    }
    return false;
}
