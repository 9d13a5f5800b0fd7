/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/shared/confine.h"

#include "base/landlock.h"
#include "base/privileges.h"
#include "base/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- tables */

/* Nobody here ever does this: refused to the supervisor and so to all, and deadly to worker and
 * notifier. */
static const struct irsafs_seccomp_rule foreign[] = {
    /* other processes */
    {.call = "ptrace"},
    {.call = "process_vm_readv"},
    {.call = "process_vm_writev"},
    {.call = "process_madvise"},
    {.call = "pidfd_getfd"},
    {.call = "kcmp"},
    /* the kernel's code and insides */
    {.call = "bpf"},
    {.call = "init_module"},
    {.call = "finit_module"},
    {.call = "delete_module"},
    {.call = "kexec_load"},
    {.call = "kexec_file_load"},
    {.call = "perf_event_open"},
    {.call = "userfaultfd"},
    {.call = "io_uring_setup"},
    {.call = "io_uring_enter"},
    {.call = "io_uring_register"},
    {.call = "syslog"},
    {.call = "lookup_dcookie"},
    {.call = "iopl"},
    {.call = "ioperm"},
    {.call = "modify_ldt"},
    {.call = "personality"}, /* ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC */
    /* keys */
    {.call = "add_key"},
    {.call = "request_key"},
    {.call = "keyctl"},
    /* another view of the system; the mount is made with mount(2) */
    {.call = "chroot"},
    {.call = "pivot_root"},
    {.call = "setns"},
    {.call = "unshare"},
    {.call = "open_tree"},
    {.call = "move_mount"},
    {.call = "fsopen"},
    {.call = "fspick"},
    {.call = "fsconfig"},
    {.call = "fsmount"},
    {.call = "mount_setattr"},
    /* files without their paths */
    {.call = "open_by_handle_at"},
    {.call = "name_to_handle_at"},
    {.call = "fanotify_init"},
    /* the machine */
    {.call = "reboot"},
    {.call = "swapon"},
    {.call = "swapoff"},
    {.call = "acct"},
    {.call = "quotactl"},
    {.call = "quotactl_fd"},
    {.call = "settimeofday"},
    {.call = "stime"},
    {.call = "clock_settime"},
    {.call = "adjtimex"},
    {.call = "clock_adjtime"},
    {.call = "sethostname"},
    {.call = "setdomainname"},
    {.call = "vhangup"},
    {.call = "nfsservctl"},
    {.call = "uselib"},
};

/* clone(2) on x86-64 and arm64 has its flags in the first argument. */
#define CLONE_FLAG(flag)                                                                           \
    {                                                                                              \
        .call = "clone", .checks = { {0, (flag), (flag)} }                                         \
    }

static const struct irsafs_seccomp_rule new_namespaces[] = {
    CLONE_FLAG(CLONE_NEWNS),     CLONE_FLAG(CLONE_NEWUSER), CLONE_FLAG(CLONE_NEWPID),
    CLONE_FLAG(CLONE_NEWNET),    CLONE_FLAG(CLONE_NEWIPC),  CLONE_FLAG(CLONE_NEWUTS),
    CLONE_FLAG(CLONE_NEWCGROUP),
};

static const struct irsafs_seccomp_rule unseen_flags[] = {{.call = "clone3"}};

/* Ways out of worker and notifier, beside the foreign calls. socket(2) is only refused: getnameinfo(3)
 * wants one for the name of an interface, when a link-local peer comes to the endpoint. */
static const struct irsafs_seccomp_rule ways_out[] = {
    {.call = "execve"},
    {.call = "execveat"},
    {.call = "fork"},
    {.call = "vfork"},
    {.call = "clone"},
    {.call = "clone3"},
    {.call = "socketpair"},
    {.call = "connect"},
    {.call = "bind"},
    {.call = "listen"},
    {.call = "mount"},
    {.call = "umount"},
    {.call = "umount2"},
    {.call = "setuid"},
    {.call = "setgid"},
    {.call = "setreuid"},
    {.call = "setregid"},
    {.call = "setresuid"},
    {.call = "setresgid"},
    {.call = "setgroups"},
    {.call = "setfsuid"},
    {.call = "setfsgid"},
    {.call = "capset"},
    {.call = "pidfd_open"},
    {.call = "pidfd_send_signal"},
};

