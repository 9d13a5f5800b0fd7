/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/waiters.h"

#include <stddef.h>

static void append(struct irsafs_waiter_list *list, struct irsafs_waiter *w)
{
    w->next = NULL;
    w->prev = list->last;
    if (list->last != NULL) {
        list->last->next = w;
    } else {
        list->first = w;
    }
    list->last = w;
}

static void unlink_from(struct irsafs_waiter_list *list, struct irsafs_waiter *w)
{
    if (w->prev != NULL) {
        w->prev->next = w->next;
    } else {
        list->first = w->next;
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    } else {
        list->last = w->prev;
    }
}

struct irsafs_waiter *irsafs_waiters_park(struct irsafs_waiters *waiters,
                                          const struct irsafs_request *request,
                                          uint64_t told)
{
    struct irsafs_waiter *w = waiters->free.last; /* last in, first out: few pages are touched */
    if (w != NULL) {
        unlink_from(&waiters->free, w);
    } else if (waiters->n_used < IRSAFS_PARKED_MAX) {
        w = &waiters->pool[waiters->n_used++];
    } else {
        return NULL;
    }
    *w = (struct irsafs_waiter){.request = *request, .told = told};
    append(&waiters->parked, w);
    waiters->n_parked++;
    waiters->n_lookers += told == 0;
    return w;
}

static void unpark(struct irsafs_waiters *waiters, struct irsafs_waiter *w)
{
    unlink_from(&waiters->parked, w);
    waiters->n_parked--;
    waiters->n_lookers -= w->told == 0;
}

void irsafs_waiters_answer(struct irsafs_waiters *waiters, struct irsafs_waiter *w)
{
    unpark(waiters, w);
    w->answering = true;
    append(&waiters->answer, w);
}

bool irsafs_waiters_pop(struct irsafs_waiters *waiters, struct irsafs_request *ret_request)
{
    struct irsafs_waiter *w = waiters->answer.first;
    if (w == NULL) {
        return false;
    }
    *ret_request = w->request;
    irsafs_waiters_remove(waiters, w);
    return true;
}

void irsafs_waiters_remove(struct irsafs_waiters *waiters, struct irsafs_waiter *w)
{
    if (w->answering) {
        unlink_from(&waiters->answer, w);
    } else {
        unpark(waiters, w);
    }
    append(&waiters->free, w);
}
