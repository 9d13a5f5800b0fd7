/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

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
    (void)sigemptyset(&before); /* what the parent waits for with signalfd(2) is blocked in it */
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return 0;
}
