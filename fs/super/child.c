/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FIRST_OTHER = 5 };

pid_t irsafs_child_fork(void)
{
    sigset_t all;
    sigset_t before;
    pid_t parent = getpid();
    (void)sigfillset(&all);
    /* A handler of ours that ran in the child would write into the event loop's descriptors. */
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
    }
    for (int s = 1; s < NSIG; s++) {
        (void)signal(s, SIG_DFL); /* fails for SIGKILL and SIGSTOP, which need nothing */
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return 0;
}

void irsafs_child_keep(int fd_a, int to_a, int fd_b, int to_b)
{
    /* Out of the way first: one may stand where the other has to go. */
    int a = fd_a >= 0 ? fcntl(fd_a, F_DUPFD, FIRST_OTHER) : -1;
    int b = fd_b >= 0 ? fcntl(fd_b, F_DUPFD, FIRST_OTHER) : -1;
    if ((fd_a >= 0 && dup2(a, to_a) < 0) || (fd_b >= 0 && dup2(b, to_b) < 0) ||
        close_range(FIRST_OTHER, ~0U, 0) != 0) {
        _exit(127);
    }
}
