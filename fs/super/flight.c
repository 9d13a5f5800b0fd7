/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/flight.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "fs/shared/handed.h"
#include "fs/super/post.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    REPORT_FD = 3,
    CRASHES_MAX = 3, /* of workers that have the outcome of one flight in hand */
};

void irsafs_flight_start(struct irsafs_flight *flight,
                         struct irsafs_spawn spawn,
                         uint64_t number,
                         int64_t kill_ms)
{
    struct irsafs_flight f = {.number = number, .kill_ms = kill_ms};
    f.text_fd = memfd_create("irsafs-text", MFD_CLOEXEC);
    f.report_fd = memfd_create("irsafs-report", MFD_CLOEXEC);
    const struct irsafs_handing handings[] = {
        {f.text_fd, STDOUT_FILENO},
        {f.report_fd, REPORT_FD},
        {spawn.null_fd, STDERR_FILENO}, /* the log is not for a stranger to write */
    };
    spawn.handings = handings;
    spawn.n_handings = IRSAFS_COUNT(handings);
    spawn.max_file_bytes = IRSAFS_CHILD_FILE_MAX;
    pid_t pid = f.text_fd >= 0 && f.report_fd >= 0 ? irsafs_spawn(&spawn) : -1;
    f.failures = pid < 0 ? flight->failures + 1 : 0;
    if (pid < 0) {
        irsafs_log(f.failures == 1 ? IRSAFS_LOG_ERROR : IRSAFS_LOG_DEBUG, "client_not_started",
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errno)),
                   IRSAFS_LOG_NUMBER("times", f.failures));
        irsafs_flight_let_go(&f);
        f.failure = IRSAFS_E_CLIENT_START;
    }
    f.pid = pid > 0 ? pid : 0;
    *flight = f;
}

void irsafs_flight_kill(const struct irsafs_flight *flight)
{
    if (flight->pid > 0) {
        (void)kill(flight->pid, SIGKILL);
    }
}

void irsafs_flight_let_go(struct irsafs_flight *flight)
{
    flight->text_fd = irsafs_fd_close(flight->text_fd);
    flight->report_fd = irsafs_fd_close(flight->report_fd);
    flight->failure = IRSAFS_OK;
}

void irsafs_flight_report(const struct irsafs_flight *f, int post_fd)
{
    const struct irsafs_order order = {.type = IRSAFS_ORDER_LANDED,
                                       .flight = f->number,
                                       .code = (uint32_t)f->failure,
                                       .wait_status = f->wait_status,
                                       .killed = f->killed};
    const int fds[] = {f->text_fd, f->report_fd};
    irsafs_post_send(post_fd, &order, fds, f->failure != IRSAFS_OK ? 0 : IRSAFS_COUNT(fds));
}

void irsafs_flight_count_crash(struct irsafs_flight *f, int wait_status)
{
    bool crashed = !WIFSIGNALED(wait_status) || WTERMSIG(wait_status) != SIGKILL;
    if (irsafs_flight_is_over(f) && crashed && ++f->crashes >= CRASHES_MAX) {
        irsafs_flight_let_go(f);
        f->failure = IRSAFS_E_CLIENT_DIED;
    }
}
