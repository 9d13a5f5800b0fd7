/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_SECCOMP_H
#define IRSAFS_BASE_SECCOMP_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Filters of system calls as tables; names are libseccomp's. A filter holds for the calling process and
 * all that it starts, across execve, for good; of several the strictest answer counts (seccomp(2)). A
 * filter sees numbers and register values, never memory: no paths, no addresses of sockets. */

enum irsafs_seccomp_action {
    IRSAFS_SECCOMP_ALLOW,
    IRSAFS_SECCOMP_REFUSE, /* EPERM */
    IRSAFS_SECCOMP_ABSENT, /* ENOSYS: the C library has an older call to fall back on */
    IRSAFS_SECCOMP_KILL,   /* SIGSYS for the whole process */
};

/* (argument & mask) == value; mask 0: no condition; at most one for an argument. An argument that the kernel
 * takes as int has a mask of 32 bits (IRSAFS_SECCOMP_INT): the kernel does not look at the upper half of
 * the register either. */
struct irsafs_seccomp_check {
    unsigned argument; /* from 0 */
    uint64_t mask;
    uint64_t value;
};

enum { IRSAFS_SECCOMP_CHECKS_MAX = 2 };
/* A value that stands for the process that loads the filter. */
#define IRSAFS_SECCOMP_OWN_PID UINT64_MAX
#define IRSAFS_SECCOMP_INT     UINT32_MAX

/* One call; several rules for one call are alternatives. A name that this architecture or this libseccomp
 * does not have is left out. */
struct irsafs_seccomp_rule {
    const char *call;
    struct irsafs_seccomp_check checks[IRSAFS_SECCOMP_CHECKS_MAX];
};

struct irsafs_seccomp_group {
    enum irsafs_seccomp_action action;
    const struct irsafs_seccomp_rule *rules;
    size_t n_rules;
};

/* Loads a filter: the first rule that matches answers, `otherwise` those calls that no rule matches. A call
 * of a foreign architecture (i386, x32) kills. Needs no_new_privs. All threads get it. Allocates nothing.
 * Returns 0 or an errno value: ENOSYS, EINVAL (a kernel without filters), EACCES (no no_new_privs), E2BIG (a
 * table too large), EBUSY (a thread that has a filter of its own). */
int irsafs_seccomp_load(enum irsafs_seccomp_action otherwise,
                        const struct irsafs_seccomp_group *groups,
                        size_t n_groups) IRSAFS_MUST_CHECK;

#endif