/* MAP_SHARED mappings are made before. */
#define ANONYMOUS_DATA                                                                             \
    {                                                                                              \
        {2, PROT_EXEC, 0},                                                                         \
        {                                                                                          \
            3, MAP_ANONYMOUS, MAP_ANONYMOUS                                                        \
        }                                                                                          \
    }

/* What the C library needs to keep memory, tell the time, take signals and end. */
static const struct irsafs_seccomp_rule living[] = {
    {.call = "mmap", .checks = ANONYMOUS_DATA},
    {.call = "mprotect", .checks = {{2, PROT_EXEC, 0}}},
    {.call = "munmap"},
    {.call = "mremap"},
    {.call = "madvise"},
    {.call = "brk"},
    {.call = "futex"},
    {.call = "getrandom"},
    {.call = "clock_gettime"},
    {.call = "clock_nanosleep"},
    {.call = "nanosleep"},
    {.call = "gettimeofday"},
    {.call = "time"},
    {.call = "getpid"},
    {.call = "gettid"},
    {.call = "tgkill",
     .checks = {{0, IRSAFS_SECCOMP_INT, IRSAFS_SECCOMP_OWN_PID}}}, /* raise, abort */
    {.call = "rt_sigaction"},
    {.call = "rt_sigprocmask"},
    {.call = "rt_sigreturn"},
    {.call = "sigaltstack"},
    {.call = "restart_syscall"},
    {.call = "exit"},
    {.call = "exit_group"},
};

/* Reading, writing and waiting on what is open. recv(3) and send(3) are recvfrom and sendto. */
static const struct irsafs_seccomp_rule speaking[] = {
    {.call = "read"},     {.call = "readv"},   {.call = "write"},  {.call = "writev"},
    {.call = "recvfrom"}, {.call = "recvmsg"}, {.call = "sendto"}, {.call = "sendmsg"},
    {.call = "poll"},     {.call = "ppoll"},   {.call = "close"},
};

/* The worker's event loop, its timers, and the client's memory files. */
static const struct irsafs_seccomp_rule looping[] = {
    {.call = "epoll_wait"},
    {.call = "epoll_pwait"},
    {.call = "epoll_pwait2"},
    {.call = "epoll_ctl"},
    {.call = "timerfd_settime"},
    {.call = "timerfd_gettime"},
    {.call = "alarm"},
    {.call = "setitimer"},
    {.call = "pread64"},
    {.call = "lseek"},
    {.call = "fstat"},
    {.call = "newfstatat", .checks = {{3, IRSAFS_SECCOMP_INT, AT_EMPTY_PATH}}},
};

/* The HTTP endpoint: who comes to a listening socket that the supervisor has opened. */
static const struct irsafs_seccomp_rule serving[] = {
    {.call = "accept4"},
    {.call = "shutdown"},
    {.call = "ioctl", .checks = {{1, IRSAFS_SECCOMP_INT, FIONREAD}}},
};

#define GROUP(what, table)                                                                         \
    {                                                                                              \
        (what), (table), IRSAFS_COUNT(table)                                                       \
    }

static const struct irsafs_seccomp_group supervisor_filter[] = {
    GROUP(IRSAFS_SECCOMP_REFUSE, foreign),
    GROUP(IRSAFS_SECCOMP_REFUSE, new_namespaces),
    GROUP(IRSAFS_SECCOMP_ABSENT, unseen_flags),
};

/* The notifier's is the begin of the worker's. */
static const struct irsafs_seccomp_group worker_filter[] = {
    GROUP(IRSAFS_SECCOMP_KILL, foreign),  GROUP(IRSAFS_SECCOMP_KILL, ways_out),
    GROUP(IRSAFS_SECCOMP_ALLOW, living),  GROUP(IRSAFS_SECCOMP_ALLOW, speaking),
    GROUP(IRSAFS_SECCOMP_ALLOW, looping), GROUP(IRSAFS_SECCOMP_ALLOW, serving),
};
enum { NOTIFIER_GROUPS = IRSAFS_COUNT(worker_filter) - 2 };

