/* SPDX-License-Identifier: Apache-2.0 */
/* Puts itself under a profile and tries what it is told:
 *   confine-try PROFILE MODE [TOKENFILE] -- NAME[=PATH]...
 *   confine-try child|family MODE UID PROGRAM [ARGUMENT]...   family: under a supervisor
 *   confine-try orphan off -
 *   confine-try without off CALL PROGRAM [ARGUMENT]...   as if the kernel did not know CALL
 * tests/confine/test_confine.py reads what it prints:
 *   report uid capabilities ...      what took effect
 *   NAME ok | NAME EPERM
 * What kills leaves no line. */
#include "base/attr.h"
#include "base/sandbox.h"
#include "base/seccomp.h"
#include "client/sandbox.h"
#include "fs/shared/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a process of ours has open before. */
static int epoll_fd, timer_fd, event_fd, signal_fd, memory_fd, pair[2], listening_fd, caller_fd;
static const char *target; /* a file or folder given with NAME=PATH */

/* A listening socket, and a caller who waits to be accepted and has sent something. */
static bool open_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    caller_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listening_fd, (const struct sockaddr *)&at, len) == 0 &&
           listen(listening_fd, 1) == 0 &&
           getsockname(listening_fd, (struct sockaddr *)&at, &len) == 0 &&
           connect(caller_fd, (const struct sockaddr *)&at, len) == 0 &&
           write(caller_fd, "GET", 3) == 3;
}

static void open_all(void)
{
    sigset_t usr1;
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &usr1, NULL);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    event_fd = eventfd(1, EFD_CLOEXEC);
    signal_fd = signalfd(-1, &usr1, SFD_CLOEXEC);
    memory_fd = memfd_create("text", MFD_CLOEXEC);
    if (epoll_fd < 0 || timer_fd < 0 || event_fd < 0 || signal_fd < 0 || memory_fd < 0 ||
        write(memory_fd, "text", 4) != 4 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || !open_listener()) {
        perror("prepare");
        exit(1);
    }
}

/* ---- tries: 0 or -1 with errno, as system calls do */

/* A process that is there counts as success, also for those who may not wait for it. */
static int wait_for(pid_t pid)
{
    int status = 0;
    return pid < 0 || (waitpid(pid, &status, 0) == pid && status != 0) ? -1 : 0;
}

static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return wait_for(pid);
}

static int raw_clone(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        _exit(0);
    }
    return wait_for((pid_t)pid);
}

static int try_clone_newuser(void)
{
    return raw_clone(CLONE_NEWUSER);
}

static int try_clone_newns(void)
{
    return raw_clone(CLONE_NEWNS);
}

static int try_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0) >= 0 ? 0 : -1;
}

static void *idle(void *arg)
{
    return arg;
}

static int try_thread(void)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, idle, NULL);
    return errno == 0 ? pthread_join(thread, NULL) : -1;
}

static int try_execve(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    return execv("/bin/true", argv); /* success never returns: the test sees no line */
}

/* A child's, because success is the end. */
static int try_fork_execve(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *const argv[] = {(char[]){"true"}, NULL};
        (void)execv("/bin/true", argv);
        _exit(1);
    }
    return wait_for(pid);
}

static int try_fork_execveat(void)
{
    int fd = open("/bin/true", O_PATH | O_CLOEXEC);
    pid_t pid = fd < 0 ? -1 : fork();
    if (pid == 0) {
        char *const argv[] = {(char[]){"true"}, NULL};
        (void)syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
        _exit(1);
    }
    (void)close(fd);
    return wait_for(pid);
}

static int try_execveat(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0);
}

static int open_and_close(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int try_read_file(void)
{
    return open_and_close(target, O_RDONLY);
}

static int try_write_file(void)
{
    return open_and_close(target, O_WRONLY);
}

static int try_create_file(void)
{
    return open_and_close(target, O_WRONLY | O_CREAT);
}

static int try_create_reading(void)
{
    return open_and_close(target, O_RDONLY | O_CREAT);
}

static int try_truncate(void)
{
    return open_and_close(target, O_RDONLY | O_TRUNC);
}

static int try_list_folder(void)
{
    return open_and_close(target, O_RDONLY | O_DIRECTORY);
}

static int try_openat2(void)
{
    uint64_t how[3] = {O_RDONLY, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)) >= 0 ? 0 : -1;
}

