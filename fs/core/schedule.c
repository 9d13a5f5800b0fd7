/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/state.h"

#define NEVER INT64_MAX

enum {
    TOUCH_SETTLE_MS = 5,    /* see irsafs_due_ms */
    FLIGHT_GRACE_MS = 1000, /* between the deadline of a client and the news of its end */
    NO_RUN_GRACE_MS = 60 * 1000,
};

int64_t irsafs_aging_ms(const struct irsafs_core *c)
{
    return c->good.landed_ms + c->settings.ttl_ms / 5 * 4;
}

int64_t irsafs_next_change_ms(const struct irsafs_core *c, int64_t now_ms)
{
    bool coming = c->flight.running || c->asked;
    if (irsafs_shows_fresh_text(c, irsafs_current(c))) {
        int64_t end = irsafs_expiry_ms(c);
        if (now_ms < irsafs_aging_ms(c)) {
            return irsafs_aging_ms(c);
        }
        return coming || !c->failure.active ? end : irsafs_min_ms(end, c->failure.next_try_ms);
    }
    if (coming) {
        return (c->flight.running ? c->flight.start_ms : now_ms) + c->settings.fetch_timeout_ms +
               FLIGHT_GRACE_MS;
    }
    return c->failure.active           ? c->failure.next_try_ms
           : irsafs_due_ms(c) != NEVER ? irsafs_due_ms(c)
                                       : now_ms;
}

int64_t irsafs_expiry_ms(const struct irsafs_core *c)
{
    return c->good.landed_ms + c->settings.ttl_ms;
}

int64_t irsafs_good_end_ms(const struct irsafs_core *c)
{
    /* What is within its TTL is not stale, however little staleness is allowed. */
    int64_t end = c->good.landed_ms + irsafs_max_ms(c->settings.max_stale_ms, c->settings.ttl_ms);
    if (c->failure.first_no_run_ms >= 0) {
        end = irsafs_min_ms(end, c->failure.first_no_run_ms + NO_RUN_GRACE_MS);
    }
    return end;
}

int64_t irsafs_due_ms(const struct irsafs_core *c)
{
    if (c->flight.running || c->stopping) {
        return NEVER;
    }
    int64_t due = NEVER;
    if (c->touched) {
        int64_t earliest = c->retry_after_until_ms;
        if (c->flight.number > 0) {
            earliest = irsafs_max_ms(earliest, c->flight.start_ms + c->settings.min_refresh_ms);
        }
        /* `echo > refresh` is a truncation and a write: one fetch serves both, unless somebody
         * already waits for it. */
        bool waited_for = c->next_deadline_ms != 0 && c->waiters.n_lookers > 0;
        due = irsafs_max_ms(earliest, waited_for ? 0 : c->touched_ms + TOUCH_SETTLE_MS);
    }
    if (c->asked) {
        due = irsafs_min_ms(due, irsafs_max_ms(c->asked_ms, c->retry_after_until_ms));
    }
    return due;
}

enum irsafs_refresh_outcome irsafs_touch_outcome(const struct irsafs_core *c, int64_t now_ms)
{
    return irsafs_due_ms(c) <= now_ms + TOUCH_SETTLE_MS ? IRSAFS_REFRESH_FETCHED
                                                        : IRSAFS_REFRESH_DELAYED;
}

int64_t irsafs_bound_ms(const struct irsafs_core *c)
{
    bool first = c->good.body == 0 && c->last_number == 0;
    return first ? c->settings.wait_ms : c->settings.stale_wait_ms;
}
