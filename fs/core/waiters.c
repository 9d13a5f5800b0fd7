/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/waiters.h"

#include "fs/core/state.h"

#include <stddef.h>

static const struct irsafs_waiter *at(const struct irsafs_core *c, irsafs_waiter_id id)
{
    return &c->waiter_pool[id - 1];
}

/* For changing: what it was is saved. */
static struct irsafs_waiter *change(struct irsafs_core *c, irsafs_waiter_id id)
{
    struct irsafs_waiter *w = &c->waiter_pool[id - 1];
    irsafs_undo_save(&c->undo, w, sizeof(*w));
    return w;
}

static void append(struct irsafs_core *c, struct irsafs_waiter_list *list, irsafs_waiter_id id)
{
    struct irsafs_waiter *w = change(c, id);
    w->next = 0;
    w->prev = list->last;
    if (list->last != 0) {
        change(c, list->last)->next = id;
    } else {
        list->first = id;
    }
    list->last = id;
}

static void unlink_from(struct irsafs_core *c, struct irsafs_waiter_list *list, irsafs_waiter_id id)
{
    const struct irsafs_waiter *w = at(c, id);
    if (w->prev != 0) {
        change(c, w->prev)->next = w->next;
    } else {
        list->first = w->next;
    }
    if (w->next != 0) {
        change(c, w->next)->prev = w->prev;
    } else {
        list->last = w->prev;
    }
}

const struct irsafs_waiter *irsafs_waiters_at(const struct irsafs_core *c, irsafs_waiter_id id)
{
    return id == 0 ? NULL : &c->waiter_pool[id - 1];
}

irsafs_waiter_id
irsafs_waiters_park(struct irsafs_core *c, const struct irsafs_request *request, uint64_t told)
{
    struct irsafs_waiters *waiters = &c->waiters;
    irsafs_waiter_id id = waiters->free.last; /* last in, first out: few pages are touched */
    if (id != 0) {
        unlink_from(c, &waiters->free, id);
    } else if (waiters->n_used < IRSAFS_PARKED_MAX) {
        id = (irsafs_waiter_id)(++waiters->n_used);
    } else {
        c->counts.refused++;
        return 0;
    }
    *change(c, id) = (struct irsafs_waiter){.request = *request, .told = told};
    append(c, &waiters->parked, id);
    waiters->n_parked++;
    waiters->n_lookers += told == 0;
    return id;
}

static void unpark(struct irsafs_core *c, irsafs_waiter_id id)
{
    unlink_from(c, &c->waiters.parked, id);
    c->waiters.n_parked--;
    c->waiters.n_lookers -= at(c, id)->told == 0;
}

void irsafs_waiters_answer(struct irsafs_core *c, irsafs_waiter_id id)
{
    unpark(c, id);
    append(c, &c->waiters.answer, id);
    change(c, id)->answering = true;
}

void irsafs_waiters_remove(struct irsafs_core *c, irsafs_waiter_id id)
{
    if (at(c, id)->answering) {
        unlink_from(c, &c->waiters.answer, id);
    } else {
        unpark(c, id);
    }
    append(c, &c->waiters.free, id);
}