static int try_unlink(void)
{
    return unlink(target);
}

static int try_mkdir(void)
{
    return mkdir(target, 0700);
}

static int try_chmod(void)
{
    return chmod(target, 0777);
}

static int open_socket(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    return fd < 0 ? -1 : close(fd);
}

static int try_socket(void)
{
    return open_socket(AF_INET, SOCK_STREAM, 0);
}

static int try_socket6(void)
{
    return open_socket(AF_INET6, SOCK_STREAM, 0);
}

static int try_socket_udp(void)
{
    return open_socket(AF_INET, SOCK_DGRAM, 0);
}

static int try_socket_raw(void)
{
    return open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int try_socket_unix(void)
{
    return open_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int try_socket_packet(void)
{
    return open_socket(AF_PACKET, SOCK_DGRAM, 0);
}

static int try_netlink_route(void)
{
    return open_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int try_netlink_audit(void)
{
    return open_socket(AF_NETLINK, SOCK_RAW, 9);
}

static int try_bind_tcp(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&any, sizeof(any));
    int saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return result;
}

static int try_connect(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return connect(pair[0], (const struct sockaddr *)&any, sizeof(any));
}

static int try_bind(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(pair[0], (const struct sockaddr *)&any, sizeof(any));
}

static int try_listen(void)
{
    return listen(pair[0], 1);
}

/* As libevent's HTTP server does. */
static int try_serve(void)
{
    int waiting = 0;
    int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || ioctl(fd, FIONREAD, &waiting) != 0 || shutdown(fd, SHUT_RDWR) != 0) {
        return -1;
    }
    return close(fd);
}

static int try_other_ioctl(void)
{
    int on = 1;
    return ioctl(pair[0], FIONBIO, &on);
}

static int try_socketpair(void)
{
    int two[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0 ? close(two[0]) | close(two[1]) : -1;
}

static int try_mount(void)
{
    return mount("tmpfs", target, "tmpfs", 0, NULL);
}

static int try_umount(void)
{
    return umount2(target, MNT_DETACH);
}

static int try_pivot_root(void)
{
    return (int)syscall(SYS_pivot_root, "/", "/");
}

static int try_chroot(void)
{
    return chroot("/");
}

static int try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}

static int try_setns(void)
{
    return setns(memory_fd, 0);
}

static int try_fsopen(void)
{
    return syscall(SYS_fsopen, "tmpfs", 0) >= 0 ? 0 : -1;
}

static int try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : -1;
}

static int try_read_memory(void)
{
    char from = 'a';
    char to = 'b';
    struct iovec local = {&to, 1};
    struct iovec remote = {&from, 1};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 ? 0 : -1;
}

static int try_write_memory(void)
{
    char from = 'a';
    char to = 'b';
    struct iovec local = {&to, 1};
    struct iovec remote = {&from, 1};
    return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 1 ? 0 : -1;
}

static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, -1, NULL, 0); /* by itself EINVAL or EPERM */
}

static int try_keyctl(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) >= 0 ? 0 : -1;
}

static int try_add_key(void)
{
    return syscall(SYS_add_key, "user", "x", "y", 1, KEY_SPEC_PROCESS_KEYRING) >= 0 ? 0 : -1;
}

static int try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, O_CLOEXEC | 1) >= 0 ? 0 : -1;
}

static int try_perf(void)
{
    return (int)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0); /* by itself EFAULT */
}

static int try_io_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 0, NULL); /* by itself EINVAL or EFAULT */
}

static int try_open_by_handle(void)
{
    return (int)syscall(SYS_open_by_handle_at, -1, NULL, 0); /* by itself EFAULT */
}

static int try_init_module(void)
{
    return (int)syscall(SYS_init_module, NULL, 0, NULL);
}

static int try_kexec(void)
{
    return (int)syscall(SYS_kexec_load, 0, 0, NULL, 0xffff);
}

static int try_reboot(void)
{
    return (int)syscall(SYS_reboot, 0, 0, 0, NULL); /* no magic: by itself EINVAL */
}

static int try_swapon(void)
{
    return (int)syscall(SYS_swapon, "/nowhere", 0);
}

static int try_settime(void)
{
    const struct timespec bad = {0, -1};
    return (int)syscall(SYS_clock_settime, CLOCK_REALTIME, &bad); /* by itself EINVAL */
}

