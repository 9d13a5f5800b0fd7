/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/watch.h"

#include "base/log.h"

#include <signal.h>
#include <stdatomic.h>

enum {
    HUNG_TICKS = 5,     /* without progress: this worker, or notifier, is killed */
    HUNG_WORKERS = 2,   /* in a row, none of which has answered anything: as below */
    GIVE_UP_TICKS = 10, /* no worker at all makes progress: the connection is given up */
    LAST_TICKS = 60,    /* the same where no other connection can be had */
    SOUND_TICKS = 10,   /* with progress: the connections given up before do not count any more */
    GIVE_UPS_MAX = 3,   /* in a row */
};

/* One that waits in the kernel for a LOOKUP dies when that is answered; the next one tells again. */
void irsafs_watch_notifier(struct irsafs_watch *w,
                           const struct irsafs_bell *bell,
                           const struct irsafs_process *notifier)
{
    uint64_t told = atomic_load(&bell->told);
    irsafs_log_untold(&w->untold, bell);
    bool silent = told == w->told && told != atomic_load(&bell->tell);
    w->told = told;
    w->untold_ticks = silent ? w->untold_ticks + 1 : 0;
    if (w->untold_ticks >= HUNG_TICKS && notifier->pid > 0) {
        irsafs_log(IRSAFS_LOG_ERROR, "notifier_hung",
                   IRSAFS_LOG_NUMBER("after_ms", HUNG_TICKS * IRSAFS_TICK_MS),
                   IRSAFS_LOG_TEXT("action", "kill"));
        (void)kill(notifier->pid, SIGKILL);
        w->untold_ticks = 0;
    }
}

bool irsafs_watch_worker(struct irsafs_watch *w,
                         const struct irsafs_head *head,
                         const struct irsafs_process *worker)
{
    uint64_t progress = atomic_load(&head->progress);
    uint64_t alive = atomic_load(&head->alive);
    w->hung_workers = alive == w->alive ? w->hung_workers : 0;
    w->alive = alive;
    if (progress != w->progress) {
        w->progress = progress;
        w->idle_ticks = 0;
        w->give_ups = ++w->sound_ticks >= SOUND_TICKS ? 0 : w->give_ups;
        return true;
    }
    w->sound_ticks = 0;
    bool hung = ++w->idle_ticks % HUNG_TICKS == 0 && worker->pid > 0;
    w->hung_workers += hung ? 1 : 0;
    bool lost = w->last ? w->idle_ticks >= LAST_TICKS
                        : w->idle_ticks >= GIVE_UP_TICKS || w->hung_workers >= HUNG_WORKERS;
    if (hung && !lost) {
        irsafs_log(IRSAFS_LOG_ERROR, "worker_hung",
                   IRSAFS_LOG_NUMBER("after_ms", HUNG_TICKS * IRSAFS_TICK_MS),
                   IRSAFS_LOG_TEXT("action", "kill"));
        (void)kill(worker->pid, SIGKILL);
    }
    return !lost;
}

int64_t irsafs_watch_patience_ms(const struct irsafs_watch *w)
{
    return (int64_t)(w->last ? LAST_TICKS : GIVE_UP_TICKS) * IRSAFS_TICK_MS;
}

bool irsafs_watch_anew(struct irsafs_watch *w)
{
    *w = (struct irsafs_watch){.last = w->last, .give_ups = w->give_ups + 1};
    return w->give_ups < GIVE_UPS_MAX;
}
