/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/state.h"

static enum irsafs_state state_now(const struct irsafs_core *c, int64_t now_ms)
{
    const struct irsafs_inode *cur = irsafs_current(c);
    if (irsafs_is_pending(cur)) {
        return c->flight.number == 0 && !c->touched && !c->asked ? IRSAFS_STATE_EMPTY
                                                                 : IRSAFS_STATE_PENDING;
    }
    if (irsafs_shows_fresh_text(c, cur)) {
        return now_ms < irsafs_aging_ms(c) ? IRSAFS_STATE_FRESH : IRSAFS_STATE_AGING;
    }
    return c->good.body != 0 ? IRSAFS_STATE_STALE : IRSAFS_STATE_NONE;
}

struct irsafs_view irsafs_core_view(const struct irsafs_core *c, int64_t now_ms)
{
    const struct irsafs_inode *cur = irsafs_current(c);
    struct irsafs_view v = {
        .state = state_now(c, now_ms),
        .generation = c->last_number,
        .bytes =
            irsafs_is_pending(cur) ? 0 : irsafs_files_size(c, irsafs_files_at(c, cur->generation)),
        .have_text = c->good.body != 0,
        .profiles = c->good.profiles,
        .n_texts = c->n_texts,
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
        .usage = irsafs_files_usage(c),
        .counts = c->counts,
    };
    if (!irsafs_is_pending(cur)) {
        v.next_change_ms = irsafs_max_ms(0, irsafs_next_change_ms(c, now_ms) - now_ms);
    }
    if (c->failure.active && !c->flight.running) {
        v.next_try_ms =
            irsafs_max_ms(0, irsafs_min_ms(irsafs_due_ms(c), c->failure.next_try_ms) - now_ms);
    }
    return v;
}

struct irsafs_last_good irsafs_core_last_good(const struct irsafs_core *c)
{
    bool have = c->good.body != 0;
    return (struct irsafs_last_good){
        .have_text = have,
        .text = have ? irsafs_files_bytes(c, c->good.body) : (struct irsafs_str){"", 0},
        .fetched_s = c->good.landed_s,
        .n_texts = c->n_texts,
        .fetched = c->last_flight_ms >= 0,
        .error = c->failure.active ? c->failure.error.code : IRSAFS_OK,
    };
}

const char *irsafs_state_name(enum irsafs_state state)
{
    switch (state) {
    case IRSAFS_STATE_EMPTY:
        return "empty";
    case IRSAFS_STATE_PENDING:
        return "pending";
    case IRSAFS_STATE_FRESH:
        return "fresh";
    case IRSAFS_STATE_AGING:
        return "aging";
    case IRSAFS_STATE_STALE:
        return "stale";
    case IRSAFS_STATE_NONE:
        return "none";
    }
    return "";
}
