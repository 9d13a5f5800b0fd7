/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/consistency/crowd.h"

#include "tests/consistency/judge.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMBERS_MAX = 256 };

static struct member {
    pid_t pid;
    member_loop *loop;
    unsigned number;
} members[MEMBERS_MAX];

static unsigned n_members;

static bool run(struct member *member)
{
    member->pid = fork();
    if (member->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        srandom((unsigned)getpid());
        member->loop(member->number);
        _exit(0);
    }
    return member->pid > 0;
}

bool crowd_start(member_loop *loop, unsigned number)
{
    if (n_members == MEMBERS_MAX) {
        return false;
    }
    struct member *member = &members[n_members++];
    *member = (struct member){.loop = loop, .number = number};
    return run(member);
}

/* A mapped text that shrinks kills its reader (SIGBUS): that is a torn read. */
static bool has_fallen(struct member *member)
{
    int status = 0;
    if (member->pid <= 0 || waitpid(member->pid, &status, WNOHANG) <= 0) {
        return false;
    }
    member->pid = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) {
        judge_fault(&counted->torn, "a mapping that ends in SIGBUS");
    } else if (WIFSIGNALED(status)) {
        judge_fault(&counted->error, "a process of the crowd that was killed");
    }
    return true;
}

bool crowd_replace_fallen(void)
{
    bool good = true;
    for (unsigned i = 0; i < n_members; i++) {
        if (has_fallen(&members[i])) {
            good = run(&members[i]) && good;
        }
    }
    return good;
}

static unsigned alive(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < n_members; i++) {
        n += members[i].pid > 0 && !has_fallen(&members[i]);
    }
    return n;
}

void crowd_end(void)
{
    atomic_store(&counted->stop, true);
    uint64_t end = now_ns() + HANG_SECONDS * 1000000000ull;
    while (alive() > 0 && now_ns() < end) {
        usleep(10000);
    }
    for (unsigned i = 0; i < n_members; i++) {
        if (members[i].pid > 0) {
            judge_fault(&counted->hang, "a process of the crowd that does not end");
            kill(members[i].pid, SIGKILL); /* and not waited for: it may be beyond that */
        }
    }
}
