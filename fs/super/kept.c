/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/kept.h"

#include "base/clock.h"
#include "base/log.h"

#include <sys/wait.h>

enum { RESTART_MIN_MS = 10, RESTART_MAX_MS = 1000, LOG_EVERY_MS = 1000 };

void irsafs_kept_restart(struct irsafs_kept *p, bool in_vain)
{
    int64_t pause_ms = 0;
    if (in_vain) {
        pause_ms = p->back_off_ms == 0 ? RESTART_MIN_MS : p->back_off_ms * 2;
        pause_ms = pause_ms > RESTART_MAX_MS ? RESTART_MAX_MS : pause_ms;
    }
    p->pid = 0;
    p->back_off_ms = pause_ms;
    p->start_ms = irsafs_clock_boot_ms() + pause_ms;
}

void irsafs_kept_delay(struct irsafs_kept *p)
{
    p->start_ms = irsafs_clock_boot_ms() + RESTART_MAX_MS;
}

void irsafs_kept_log_death(struct irsafs_kept *p, int status)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    p->deaths++;
    if (p->logged_ms == 0 || now_ms >= p->logged_ms + LOG_EVERY_MS) {
        p->logged_ms = now_ms;
        irsafs_log(IRSAFS_LOG_WARN, "process_died", IRSAFS_LOG_TEXT("process", p->name),
                   IRSAFS_LOG_NUMBER(WIFSIGNALED(status) ? "signal" : "status",
                                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
                   IRSAFS_LOG_NUMBER("deaths", p->deaths), IRSAFS_LOG_TEXT("action", "restart"));
    }
}
