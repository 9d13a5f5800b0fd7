/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/scribe.h"

#include "base/clock.h"

#include <string.h>

enum {
    LOOK_MIN_MS = 50,      /* between two looks that nothing has happened between */
    RETRY_MS = 1000,       /* of a file that could not be written */
    STATUS_MIN_MS = 1000,  /* between two documents */
    STATUS_SETTLE_MS = 50, /* a fetch begins and ends: one document shows both */
};

void irsafs_scribe_init(struct irsafs_scribe *s, struct irsafs_block *block)
{
    *s = (struct irsafs_scribe){
        .core = irsafs_block_core(block),
        .block = block,
        .config = {.publication = &block->publications[IRSAFS_PUBLISHED_CONFIG],
                   .file = IRSAFS_PUBLISHED_CONFIG},
        .status = {.publication = &block->publications[IRSAFS_PUBLISHED_STATUS],
                   .file = IRSAFS_PUBLISHED_STATUS},
    };
}

/* A reader of this inode would see its text now. Before the first fetch has ended there is no file: that
 * says more than a text which says so. */
static void show(struct irsafs_scribe *s, uint64_t ino, int64_t now_ms)
{
    struct irsafs_entry entry;
    struct irsafs_str parts[2];
    const struct irsafs_generation *g = irsafs_core_file(s->core, ino, now_ms, &entry);
    if (g == NULL || s->stopped || irsafs_core_view(s->core, now_ms).last_flight_ms < 0) {
        return;
    }
    irsafs_files_parts(s->core, g, parts);
    s->again = !irsafs_publisher_ask(&s->config, g->number, parts, IRSAFS_COUNT(parts));
}

/* It stays looked up until another one has been seen, like the inode of an open file: a text that comes
 * again is then the same generation, and the file stays as it is. */
static void hold(struct irsafs_scribe *s, uint64_t ino)
{
    struct irsafs_scribed *scribed = &s->block->memory.scribed;
    irsafs_core_save(s->core, scribed, sizeof(*scribed));
    if (scribed->shown != 0) {
        irsafs_core_forget(s->core, scribed->shown, 1);
    }
    scribed->shown = ino;
}

static void look(struct irsafs_scribe *s, int64_t now_ms, struct timespec real)
{
    struct irsafs_scribed *scribed = &s->block->memory.scribed;
    struct irsafs_entry entry = irsafs_core_lookup_config(s->core, now_ms, real);
    const struct irsafs_request request = {.ino = entry.ino, .kind = IRSAFS_REQUEST_GETATTR};
    irsafs_waiter_id waiter;
    int64_t good_ms = entry.entry_timeout_ms;
    switch (irsafs_core_look(s->core, &request, now_ms, real, &waiter)) {
    case IRSAFS_LOOK_PARKED:
        irsafs_core_save(s->core, scribed, sizeof(*scribed));
        scribed->parked = entry.ino;
        return; /* it stays looked up until it is answered */
    case IRSAFS_LOOK_READY:
        show(s, entry.ino, now_ms);
        hold(s, entry.ino);
        break;
    case IRSAFS_LOOK_GONE:
    case IRSAFS_LOOK_FULL:
        irsafs_core_forget(s->core, entry.ino, 1);
        good_ms = RETRY_MS;
        break;
    }
    s->look_ms = now_ms + (good_ms > LOOK_MIN_MS ? good_ms : LOOK_MIN_MS);
}

static bool hear_touches(struct irsafs_scribe *s, int64_t now_ms, struct timespec real)
{
    struct irsafs_scribed *scribed = &s->block->memory.scribed;
    const struct irsafs_request request = {.kind = IRSAFS_REQUEST_SETATTR};
    uint64_t touches = atomic_load(&s->block->head.touches);
    irsafs_waiter_id waiter;
    if (touches == scribed->touches) {
        return false;
    }
    irsafs_core_save(s->core, scribed, sizeof(*scribed));
    scribed->touches = touches;
    (void)!irsafs_core_touch(s->core, &request, now_ms, real, &waiter); /* nobody waits for it */
    return true;
}

/* Of a look, or of a touch. */
static void take_answer(struct irsafs_scribe *s, const struct irsafs_request *r, int64_t now_ms)
{
    struct irsafs_scribed *scribed = &s->block->memory.scribed;
    if (r->kind == IRSAFS_REQUEST_GETATTR) {
        show(s, r->ino, now_ms);
        hold(s, r->ino);
        irsafs_core_save(s->core, scribed, sizeof(*scribed));
        scribed->parked = 0;
        s->look_ms = now_ms;
    }
    irsafs_core_answered(s->core);
}

