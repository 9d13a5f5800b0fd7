/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/process.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

enum { RESTART_MIN_MS = 10, SAID_EVERY_MS = 1000 };

void irsafs_process_restart_later(struct irsafs_process *p, bool in_vain)
{
    int64_t pause_ms = 0;
    if (in_vain) {
        pause_ms = p->back_off_ms == 0 ? RESTART_MIN_MS : p->back_off_ms * 2;
        pause_ms = pause_ms > IRSAFS_RESTART_MAX_MS ? IRSAFS_RESTART_MAX_MS : pause_ms;
    }
    p->pid = 0;
    p->back_off_ms = pause_ms;
    p->start_ms = irsafs_clock_boot_ms() + pause_ms;
}

void irsafs_process_log_death(struct irsafs_process *p, int status)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    p->deaths++;
    if (p->logged_ms == 0 || now_ms >= p->logged_ms + SAID_EVERY_MS) {
        p->logged_ms = now_ms;
        irsafs_log(IRSAFS_LOG_WARN, "process_died", IRSAFS_LOG_TEXT("process", p->name),
                   IRSAFS_LOG_NUMBER(WIFSIGNALED(status) ? "signal" : "status",
                                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
                   IRSAFS_LOG_NUMBER("deaths", p->deaths), IRSAFS_LOG_TEXT("action", "restart"));
    }
}

void irsafs_log_untold(struct irsafs_untold *u, const struct irsafs_bell *bell)
{
    uint32_t failures = atomic_load(&bell->failures);
    bool more = failures != u->failures;
    if (more) {
        irsafs_log(u->before ? IRSAFS_LOG_DEBUG : IRSAFS_LOG_ERROR, "notify_failed",
                   IRSAFS_LOG_TEXT("error", strerrordesc_np((int)atomic_load(&bell->error))),
                   IRSAFS_LOG_NUMBER("times", failures));
    }
    *u = (struct irsafs_untold){.failures = failures, .before = more};
}
