/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sandbox.h"

#include "base/landlock.h"
#include "base/privileges.h"
#include "base/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { DESCRIPTORS_MAX = 256 };

/* What the C library's resolver (resolver(5), nsswitch.conf(5), gai.conf(5)), libcurl and OpenSSL read.
 * Links are followed when the rule is made: /etc/resolv.conf often is one. */
static const char *const system_files[] = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/networks",
    "/etc/ssl",
    "/etc/pki",
    "/etc/crypto-policies",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/locale",
    "/dev/urandom",
};

static int allow_files(const struct irsafs_client_settings *s, struct irsafs_landlock *rules)
{
    const char *const files[] = {s->token_file, s->api_key_file, s->labels, s->ca_file};
    int errnum = 0;
    for (size_t i = 0; errnum == 0 && i < IRSAFS_COUNT(files); i++) {
        errnum = files[i] != NULL ? irsafs_landlock_allow_folder_of(rules, files[i]) : 0;
    }
    for (size_t i = 0; errnum == 0 && i < IRSAFS_COUNT(system_files); i++) {
        errnum = irsafs_landlock_allow(rules, system_files[i]);
    }
    return errnum;
}

static int restrict_files(const struct irsafs_client_settings *settings)
{
    IRSAFS_CLEANUP(irsafs_landlock_deinit) struct irsafs_landlock rules = {.fd = -1};
    int errnum = irsafs_landlock_begin(true, &rules);
    if (errnum == 0) {
        errnum = allow_files(settings, &rules);
    }
    return errnum == 0 ? irsafs_landlock_end(&rules) : errnum;
}

/* ---- system calls */

#define WRITING (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
/* A thread of ours: these flags, and none that asks for a namespace. */
#define THREAD (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
/* Socket types without the flags SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define TYPE (~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))

#define SOCKET(family, type)                                                                       \
    {                                                                                              \
        .call = "socket", .checks = { {0, IRSAFS_SECCOMP_INT, (family)}, {1, TYPE, (type)} }       \
    }
#define FCNTL(command)                                                                             \
    {                                                                                              \
        .call = "fcntl", .checks = { {1, IRSAFS_SECCOMP_INT, (command)} }                          \
    }
#define ONLY(name, argument, mask, value)                                                          \
    {                                                                                              \
        .call = (name), .checks = { {(argument), (mask), (value)} }                                \
    }

static const struct irsafs_seccomp_rule allowed[] = {
    /* files, read only */
    ONLY("open", 1, WRITING, O_RDONLY),
    ONLY("openat", 2, WRITING, O_RDONLY),
    {.call = "read"},
    {.call = "readv"},
    {.call = "pread64"},
    {.call = "write"},
    {.call = "writev"},
    {.call = "lseek"},
    {.call = "close"},
    {.call = "stat"},
    {.call = "lstat"},
    {.call = "fstat"},
    {.call = "newfstatat"},
    {.call = "statx"},
    {.call = "access"},
    {.call = "faccessat"},
    {.call = "faccessat2"},
    {.call = "readlink"},
    {.call = "readlinkat"},
    {.call = "getcwd"},
    FCNTL(F_GETFD),
    FCNTL(F_SETFD),
    FCNTL(F_GETFL),
    FCNTL(F_SETFL),
    FCNTL(F_DUPFD_CLOEXEC),
    /* network */
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM),
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    {.call = "socket",
     .checks = {{0, IRSAFS_SECCOMP_INT, AF_NETLINK}, {2, IRSAFS_SECCOMP_INT, NETLINK_ROUTE}}},
    ONLY("socketpair", 0, IRSAFS_SECCOMP_INT, AF_UNIX), /* libcurl wakes its loop with one */
    {.call = "connect"},
    {.call = "bind"}, /* of the netlink socket; TCP is Landlock's */
    {.call = "shutdown"},
    {.call = "getsockname"},
    {.call = "getpeername"},
    {.call = "getsockopt"},
    {.call = "setsockopt"},
    {.call = "sendto"},
    {.call = "sendmsg"},
    {.call = "sendmmsg"},
    {.call = "recvfrom"},
    {.call = "recvmsg"},
    {.call = "recvmmsg"},
    ONLY("ioctl",
         1,
         IRSAFS_SECCOMP_INT,
         0x541B), /* FIONREAD: the resolver, before it reads an answer */
    {.call = "poll"},
    {.call = "ppoll"},
    {.call = "select"},
    {.call = "pselect6"},
    {.call = "pipe2"},
    {.call = "eventfd2"},
    /* memory; a library's code comes from a file and cannot be written */
    ONLY("mmap", 2, PROT_EXEC, 0),
    {.call = "mmap", .checks = {{2, PROT_WRITE, 0}, {3, MAP_ANONYMOUS, 0}}},
    ONLY("mprotect", 2, PROT_EXEC, 0),
    {.call = "munmap"},
    {.call = "mremap"},
    {.call = "madvise"},
    {.call = "brk"},
    {.call = "membarrier"},
    /* a thread of the resolver */
    ONLY("clone", 0, THREAD | NAMESPACES, THREAD),
    {.call = "set_robust_list"},
    {.call = "rseq"},
    {.call = "futex"},
    {.call = "sched_yield"},
    {.call = "sched_getaffinity"},
    /* who and when we are */
    {.call = "getuid"},
    {.call = "geteuid"},
    {.call = "getgid"},
    {.call = "getegid"},
    {.call = "getpid"},
    {.call = "getppid"},
    {.call = "gettid"},
    {.call = "uname"},
    {.call = "sysinfo"},
    {.call = "getrlimit"},
    ONLY("prlimit64", 2, UINT64_MAX, 0), /* get, not set */
    {.call = "getrandom"},
    {.call = "time"},
    {.call = "gettimeofday"},
    {.call = "clock_gettime"},
    {.call = "clock_getres"},
    {.call = "clock_nanosleep"},
    {.call = "nanosleep"},
    /* signals and the end */
    {.call = "rt_sigaction"},
    {.call = "rt_sigprocmask"},
    {.call = "rt_sigreturn"},
    {.call = "sigaltstack"},
    ONLY("tgkill", 0, IRSAFS_SECCOMP_INT, IRSAFS_SECCOMP_OWN_PID), /* abort */
    {.call = "restart_syscall"},
    {.call = "exit"},
    {.call = "exit_group"},
};