static int try_acct(void)
{
    return (int)syscall(SYS_acct, "/nowhere");
}

static int try_become_root(void)
{
    return setuid(0);
}

static int try_kill_parent(void)
{
    return kill(getppid(), 0);
}

static int try_become_other(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(setgid(4711) == 0 && setuid(4711) == 0 ? 0 : 1);
    }
    return wait_for(pid);
}

static int try_chown(void)
{
    return chown(target, 4711, 4711);
}

static int try_map_executable(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at != MAP_FAILED ? munmap(at, 4096) : -1;
}

static int try_map_file_executable(void)
{
    void *at = mmap(NULL, 4, PROT_READ | PROT_EXEC, MAP_PRIVATE, memory_fd, 0);
    return at != MAP_FAILED ? munmap(at, 4) : -1;
}

static int try_make_executable(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at != MAP_FAILED ? mprotect(at, 4096, PROT_READ | PROT_EXEC) : -1;
}

static int try_i386(void)
{
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid of i386 */
    return result > 0 ? 0 : -1;
#else
    (void)raise(SIGSYS);
    return -1;
#endif
}

static int try_prctl_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* ---- what must go on */

static int try_memory(void)
{
    for (size_t size = 16; size <= (4 << 20); size *= 4) { /* heap and mappings, grown and shrunk */
        char *a = malloc(size);
        char *b = a != NULL ? realloc(a, 2 * size) : NULL;
        if (b == NULL) {
            free(a);
            return -1;
        }
        memset(b, 1, 2 * size);
        free(b);
    }
    return 0;
}

static int try_much_memory(void)
{
    char *a = malloc((size_t)512 << 20);
    int result = a != NULL ? 0 : -1;
    free(a);
    return result;
}

static int try_pipe_of_messages(void)
{
    char c = 'x';
    struct iovec part = {&c, 1};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    bool ok = send(pair[0], &c, 1, MSG_NOSIGNAL) == 1 && recv(pair[1], &c, 1, 0) == 1 &&
              sendmsg(pair[0], &head, MSG_NOSIGNAL) == 1 && recvmsg(pair[1], &head, 0) == 1 &&
              writev(pair[0], &part, 1) == 1 && readv(pair[1], &part, 1) == 1;
    return ok ? 0 : -1;
}

/* As the supervisor hands the client's memory files over. */
static int try_descriptor_by_message(void)
{
    char c = 'x';
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&c, 1};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control)};
    struct cmsghdr *what = CMSG_FIRSTHDR(&head);
    what->cmsg_level = SOL_SOCKET;
    what->cmsg_type = SCM_RIGHTS;
    what->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(what), &memory_fd, sizeof(int));
    if (sendmsg(pair[0], &head, MSG_NOSIGNAL) != 1 ||
        recvmsg(pair[1], &head, MSG_CMSG_CLOEXEC) != 1 || (head.msg_flags & MSG_CTRUNC) != 0) {
        return -1;
    }
    int fd = -1;
    struct stat st;
    char text[4];
    what = CMSG_FIRSTHDR(&head);
    if (what == NULL) {
        return -1;
    }
    memcpy(&fd, CMSG_DATA(what), sizeof(int));
    bool ok = fstat(fd, &st) == 0 && st.st_size == 4 && lseek(fd, 0, SEEK_SET) == 0 &&
              pread(fd, text, 4, 0) == 4;
    return ok ? close(fd) : -1;
}

static int try_wait(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = event_fd};
    struct pollfd one = {.fd = event_fd, .events = POLLIN};
    uint64_t value = 0;
    const struct timespec none = {0};
    bool ok = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) == 0 &&
              epoll_wait(epoll_fd, &event, 1, 1000) == 1 &&
              epoll_pwait2(epoll_fd, &event, 1, &none, NULL) == 1 && poll(&one, 1, 0) == 1 &&
              ppoll(&one, 1, &none, NULL) == 1 &&
              read(event_fd, &value, sizeof(value)) == sizeof(value) &&
              write(event_fd, &value, sizeof(value)) == sizeof(value) &&
              epoll_ctl(epoll_fd, EPOLL_CTL_DEL, event_fd, NULL) == 0;
    return ok ? 0 : -1;
}