static bool get_capabilities(struct __user_cap_data_struct ret_data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, ret_data) == 0;
}

/* ---- supervisor */

/* Each of the rights is the begin of the next one up. */
static const int supervisors[] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_SYS_ADMIN};
static const size_t n_supervisors[] = {
    [IRSAFS_RIGHTS_MOUNT] = IRSAFS_COUNT(supervisors),
    [IRSAFS_RIGHTS_IDS] = IRSAFS_COUNT(supervisors) - 1,
    [IRSAFS_RIGHTS_NONE] = 0,
};

enum irsafs_confine_rights irsafs_confine_rights(bool mounts)
{
    return mounts ? IRSAFS_RIGHTS_MOUNT : geteuid() == 0 ? IRSAFS_RIGHTS_IDS : IRSAFS_RIGHTS_NONE;
}

/* 0, or EPERM when one of the capabilities was not there to be kept. */
static int has_all(const int *capabilities, size_t n)
{
    struct __user_cap_data_struct data[2];
    if (!get_capabilities(data)) {
        return errno;
    }
    for (size_t i = 0; i < n; i++) {
        if ((data[CAP_TO_INDEX(capabilities[i])].effective & CAP_TO_MASK(capabilities[i])) == 0) {
            return EPERM;
        }
    }
    return 0;
}

enum irsafs_code irsafs_confine_supervisor(enum irsafs_sandbox_mode mode,
                                           enum irsafs_confine_rights rights,
                                           struct irsafs_sandbox_report *ret_report,
                                           struct irsafs_error *err)
{
    struct irsafs_sandbox_report *r = ret_report;
    *r = (struct irsafs_sandbox_report){0};
    if (mode == IRSAFS_SANDBOX_OFF) {
        return IRSAFS_OK;
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    size_t n = n_supervisors[rights];
    enum irsafs_code code = irsafs_sandbox_note(
        mode, "capabilities", irsafs_capabilities_keep(supervisors, n), &r->capabilities, err);
    if (code == IRSAFS_OK && rights != IRSAFS_RIGHTS_NONE) {
        code = irsafs_sandbox_note(mode,
                                   rights == IRSAFS_RIGHTS_MOUNT
                                       ? "CAP_SYS_ADMIN, SETUID, SETGID and KILL"
                                       : "CAP_SETUID, SETGID and KILL, or another user than root",
                                   has_all(supervisors, n), &r->uid, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "no_new_privs", irsafs_privileges_freeze(),
                                   &r->no_new_privs, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "seccomp",
                                   irsafs_seccomp_load(IRSAFS_SECCOMP_ALLOW, supervisor_filter,
                                                       IRSAFS_COUNT(supervisor_filter)),
                                   &r->seccomp, err);
    }
    return code;
}

/* ---- between fork and exec: system calls only */

static bool clear_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* capset does it as well */
    return syscall(SYS_capset, &header, none) == 0;
}

static bool may_change_ids(void)
{
    const uint32_t needed =
        UINT32_C(1) << CAP_SETUID | UINT32_C(1) << CAP_SETGID | UINT32_C(1) << CAP_KILL;
    struct __user_cap_data_struct data[2];
    if (!get_capabilities(data)) {
        return false;
    }
    errno = EPERM;
    return (data[0].effective & needed) == needed;
}

/* Too large for a stack; of a fork's copy only what is used is touched. */
static gid_t groups[NGROUPS_MAX];
static gid_t groups_before[NGROUPS_MAX];

static bool change_groups(int n_before)
{
    size_t n = 0;
    for (int i = 0; i < n_before; i++) {
        if (groups_before[i] != 0) {
            groups[n++] = groups_before[i];
        }
    }
    return setgroups(n, groups) == 0;
}

