/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/spawn.h"

#include "fs/shared/handed.h"
#include "fs/super/child.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAILED = IRSAFS_SPAWN_NOT_EXECUTED, EXE_FD = IRSAFS_SPAWN_FIRST_OTHER };

static void hand_down(const struct irsafs_spawn *s)
{
    int aside[IRSAFS_SPAWN_HANDINGS_MAX];
    /* Out of the way first: one may stand where another has to go. */
    int exe = fcntl(s->exe_fd, F_DUPFD, EXE_FD + 1);
    for (size_t i = 0; i < s->n_handings; i++) {
        aside[i] = fcntl(s->handings[i].from, F_DUPFD, EXE_FD + 1);
    }
    if (dup2(s->null_fd, STDIN_FILENO) < 0 || dup2(s->null_fd, STDOUT_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, EXE_FD - 1, 0) != 0 || dup2(exe, EXE_FD) < 0) {
        _exit(FAILED);
    }
    for (size_t i = 0; i < s->n_handings; i++) {
        if (dup2(aside[i], s->handings[i].to) < 0) {
            _exit(FAILED);
        }
    }
    if (close_range(EXE_FD + 1, ~0U, 0) != 0 ||
        fcntl(EXE_FD, F_SETFD, s->script ? 0 : FD_CLOEXEC) != 0) {
        _exit(FAILED);
    }
}

static void run(const struct irsafs_spawn *s, pid_t parent)
{
    const struct rlimit file_size = {s->max_file_bytes, s->max_file_bytes};
    struct irsafs_confine_child confine = s->confine;
    confine.parent = parent;
    hand_down(s);
    if (s->max_file_bytes != RLIM_INFINITY && setrlimit(RLIMIT_FSIZE, &file_size) != 0) {
        _exit(FAILED);
    }
    if (!irsafs_confine_child(&confine)) {
        _exit(IRSAFS_STATUS_NOT_CONFINED);
    }
    (void)syscall(SYS_execveat, EXE_FD, "", s->argv,
                  s->env != NULL ? s->env : (const char *const *)environ, AT_EMPTY_PATH);
    _exit(FAILED);
}

pid_t irsafs_spawn(const struct irsafs_spawn *spawn)
{
    pid_t parent = getpid();
    pid_t pid = irsafs_child_fork();
    if (pid == 0) {
        run(spawn, parent);
    }
    return pid;
}
