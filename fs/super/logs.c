/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/logs.h"

#include "base/clock.h"
#include "fs/super/post.h"

static void tell_worker(int post_fd, const int *fds, size_t n_fds)
{
    const struct irsafs_order order = {.type = IRSAFS_ORDER_LOG, .code = irsafs_log_level()};
    irsafs_post_send(post_fd, &order, fds, n_fds);
}

static void tell_of_file(const struct irsafs_logs *l, int post_fd, int null_fd)
{
    tell_worker(post_fd, l->file.fd >= 0 ? &l->file.fd : &null_fd, 1);
}

void irsafs_logs_on_usr1(struct irsafs_logs *l, int post_fd)
{
    enum irsafs_log_level level =
        irsafs_log_level() == IRSAFS_LOG_DEBUG ? l->level : IRSAFS_LOG_DEBUG;
    irsafs_log_set_level(IRSAFS_LOG_DEBUG); /* so that this is said */
    irsafs_log(IRSAFS_LOG_INFO, "log_level_changed",
               IRSAFS_LOG_TEXT("to", irsafs_log_level_name(level)));
    irsafs_log_set_level(level);
    tell_worker(post_fd, NULL, 0);
}

void irsafs_logs_on_hangup(struct irsafs_logs *l, int post_fd, int null_fd)
{
    irsafs_log(IRSAFS_LOG_INFO, "log_reopened");
    if (irsafs_applog_reopen(&l->file, irsafs_clock_boot_ms())) {
        tell_of_file(l, post_fd, null_fd);
    }
}

void irsafs_logs_tick(struct irsafs_logs *l, int64_t now_ms, int post_fd, int null_fd)
{
    if (irsafs_applog_check(&l->file, now_ms)) {
        tell_of_file(l, post_fd, null_fd);
    }
}