/* All or nothing. */
static bool change_ids(uid_t uid, gid_t gid)
{
    gid_t before[3];
    int n_before = getgroups(NGROUPS_MAX, groups_before);
    if (n_before < 0 || getresgid(&before[0], &before[1], &before[2]) != 0 ||
        !change_groups(n_before)) {
        return false;
    }
    if (setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0) {
        return true;
    }
    int saved_errno = errno;
    if (setresgid(before[0], before[1], before[2]) != 0 ||
        setgroups((size_t)n_before, groups_before) != 0) {
        _exit(127);
    }
    errno = saved_errno;
    return false;
}

static bool has_ids(uid_t uid, gid_t gid)
{
    uid_t u[3];
    gid_t g[3];
    return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
           u[0] == uid && u[1] == uid && u[2] == uid && g[0] == gid && g[1] == gid && g[2] == gid;
}

static bool give_up(const struct irsafs_confine_child *child)
{
    bool required = child->mode == IRSAFS_SANDBOX_REQUIRED;
    if (!child->ids_stay && !has_ids(child->uid, child->gid) &&
        !(may_change_ids() && change_ids(child->uid, child->gid)) && required) {
        return false;
    }
    if (!clear_capabilities() && required) {
        return false;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || !required;
}

bool irsafs_confine_child(const struct irsafs_confine_child *child)
{
    if (child->mode != IRSAFS_SANDBOX_OFF && !give_up(child)) {
        return false;
    }
    if (prctl(PR_SET_PDEATHSIG, child->death_signal, 0, 0, 0) != 0) {
        return false;
    }
    errno = ESRCH;
    return getppid() == child->parent;
}

/* ---- worker and notifier */

static int restrict_files(void)
{
    IRSAFS_CLEANUP(irsafs_landlock_deinit) struct irsafs_landlock rules = {.fd = -1};
    int errnum = irsafs_landlock_begin(false, &rules);
    return errnum == 0 ? irsafs_landlock_end(&rules) : errnum;
}

static enum irsafs_code confine(enum irsafs_sandbox_mode mode,
                                rlim_t max_data_bytes,
                                size_t n_groups,
                                struct irsafs_sandbox_report *r,
                                struct irsafs_error *err)
{
    *r = (struct irsafs_sandbox_report){0};
    if (mode == IRSAFS_SANDBOX_OFF) {
        return IRSAFS_OK;
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    irsafs_limit_lower(RLIMIT_CORE, 0);
    irsafs_limit_lower(RLIMIT_NPROC, 0);
    irsafs_limit_lower(RLIMIT_NOFILE, IRSAFS_CONFINE_DESCRIPTORS);
    irsafs_limit_lower(RLIMIT_DATA, max_data_bytes);
    enum irsafs_code code = irsafs_sandbox_note(
        mode, "user and group id", irsafs_ids_are_not_root() ? 0 : EPERM, &r->uid, err);
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "capabilities", irsafs_capabilities_keep(NULL, 0),
                                   &r->capabilities, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "no_new_privs", irsafs_privileges_freeze(),
                                   &r->no_new_privs, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "landlock", restrict_files(), &r->landlock, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(
            mode, "seccomp", irsafs_seccomp_load(IRSAFS_SECCOMP_REFUSE, worker_filter, n_groups),
            &r->seccomp, err);
    }
    return code;
}

enum irsafs_code irsafs_confine_worker(enum irsafs_sandbox_mode mode,
                                       struct irsafs_sandbox_report *ret_report,
                                       struct irsafs_error *err)
{
    return confine(mode, IRSAFS_CONFINE_WORKER_DATA, IRSAFS_COUNT(worker_filter), ret_report, err);
}

enum irsafs_code irsafs_confine_notifier(enum irsafs_sandbox_mode mode,
                                         struct irsafs_sandbox_report *ret_report,
                                         struct irsafs_error *err)
{
    return confine(mode, IRSAFS_CONFINE_NOTIFIER_DATA, NOTIFIER_GROUPS, ret_report, err);
}