/* The C library takes clone, whose flags can be seen and has fallbacks for openat2. */
static const struct irsafs_seccomp_rule absent[] = {{.call = "clone3"}, {.call = "openat2"}};

static const struct irsafs_seccomp_group filter[] = {
    {IRSAFS_SECCOMP_ALLOW, allowed, IRSAFS_COUNT(allowed)},
    {IRSAFS_SECCOMP_ABSENT, absent, IRSAFS_COUNT(absent)},
};

enum irsafs_code irsafs_client_confine(const struct irsafs_client_settings *settings,
                                       enum irsafs_sandbox_mode mode,
                                       struct irsafs_sandbox_report *ret_report,
                                       struct irsafs_error *err)
{
    static const int readers[] = {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH};
    struct irsafs_sandbox_report *r = ret_report;
    *r = (struct irsafs_sandbox_report){0};
    if (mode == IRSAFS_SANDBOX_OFF) {
        return IRSAFS_OK;
    }
    irsafs_limit_lower(RLIMIT_CORE, 0);
    irsafs_limit_lower(RLIMIT_NOFILE, DESCRIPTORS_MAX);
    r->uid = irsafs_ids_are_not_root();
    enum irsafs_code code = irsafs_sandbox_note(
        mode, "capabilities", irsafs_capabilities_keep(readers, r->uid ? 0 : IRSAFS_COUNT(readers)),
        &r->capabilities, err);
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "no_new_privs", irsafs_privileges_freeze(),
                                   &r->no_new_privs, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(mode, "landlock", restrict_files(settings), &r->landlock, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_sandbox_note(
            mode, "seccomp",
            irsafs_seccomp_load(IRSAFS_SECCOMP_REFUSE, filter, IRSAFS_COUNT(filter)), &r->seccomp,
            err);
    }
    return code;
}