bool irsafs_scribe_act(struct irsafs_scribe *s, uint64_t tell, int64_t now_ms, struct timespec real)
{
    struct irsafs_request request;
    struct irsafs_view view = irsafs_core_view(s->core, now_ms);
    uint64_t landed = view.flights - (view.in_flight ? 1 : 0);
    bool acted = hear_touches(s, now_ms, real);
    if (tell > s->told || landed != s->flights) {
        irsafs_core_told(s->core, tell);
        s->told = tell;
        s->flights = landed;
        s->look_ms = now_ms;
        acted = true;
    }
    while (irsafs_core_next_answer(s->core, &request)) {
        take_answer(s, &request, now_ms);
        acted = true;
    }
    if (!s->stopped && s->block->memory.scribed.parked == 0 && now_ms >= s->look_ms) {
        look(s, now_ms, real);
        acted = true;
    }
    return acted;
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return (digest ^ value) * UINT64_C(0x100000001b3); /* FNV-1a, a word at a time */
}

/* What moves with the clock is not in it. */
static uint64_t digest_of(const struct irsafs_scribe *s, uint64_t digest, int64_t now_ms)
{
    struct irsafs_view v = irsafs_core_view(s->core, now_ms);
    const uint64_t values[] = {
        (uint64_t)v.state,
        v.generation,
        v.flights,
        v.failed,
        v.in_flight,
        v.n_texts,
        v.error != NULL ? (uint64_t)v.error->code : 0,
        (uint64_t)s->config.errnum,
        s->config.published != 0,
    };
    for (size_t i = 0; i < IRSAFS_COUNT(values); i++) {
        digest = mix(digest, values[i]);
    }
    return digest;
}

void irsafs_scribe_status(struct irsafs_scribe *s,
                          uint64_t digest,
                          struct irsafs_str (*render)(void *user),
                          void *user,
                          int64_t now_ms)
{
    uint64_t seen = digest_of(s, digest, now_ms);
    if (seen != s->seen) {
        s->seen = seen;
        s->changed_ms = s->changed_ms != 0 ? s->changed_ms : now_ms;
    }
    if (s->changed_ms == 0 || s->stopped || now_ms < s->changed_ms + STATUS_SETTLE_MS ||
        (s->written_ms != 0 && now_ms < s->written_ms + STATUS_MIN_MS)) {
        return;
    }
    struct irsafs_str document = render(user);
    s->written_ms = now_ms;
    if (document.len > 0 && irsafs_publisher_ask(&s->status, (uint64_t)now_ms, &document, 1)) {
        s->changed_ms = 0;
    }
}

int64_t irsafs_scribe_next_ms(const struct irsafs_scribe *s)
{
    if (s->stopped) {
        return INT64_MAX;
    }
    int64_t next_ms = s->block->memory.scribed.parked == 0 ? s->look_ms : INT64_MAX;
    if (s->changed_ms != 0) {
        int64_t settled_ms = s->changed_ms + STATUS_SETTLE_MS;
        int64_t free_ms = s->written_ms != 0 ? s->written_ms + STATUS_MIN_MS : 0;
        int64_t at_ms = settled_ms > free_ms ? settled_ms : free_ms;
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    return next_ms;
}

void irsafs_scribe_answered(struct irsafs_scribe *s, const struct irsafs_order *order)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    if (order->file == IRSAFS_PUBLISHED_STATUS) {
        irsafs_publisher_answered(&s->status, order);
        if (s->status.errnum != 0 && s->changed_ms == 0) {
            s->changed_ms = now_ms; /* again, after the pause between two */
        }
        return;
    }
    irsafs_publisher_answered(&s->config, order);
    if (s->config.errnum != 0 && s->look_ms > now_ms + RETRY_MS) {
        s->look_ms = now_ms + RETRY_MS;
    } else if (s->again) {
        s->look_ms = now_ms;
    }
    s->again = false;
}

void irsafs_scribe_stop(struct irsafs_scribe *s)
{
    s->stopped = true;
}

const char *irsafs_scribe_missing(const struct irsafs_scribe *s)
{
    if (s->config.published != 0) {
        return NULL;
    }
    const char *why = s->config.errnum != 0 ? strerrordesc_np(s->config.errnum) : NULL;
    return why != NULL ? why : "it has not been written yet";
}

bool irsafs_scribe_is_done(const struct irsafs_scribe *s, enum irsafs_code *ret_code)
{
    struct irsafs_view view = irsafs_core_view(s->core, irsafs_clock_boot_ms());
    bool tried = s->config.published != 0 || s->config.errnum != 0;
    if (!tried || s->config.asked != 0 || s->again || view.in_flight || view.last_flight_ms < 0 ||
        s->block->memory.scribed.parked != 0) {
        return false;
    }
    *ret_code = s->config.errnum != 0 ? IRSAFS_E_IO
                : view.error != NULL  ? view.error->code
                                      : IRSAFS_OK;
    return true;
}
