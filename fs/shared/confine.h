/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_CONFINE_H
#define IRSAFS_FS_SHARED_CONFINE_H

#include "base/sandbox.h"

#include <stdbool.h>
#include <sys/types.h>

/* What each process of ours may do, and the point of no return at which it gives up the rest. The walls
 * are inherited and only ever add up: the supervisor's hold for all, those of worker and notifier for
 * these. What is said here is shown by tests/confine.
 *
 * Nothing here blocks. In mode off nothing is changed, but for what is said of irsafs_confine_child. */

/* What the supervisor must be able to do for as long as it lives. The one place that knows whether the ids
 * of our processes change. */
enum irsafs_confine_rights {
    IRSAFS_RIGHTS_MOUNT, /* SYS_ADMIN (umount2), SETUID, SETGID (the ids of its children), KILL (they
                            have other ids) */
    IRSAFS_RIGHTS_IDS,   /* the last three */
    IRSAFS_RIGHTS_NONE,  /* ids stay: all our processes are what the supervisor was started as, kept
                            apart by seccomp and because none is dumpable */
};
/* mounts: the supervisor mounts a file system itself. One that does not, and is not root, needs nothing. */
enum irsafs_confine_rights irsafs_confine_rights(bool mounts);

/* The supervisor, when it has mounted and before it starts anybody: of the capabilities only those of
 * `rights` stay, in no other set than permitted and effective; no_new_privs; not dumpable; a seccomp deny-list (EPERM) of what
 * nobody below may do either: tracing, other processes' memory, kernel code, keys, namespaces, clocks,
 * handles, io_uring. No Landlock: it forbids umount2.
 * Still possible: mount(2), umount2, fork, execve and execveat, files, sockets. clone3 is ENOSYS, which
 * makes the C library use clone, whose flags a filter can see.
 * *ret_report (always set) says what took effect; uid: children can be given other ids.
 * E_SANDBOX (required only). */
enum irsafs_code irsafs_confine_supervisor(enum irsafs_sandbox_mode mode,
                                           enum irsafs_confine_rights rights,
                                           struct irsafs_sandbox_report *ret_report,
                                           struct irsafs_error *err) IRSAFS_MUST_CHECK;

struct irsafs_confine_child {
    enum irsafs_sandbox_mode mode;
    bool ids_stay; /* IRSAFS_RIGHTS_NONE: the next two are not looked at */
    uid_t uid;
    gid_t gid;
    int death_signal; /* sent to the child when the thread that forked it ends */
    pid_t parent;     /* getpid() of who forks, taken before the fork */
};

/* A child of the supervisor, between fork and exec: the ids, the supplementary groups of the supervisor
 * without 0 (a projected token is root:fsGroup 0640), no capability in any set that exec looks at,
 * no_new_privs, then the death signal, which a change of ids would clear (prctl(2)), then whether the
 * parent is still there. Ids change all or not at all. They cannot where they are not mapped (EINVAL),
 * setgroups is denied (user_namespaces(7)) or SETUID, SETGID or KILL is missing (a child that the
 * supervisor cannot kill would be worse than none): then the mode decides whether the child stays as it
 * is or fails. Mode off: only death signal and parent.
 * Only system calls that are safe after fork; allocates nothing. False with errno set (ESRCH: the
 * parent is gone): the caller shall _exit. It _exits itself (127) when ids cannot be changed back. */
bool irsafs_confine_child(const struct irsafs_confine_child *child) IRSAFS_MUST_CHECK;

/* Worker and notifier, each when it has everything it will ever have: no capabilities, no_new_privs, not
 * dumpable, limits (below), Landlock without a rule, and a seccomp allow-list: reading and writing
 * what is open, waiting, anonymous memory, clocks, ending. What would be a way out (exec, new processes and
 * threads, sockets, mounts, tracing and all that the supervisor's list has) kills with SIGSYS; all else
 * is EPERM, open(2) for reading included. newfstatat is allowed with AT_EMPTY_PATH only, which the C
 * library's fstat(2) uses; a filter cannot see whether the path is really empty, so metadata of
 * files stays visible.
 *
 * To be done before, because it cannot be done after: json_object_seed(0) (jansson would open
 * /dev/urandom), libevent's base with all its descriptors, libfuse's session, shared mappings, and
 * signal handlers' descriptors. Descriptors may still come in by recvmsg(2), up to number
 * IRSAFS_CONFINE_DESCRIPTORS - 1.
 *
 * No thread may exist. *ret_report is always set; uid: no id is root's, which the required mode demands.
 * E_SANDBOX (required only). */
enum irsafs_code irsafs_confine_worker(enum irsafs_sandbox_mode mode,
                                       struct irsafs_sandbox_report *ret_report,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;
enum irsafs_code irsafs_confine_notifier(enum irsafs_sandbox_mode mode,
                                         struct irsafs_sandbox_report *ret_report,
                                         struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* RLIMIT_NOFILE, RLIMIT_DATA of the worker (bytes of private writable memory: heap and mappings) and of
 * the notifier. RLIMIT_CORE and RLIMIT_NPROC are 0. RLIMIT_FSIZE is left alone: stderr may be a file. */
enum {
    IRSAFS_CONFINE_DESCRIPTORS = 128,
    IRSAFS_CONFINE_WORKER_DATA = 256 << 20,
    IRSAFS_CONFINE_NOTIFIER_DATA = 16 << 20,
};

#endif
