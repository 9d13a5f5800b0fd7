/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/flight.h"

#include "base/file.h"
#include "base/limits.h"
#include "fs/super/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REPORT_FD = 3 };

static void run_client(const char *const *argv, int text_fd, int report_fd)
{
    const struct rlimit file_size = {IRSAFS_CHILD_FILE_MAX, IRSAFS_CHILD_FILE_MAX};
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        setrlimit(RLIMIT_FSIZE, &file_size) != 0) {
        _exit(127);
    }
    irsafs_child_keep(text_fd, STDOUT_FILENO, report_fd, REPORT_FD);
    (void)close(REPORT_FD + 1);
    /* execv takes char *const[] for historical reasons and changes nothing. */
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

enum irsafs_code irsafs_flight_start(const char *const *argv,
                                     uint64_t number,
                                     int64_t kill_ms,
                                     struct irsafs_flight *ret_flight,
                                     struct irsafs_error *err)
{
    struct irsafs_flight f = {.number = number, .kill_ms = kill_ms};
    f.text_fd = memfd_create("irsafs-text", MFD_CLOEXEC);
    f.report_fd = memfd_create("irsafs-report", MFD_CLOEXEC);
    f.pid = f.text_fd >= 0 && f.report_fd >= 0 ? irsafs_child_fork() : -1;
    if (f.pid == 0) {
        run_client(argv, f.text_fd, f.report_fd);
    }
    if (f.pid < 0) {
        enum irsafs_code code = irsafs_error_set(err, IRSAFS_E_CLIENT_START, "start the client: %s",
                                                 strerrordesc_np(errno));
        irsafs_flight_deinit(&f);
        return code;
    }
    *ret_flight = f;
    return IRSAFS_OK;
}

void irsafs_flight_kill(const struct irsafs_flight *flight)
{
    if (flight->number != 0 && flight->pid > 0) {
        (void)kill(flight->pid, SIGKILL);
    }
}

void irsafs_flight_deinit(struct irsafs_flight *flight)
{
    flight->text_fd = irsafs_fd_close(flight->text_fd);
    flight->report_fd = irsafs_fd_close(flight->report_fd);
    flight->number = 0;
    flight->pid = -1;
}