static int try_timers(void)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
    const struct timespec pause = {.tv_nsec = 1};
    struct timespec now;
    uint64_t n = 0;
    bool ok = timerfd_settime(timer_fd, 0, &soon, NULL) == 0 &&
              read(timer_fd, &n, sizeof(n)) == sizeof(n) &&
              clock_gettime(CLOCK_BOOTTIME, &now) == 0 && nanosleep(&pause, NULL) == 0;
    (void)alarm(60);
    (void)alarm(0);
    return ok ? 0 : -1;
}

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    handled = number;
}

static int try_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct signalfd_siginfo info;
    bool ok = sigaction(SIGUSR2, &action, NULL) == 0 && raise(SIGUSR2) == 0 && handled == SIGUSR2 &&
              raise(SIGUSR1) == 0 && read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
    return ok ? 0 : -1;
}

static int try_stderr(void)
{
    return write(STDERR_FILENO, "said\n", 5) == 5 ? 0 : -1;
}

/* Until the test has looked at /proc. */
static int try_pause(void)
{
    char c;
    return read(STDIN_FILENO, &c, 1) >= 0 ? 0 : -1;
}

static int try_abort(void)
{
    abort();
}

#define TRY(name)                                                                                  \
    {                                                                                              \
#        name, try_##name                                                                          \
    }

static const struct {
    const char *name;
    int (*run)(void);
} tries[] = {
    TRY(fork),
    TRY(clone_newuser),
    TRY(clone_newns),
    TRY(clone3),
    TRY(thread),
    TRY(execve),
    TRY(execveat),
    TRY(fork_execve),
    TRY(fork_execveat),
    TRY(read_file),
    TRY(write_file),
    TRY(create_file),
    TRY(create_reading),
    TRY(truncate),
    TRY(list_folder),
    TRY(openat2),
    TRY(unlink),
    TRY(mkdir),
    TRY(chmod),
    TRY(socket),
    TRY(socket6),
    TRY(socket_udp),
    TRY(socket_raw),
    TRY(socket_unix),
    TRY(socket_packet),
    TRY(netlink_route),
    TRY(netlink_audit),
    TRY(bind_tcp),
    TRY(connect),
    TRY(bind),
    TRY(listen),
    TRY(socketpair),
    TRY(serve),
    TRY(other_ioctl),
    TRY(mount),
    TRY(umount),
    TRY(pivot_root),
    TRY(chroot),
    TRY(unshare),
    TRY(unshare_mount),
    TRY(setns),
    TRY(fsopen),
    TRY(ptrace),
    TRY(read_memory),
    TRY(write_memory),
    TRY(bpf),
    TRY(keyctl),
    TRY(add_key),
    TRY(userfaultfd),
    TRY(perf),
    TRY(io_uring),
    TRY(open_by_handle),
    TRY(init_module),
    TRY(kexec),
    TRY(reboot),
    TRY(swapon),
    TRY(settime),
    TRY(acct),
    TRY(become_root),
    TRY(kill_parent),
    TRY(become_other),
    TRY(chown),
    TRY(map_executable),
    TRY(map_file_executable),
    TRY(make_executable),
    TRY(i386),
    TRY(prctl_dumpable),
    TRY(memory),
    TRY(much_memory),
    TRY(pipe_of_messages),
    TRY(descriptor_by_message),
    TRY(wait),
    TRY(timers),
    TRY(signals),
    TRY(stderr),
    TRY(abort),
    TRY(pause),
};

/* ---- profiles */

/* One write: no stdio buffer that a killed process would lose. */
IRSAFS_PRINTF(1, 2) static int say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    return write(STDOUT_FILENO, line, (size_t)n) == n ? 0 : -1;
}

static void say_report(const struct irsafs_sandbox_report *report)
{
    const char *names[IRSAFS_SANDBOX_NAMES_MAX];
    size_t n = irsafs_sandbox_names(report, names);
    char line[256] = "report";
    for (size_t i = 0; i < n; i++) {
        (void)strcat(strcat(line, " "), names[i]);
    }
    (void)say("%s\n", line);
}

/* A child as the supervisor makes it; what it has become is the program's to show. */
static int run_child(enum irsafs_sandbox_mode mode, uid_t uid, char **argv)
{
    const struct irsafs_confine_child child = {
        .mode = mode, .uid = uid, .gid = uid, .death_signal = SIGKILL, .parent = getpid()};
    pid_t pid = fork();
    if (pid == 0) {
        if (!irsafs_confine_child(&child)) {
            (void)say("refused %s\n", strerrorname_np(errno));
            _exit(1);
        }
        (void)execv(argv[0], argv);
        (void)say("exec %s\n", strerrorname_np(errno));
        _exit(127);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* On a kernel without this call, as far as a program can see. */
static int run_without(const char *call, char **argv)
{
    const struct irsafs_seccomp_rule rule = {.call = call};
    const struct irsafs_seccomp_group group = {IRSAFS_SECCOMP_ABSENT, &rule, 1};
    if (irsafs_seccomp_load(IRSAFS_SECCOMP_ALLOW, &group, 1) == 0) {
        (void)execv(argv[0], argv);
    }
    perror(call);
    return 127;
}

/* A child whose parent has gone before it was confined: it must see that and not go on. */
static int run_orphan(void)
{
    if (fork() == 0) {
        const struct irsafs_confine_child child = {
            .mode = IRSAFS_SANDBOX_OFF, .death_signal = SIGTERM, .parent = getpid()};
        if (fork() != 0) {
            _exit(0);
        }
        while (getppid() == child.parent) {
            (void)usleep(1000);
        }
        bool good = irsafs_confine_child(&child);
        (void)say("%s %s\n", good ? "went on" : "refused", good ? "" : strerrorname_np(errno));
        _exit(0);
    }
    (void)wait(NULL);
    return 0;
}

static enum irsafs_code enter(const char *profile,
                              enum irsafs_sandbox_mode mode,
                              char **files,
                              struct irsafs_sandbox_report *report,
                              struct irsafs_error *err)
{
    if (strcmp(profile, "supervisor") == 0) {
        return irsafs_confine_supervisor(mode, IRSAFS_RIGHTS_MOUNT, report, err);
    }
    if (strcmp(profile, "worker") == 0) {
        return irsafs_confine_worker(mode, report, err);
    }
    if (strcmp(profile, "notifier") == 0) {
        return irsafs_confine_notifier(mode, report, err);
    }
    if (strcmp(profile, "client") == 0) {
        const struct irsafs_client_settings settings = {.token_file = files[0]};
        return irsafs_client_confine(&settings, mode, report, err);
    }
    return IRSAFS_OK; /* "free": shows what each try does without walls */
}

static void try_one(char *word)
{
    char *equals = strchr(word, '=');
    target = equals != NULL ? equals + 1 : "/etc/passwd";
    if (equals != NULL) {
        *equals = '\0';
    }
    for (size_t i = 0; i < IRSAFS_COUNT(tries); i++) {
        if (strcmp(word, tries[i].name) == 0) {
            errno = 0;
            int result = tries[i].run();
            (void)say("%s %s\n", word, result == 0 ? "ok" : strerrorname_np(errno));
            return;
        }
    }
    (void)say("%s unknown\n", word);
}

int main(int argc, char **argv)
{
    enum irsafs_sandbox_mode mode;
    if (argc < 4 || !irsafs_sandbox_mode_parse(argv[2], &mode)) {
        return 2;
    }
    struct irsafs_sandbox_report report = {0};
    struct irsafs_error err = {.message = ""};
    if (strcmp(argv[1], "without") == 0) {
        return run_without(argv[3], argv + 4);
    }
    if (strcmp(argv[1], "orphan") == 0) {
        return run_orphan();
    }
    bool family = strcmp(argv[1], "family") == 0;
    if (family || strcmp(argv[1], "child") == 0) {
        if (family &&
            irsafs_confine_supervisor(mode, IRSAFS_RIGHTS_MOUNT, &report, &err) != IRSAFS_OK) {
            (void)say("error %d %s\n", (int)err.code, err.message);
            return 9;
        }
        return run_child(mode, (uid_t)strtoul(argv[3], NULL, 10), argv + 4);
    }
    open_all();
    if (enter(argv[1], mode, argv + 3, &report, &err) != IRSAFS_OK) {
        (void)say("error %d %s\n", (int)err.code, err.message);
        return 9;
    }
    say_report(&report);
    int i = 3;
    while (i < argc && strcmp(argv[i], "--") != 0) {
        i++;
    }
    for (i++; i < argc; i++) {
        try_one(argv[i]);
    }
    return 0;
}
