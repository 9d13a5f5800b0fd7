/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/supervisor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "fs/core/place.h"
#include "fs/shared/handed.h"
#include "fs/super/connection.h"
#include "fs/super/desk.h"
#include "fs/super/environment.h"
#include "fs/super/flight.h"
#include "fs/super/folder.h"
#include "fs/super/linger.h"
#include "fs/super/listener.h"
#include "fs/super/logs.h"
#include "fs/super/post.h"
#include "fs/super/process.h"
#include "fs/super/spawn.h"
#include "fs/super/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOP_LIMIT_MS = 1000, /* for the worker to answer those who wait */
    REAP_LIMIT_MS = 1000,
};

struct supervisor {
    const struct irsafs_supervisor_settings *settings;
    struct irsafs_error *err;
    struct irsafs_connection connection;
    struct irsafs_flight flight;
    struct irsafs_desk desk;     /* for what the worker publishes */
    struct irsafs_folder folder; /* mode file */
    enum irsafs_confine_rights rights;
    struct irsafs_listener listeners[IRSAFS_LISTENERS];
    struct irsafs_process worker, notifier;
    int post_fd; /* socket to the worker, or -1 */
    int exe_fd, client_fd, null_fd, signal_fd, places_fd;
    int64_t tick_ms;
    struct irsafs_watch watch;
    struct irsafs_linger linger;
    int64_t stop_ms; /* when the end comes at last; 0: no end asked for */
    bool over;
    enum irsafs_code result;
};

/* ---- starting */

static struct irsafs_spawn
prepare_spawn(const struct supervisor *s, int exe_fd, const char *const *argv, int death_signal)
{
    uid_t uid = s->settings->uid;
    return (struct irsafs_spawn){
        .exe_fd = exe_fd,
        .argv = argv,
        .null_fd = s->null_fd,
        .max_file_bytes = RLIM_INFINITY,
        .confine = {.mode = (enum irsafs_sandbox_mode)s->settings->worker->sandbox,
                    .ids_stay = s->rights == IRSAFS_RIGHTS_NONE,
                    .uid = uid,
                    .gid = (gid_t)uid,
                    .death_signal = death_signal},
    };
}

static void start_ours(struct supervisor *s,
                       struct irsafs_process *p,
                       const char *const *argv,
                       int death_signal,
                       const struct irsafs_handing *handings,
                       size_t n_handings)
{
    struct irsafs_spawn spawn = prepare_spawn(s, s->exe_fd, argv, death_signal);
    spawn.env = irsafs_environment();
    spawn.handings = handings;
    spawn.n_handings = s->places_fd >= 0 ? n_handings : n_handings - 1;
    pid_t pid = irsafs_spawn(&spawn);
    p->pid = pid > 0 ? pid : 0;
    p->start_ms = 0;
    p->failures = pid < 0 ? p->failures + 1 : 0;
    if (pid < 0) {
        irsafs_log(p->failures == 1 ? IRSAFS_LOG_ERROR : IRSAFS_LOG_DEBUG, "process_not_started",
                   IRSAFS_LOG_TEXT("process", p->name),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(errno)),
                   IRSAFS_LOG_NUMBER("times", p->failures));
        p->start_ms = irsafs_clock_boot_ms() + IRSAFS_RESTART_MAX_MS;
        return;
    }
    irsafs_connection_count(&s->connection,
                            p == &s->worker ? IRSAFS_WATCHED_WORKERS : IRSAFS_WATCHED_NOTIFIERS);
}

/* For argv: from the shared memory a process would have it from whoever was there before. */
static const char *walls(const struct supervisor *s)
{
    return irsafs_sandbox_mode_name((enum irsafs_sandbox_mode)s->settings->worker->sandbox);
}

static void start_worker(struct supervisor *s)
{
    const struct irsafs_connection *c = &s->connection;
    const char *const argv[] = {"irsafs",
                                "worker",
                                walls(s),
                                irsafs_log_format_name(irsafs_log_format()),
                                irsafs_log_level_name(irsafs_log_level()),
                                NULL};
    int log_fd = s->settings->logs->file.fd;
    int worker_end = -1;
    s->post_fd = irsafs_fd_close(s->post_fd);
    if (!irsafs_post_open(&s->post_fd, &worker_end)) {
        s->worker.start_ms = irsafs_clock_boot_ms() + IRSAFS_RESTART_MAX_MS;
        return;
    }
    const struct irsafs_handing handings[] = {
        {c->fuse_fd, IRSAFS_HANDED_FUSE},
        {c->bell_fd, IRSAFS_HANDED_BELL},
        {c->ring_fd, IRSAFS_HANDED_RING},
        {c->told_fd, IRSAFS_HANDED_TOLD},
        {c->block_fd, IRSAFS_HANDED_BLOCK},
        {worker_end, IRSAFS_HANDED_CONTROL},
        {log_fd >= 0 ? log_fd : s->null_fd, IRSAFS_HANDED_LOG},
        {s->places_fd, IRSAFS_HANDED_PLACES},
    };
    s->worker.born = atomic_load(&c->head->progress);
    /* SIGTERM: without us it answers for a moment longer, so that a notifier which waits in the kernel
     * for a LOOKUP can end. */
    size_t first = c->fuse_fd >= 0 ? 0 : 1;
    start_ours(s, &s->worker, argv, SIGTERM, handings + first, IRSAFS_COUNT(handings) - first);
    (void)irsafs_fd_close(worker_end);
    irsafs_listeners_hand_over(s->listeners, s->post_fd);
    if (s->stop_ms != 0) {
        irsafs_post_send(s->post_fd, &(struct irsafs_order){.type = IRSAFS_ORDER_STOP}, NULL, 0);
    }
}

static void start_notifier(struct supervisor *s)
{
    const struct irsafs_connection *c = &s->connection;
    const char *const argv[] = {"irsafs", "notifier", walls(s),
                                irsafs_log_format_name(irsafs_log_format()), NULL};
    const struct irsafs_handing handings[] = {
        {c->clone_fd, IRSAFS_HANDED_FUSE},    {c->bell_fd, IRSAFS_HANDED_BELL},
        {c->ring_fd, IRSAFS_HANDED_RING},     {c->told_fd, IRSAFS_HANDED_TOLD},
        {s->places_fd, IRSAFS_HANDED_PLACES},
    };
    s->notifier.born = atomic_load(&c->bell->told);
    start_ours(s, &s->notifier, argv, SIGKILL, handings, IRSAFS_COUNT(handings));
}

static void start_due(struct supervisor *s, int64_t now_ms)
{
    if (s->worker.start_ms != 0 && now_ms >= s->worker.start_ms) {
        start_worker(s);
    }
    if (s->notifier.start_ms != 0 && now_ms >= s->notifier.start_ms) {
        start_notifier(s);
    }
}

/* Without a file system there is nobody to notify. */
static void start_all(struct supervisor *s)
{
    s->worker.start_ms = irsafs_clock_boot_ms();
    s->notifier.start_ms = s->connection.fuse_fd >= 0 ? s->worker.start_ms : 0;
}

static bool is_mode(const struct supervisor *s, enum irsafs_mode mode)
{
    return s->settings->worker->mode == (uint32_t)mode;
}

static void log_place(const struct supervisor *s, bool mounted)
{
    const char *path = s->connection.mount.path;
    if (is_mode(s, IRSAFS_MODE_MOUNT) && mounted) {
        irsafs_log(IRSAFS_LOG_INFO, "mounted", IRSAFS_LOG_TEXT("mountpoint", path));
    } else if (is_mode(s, IRSAFS_MODE_MOUNT)) {
        irsafs_log(IRSAFS_LOG_INFO, "unmounted", IRSAFS_LOG_TEXT("mountpoint", path));
    }
}

/* ---- flights */

/* A worker that has taken over asks again for the flight of the one before it. */
static void on_start_order(struct supervisor *s, const struct irsafs_order *order)
{
    int64_t limit_ms = s->settings->worker->core.fetch_timeout_ms + IRSAFS_TICK_MS;
    int64_t timeout_ms =
        order->timeout_ms > 0 && order->timeout_ms < limit_ms ? order->timeout_ms : limit_ms;
    if (order->flight != s->flight.number && s->stop_ms == 0) {
        struct irsafs_spawn spawn =
            prepare_spawn(s, s->client_fd, s->settings->client_argv, SIGKILL);
        spawn.script = true;
        irsafs_flight_kill(&s->flight); /* one at a time, whatever a worker asks for */
        irsafs_flight_let_go(&s->flight);
        irsafs_flight_start(&s->flight, spawn, order->flight, irsafs_clock_boot_ms() + timeout_ms);
    }
    if (order->flight == s->flight.number && irsafs_flight_is_over(&s->flight)) {
        irsafs_flight_report(&s->flight, s->post_fd);
    }
}

/* ---- the end */

static void end(struct supervisor *s, enum irsafs_code result)
{
    s->over = true;
    s->result = result;
}

static void fail(struct supervisor *s, enum irsafs_code code)
{
    const char *mountpoint = s->connection.mount.path;
    if (code == IRSAFS_E_CONNECTION_LOST && is_mode(s, IRSAFS_MODE_FD)) {
        code = irsafs_error_set(s->err, IRSAFS_E_FD_LOST,
                                "the kernel closed the file system that we were handed for %s",
                                mountpoint);
    } else if (code == IRSAFS_E_CONNECTION_LOST) {
        (void)irsafs_error_set(s->err, code, "the kernel closed the file system on %s", mountpoint);
    } else if (code == IRSAFS_E_SANDBOX) {
        (void)irsafs_error_set(
            s->err, code, "worker and notifier cannot run as user %u without privileges",
            s->rights == IRSAFS_RIGHTS_NONE ? (unsigned)geteuid() : (unsigned)s->settings->uid);
    } else {
        (void)irsafs_error_set(s->err, code, "the worker cannot serve %s: see the line before",
                               mountpoint);
    }
    end(s, code);
}

static void on_stop_signal(struct supervisor *s, int number)
{
    if (s->stop_ms == 0) {
        irsafs_log(IRSAFS_LOG_INFO, "stopping", IRSAFS_LOG_NUMBER("signal", number));
        s->stop_ms = irsafs_clock_boot_ms() + STOP_LIMIT_MS;
        irsafs_flight_kill(&s->flight);
        irsafs_post_send(s->post_fd, &(struct irsafs_order){.type = IRSAFS_ORDER_STOP}, NULL, 0);
    }
}

static void kill_all(const struct supervisor *s)
{
    irsafs_flight_kill(&s->flight);
    if (s->notifier.pid > 0) {
        (void)kill(s->notifier.pid, SIGKILL);
    }
    if (s->worker.pid > 0) {
        (void)kill(s->worker.pid, SIGKILL);
    }
}

/* First the abort, which frees whatever hangs in the kernel; then nothing can refuse to die. */
static void take_down(struct supervisor *s)
{
    irsafs_desk_expire(&s->desk, s->settings->worker);
    irsafs_mountpoint_unmount(&s->connection.mount);
    kill_all(s);
    for (int waited_ms = 0; waited_ms < REAP_LIMIT_MS && waitpid(-1, NULL, WNOHANG) >= 0;
         waited_ms++) {
        (void)poll(NULL, 0, 1);
    }
    s->worker.pid = s->notifier.pid = 0;
    s->post_fd = irsafs_fd_close(s->post_fd);
    irsafs_flight_let_go(&s->flight);
    s->flight = (struct irsafs_flight){.text_fd = -1, .report_fd = -1};
    irsafs_connection_close(&s->connection);
}

/* No worker makes progress on this connection: readers get an error, and a new one is made. */
static void give_up(struct supervisor *s)
{
    bool last = s->watch.last;
    irsafs_log(IRSAFS_LOG_ERROR, "connection_given_up",
               IRSAFS_LOG_NUMBER("after_ms", irsafs_watch_patience_ms(&s->watch)),
               IRSAFS_LOG_TEXT("note", "no worker made progress"),
               IRSAFS_LOG_TEXT("action", last ? "exit" : "remount"));
    take_down(s);
    if (last) {
        end(s, irsafs_error_set(s->err, IRSAFS_E_FD_LOST,
                                "no worker could serve %s, and it cannot be mounted again",
                                s->connection.mount.path));
        return;
    }
    irsafs_connection_count(&s->connection, IRSAFS_WATCHED_GIVE_UPS);
    if (!irsafs_watch_anew(&s->watch)) {
        (void)irsafs_error_set(s->err, IRSAFS_E_WORKER,
                               "no worker could serve %s, %u connections in a row",
                               s->connection.mount.path, s->watch.give_ups);
        end(s, IRSAFS_E_WORKER);
        return;
    }
    enum irsafs_code code = irsafs_connection_open(&s->connection, s->settings->worker, s->err);
    if (code != IRSAFS_OK) {
        s->desk.dir_fd = -1; /* perhaps it was closed, and its number is another file's by now */
        end(s, code);
        return;
    }
    irsafs_mountpoint_keep_way(&s->connection.mount);
    irsafs_desk_lay(&s->desk, s->settings->worker, s->connection.mount.below_fd);
    log_place(s, true);
    start_all(s);
    s->worker.back_off_ms = s->notifier.back_off_ms = 0;
}

/* ---- watching */

/* What cannot be had for one worker or notifier cannot be had for the next. */
static void check_walls(struct supervisor *s, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == IRSAFS_STATUS_NOT_CONFINED && !s->over) {
        fail(s, IRSAFS_E_SANDBOX);
    }
}

static void on_death(struct supervisor *s, pid_t pid, int status)
{
    if (pid == s->flight.pid) {
        s->flight.pid = 0;
        s->flight.wait_status = status;
        irsafs_flight_report(&s->flight, s->post_fd);
    } else if (pid == s->notifier.pid) {
        irsafs_process_log_death(&s->notifier, status);
        irsafs_process_restart_later(&s->notifier,
                                     atomic_load(&s->connection.bell->told) == s->notifier.born);
        check_walls(s, status);
    } else if (pid == s->worker.pid) {
        bool holding = irsafs_flight_is_over(&s->flight);
        bool in_vain = atomic_load(&s->connection.head->progress) == s->worker.born;
        if (s->stop_ms == 0 || status != 0) { /* told to stop, it may end before we hear of it */
            irsafs_process_log_death(&s->worker, status);
        }
        irsafs_flight_count_crash(&s->flight, status);
        irsafs_process_restart_later(&s->worker, in_vain || holding);
        check_walls(s, status);
    }
}

/* All of them: signals are merged, and as process 1 of a container we are everybody's parent. */
static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        on_death(s, pid, status);
    }
}

static void tick(struct supervisor *s, int64_t now_ms)
{
    if (now_ms < s->tick_ms + IRSAFS_TICK_MS) {
        return;
    }
    s->tick_ms = now_ms;
    irsafs_logs_tick(s->settings->logs, now_ms, s->post_fd, s->null_fd);
    if (s->stop_ms != 0) {
        return;
    }
    if (irsafs_flight_is_over(&s->flight)) {
        irsafs_flight_report(&s->flight, s->post_fd); /* the message may have been lost */
    }
    irsafs_listeners_try(s->listeners, now_ms, s->post_fd);
    if (s->folder.dir_fd >= 0 && !s->settings->worker->once) {
        s->folder.look_ms = now_ms;
    }
    irsafs_watch_notifier(&s->watch, s->connection.bell, &s->notifier);
    if (!irsafs_watch_worker(&s->watch, s->connection.head, &s->worker)) {
        give_up(s);
    }
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            break; /* below */
        case SIGUSR1:
            irsafs_logs_on_usr1(s->settings->logs, s->post_fd);
            break;
        case SIGHUP:
            irsafs_logs_on_hangup(s->settings->logs, s->post_fd, s->null_fd);
            break;
        default:
            if (!irsafs_linger_begin(&s->linger, (int)info.ssi_signo)) {
                on_stop_signal(s, (int)info.ssi_signo);
            }
        }
    }
    reap(s);
}

static void on_done_order(struct supervisor *s, enum irsafs_code code, bool good)
{
    if (s->settings->worker->once && good) {
        end(s, IRSAFS_OK);
    } else if (s->settings->worker->once) {
        (void)irsafs_error_set(s->err, code, "the fetch failed: see the line before, and %s/config",
                               s->connection.mount.path);
        end(s, code);
    }
}

/* The order is a hint, and may be lost: the number is what counts. */
static void look_at_folder(struct supervisor *s)
{
    if (irsafs_folder_look(&s->folder)) {
        atomic_fetch_add(&s->connection.head->touches, 1);
        irsafs_post_send(s->post_fd, &(struct irsafs_order){.type = IRSAFS_ORDER_REFRESH}, NULL, 0);
    }
}

static void on_order(struct supervisor *s)
{
    struct irsafs_order order = {.type = 0};
    if (!irsafs_post_receive(s->post_fd, &order)) {
        s->post_fd = irsafs_fd_close(s->post_fd); /* it is dying; SIGCHLD says when */
        return;
    }
    switch (order.type) {
    case IRSAFS_ORDER_START:
        on_start_order(s, &order);
        break;
    case IRSAFS_ORDER_TAKEN:
        if (order.flight == s->flight.number && s->flight.pid == 0) {
            irsafs_flight_let_go(&s->flight);
        }
        break;
    case IRSAFS_ORDER_PUBLISH:
        order = irsafs_desk_publish(&s->desk, s->connection.publications, &order);
        irsafs_post_send(s->post_fd, &order, NULL, 0);
        break;
    case IRSAFS_ORDER_DONE:
        on_done_order(s, irsafs_code_from_number((long)order.code), order.code == 0);
        break;
    case IRSAFS_ORDER_STOPPED:
        if (s->stop_ms != 0) {
            end(s, IRSAFS_OK);
        }
        break;
    case IRSAFS_ORDER_FAILED:
        fail(s, irsafs_code_from_number((long)order.code));
        break;
    default:
        break;
    }
}

static int poll_timeout_ms(const struct supervisor *s, int64_t now_ms)
{
    const int64_t times[] = {
        s->tick_ms + IRSAFS_TICK_MS, s->worker.start_ms,
        s->notifier.start_ms,        s->flight.pid > 0 && !s->flight.killed ? s->flight.kill_ms : 0,
        s->folder.look_ms,           s->stop_ms != 0 ? s->stop_ms : s->linger.end_ms,
    };
    int64_t next_ms = now_ms + IRSAFS_TICK_MS;
    for (size_t i = 0; i < IRSAFS_COUNT(times); i++) {
        next_ms = times[i] != 0 && times[i] < next_ms ? times[i] : next_ms;
    }
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void serve(struct supervisor *s)
{
    while (!s->over) {
        int64_t now_ms = irsafs_clock_boot_ms();
        start_due(s, now_ms);
        struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                               {.fd = s->post_fd, .events = POLLIN},
                               {.fd = s->folder.watch_fd, .events = POLLIN}};
        (void)poll(fds, IRSAFS_COUNT(fds), poll_timeout_ms(s, now_ms));
        if (fds[1].revents != 0) {
            on_order(s);
        }
        if (fds[0].revents != 0) {
            on_signals(s);
        }
        now_ms = irsafs_clock_boot_ms();
        if (fds[2].revents != 0) {
            irsafs_folder_notice(&s->folder, now_ms);
        }
        if (s->folder.look_ms != 0 && now_ms >= s->folder.look_ms) {
            look_at_folder(s);
        }
        if (s->flight.pid > 0 && !s->flight.killed && now_ms >= s->flight.kill_ms) {
            s->flight.killed = true;
            irsafs_flight_kill(&s->flight);
        }
        if (irsafs_linger_is_over(&s->linger, now_ms)) {
            on_stop_signal(s, SIGTERM);
        }
        if (s->stop_ms != 0 && now_ms >= s->stop_ms) {
            end(s, IRSAFS_OK);
        }
        if (!s->over) {
            tick(s, now_ms);
        }
    }
}

/* ---- life */

static enum irsafs_code open_all(struct supervisor *s)
{
    static const int ours[] = {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    sigset_t signals;
    (void)sigemptyset(&signals);
    for (size_t i = 0; i < IRSAFS_COUNT(ours); i++) {
        (void)sigaddset(&signals, ours[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    s->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    s->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (s->signal_fd < 0 || s->exe_fd < 0 || s->null_fd < 0) {
        return irsafs_error_set(s->err, IRSAFS_E_IO, "open /proc/self/exe or /dev/null: %s",
                                strerrordesc_np(errno));
    }
    s->client_fd = open(s->settings->client_argv[0], O_RDONLY | O_CLOEXEC);
    if (s->client_fd < 0) {
        return irsafs_error_set(s->err, IRSAFS_E_CLIENT_START, "open %.120s: %s",
                                s->settings->client_argv[0], strerrordesc_np(errno));
    }
    s->places_fd = irsafs_places_fd();
    return IRSAFS_OK;
}

static void close_all(struct supervisor *s)
{
    int *const fds[] = {&s->signal_fd,
                        &s->exe_fd,
                        &s->null_fd,
                        &s->client_fd,
                        &s->places_fd,
                        &s->connection.mount.below_fd,
                        &s->connection.mount.dir_fd,
                        &s->listeners[IRSAFS_LISTENING_CONTROL].fd,
                        &s->listeners[IRSAFS_LISTENING_METRICS].fd};
    for (size_t i = 0; i < IRSAFS_COUNT(fds); i++) {
        *fds[i] = irsafs_fd_close(*fds[i]);
    }
}

/* The mount comes first: what cannot be had for it is what a user wants to know. */
static enum irsafs_code serve_connection(struct supervisor *s)
{
    struct irsafs_sandbox_report report;
    enum irsafs_sandbox_mode mode = (enum irsafs_sandbox_mode)s->settings->worker->sandbox;
    enum irsafs_code code = irsafs_connection_open(&s->connection, s->settings->worker, s->err);
    if (code != IRSAFS_OK) {
        return code;
    }
    log_place(s, true);
    code = open_all(s);
    s->rights = irsafs_confine_rights(s->settings->worker->mode == IRSAFS_MODE_MOUNT);
    if (code == IRSAFS_OK) {
        code = irsafs_confine_supervisor(mode, s->rights, &report, s->err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_folder_open(&s->folder, &s->desk, s->settings->worker, s->err);
    }
    if (code == IRSAFS_OK) {
        irsafs_mountpoint_keep_way(&s->connection.mount);
        irsafs_desk_lay(&s->desk, s->settings->worker, s->connection.mount.below_fd);
        s->tick_ms = irsafs_clock_boot_ms();
        irsafs_listeners_try(s->listeners, s->tick_ms, s->post_fd);
        start_all(s);
        serve(s);
        code = s->result;
    }
    take_down(s);
    log_place(s, false);
    return code;
}

enum irsafs_code irsafs_supervisor_run(const struct irsafs_supervisor_settings *settings,
                                       struct irsafs_error *err)
{
    struct supervisor s = {
        .settings = settings,
        .err = err,
        .connection = IRSAFS_CONNECTION_INIT(settings->worker->mountpoint),
        .flight = {.text_fd = -1, .report_fd = -1},
        .desk = IRSAFS_DESK_INIT,
        .watch = {.last = settings->worker->mode == IRSAFS_MODE_FD},
        .linger = {.for_ms = settings->linger_ms},
        .folder = IRSAFS_FOLDER_INIT,
        .listeners =
            {
                IRSAFS_LISTENER_INIT("control",
                                     &settings->worker->listeners[IRSAFS_LISTENING_CONTROL]),
                IRSAFS_LISTENER_INIT("metrics",
                                     &settings->worker->listeners[IRSAFS_LISTENING_METRICS]),
            },
        .worker = {.name = "worker"},
        .notifier = {.name = "notifier"},
        .post_fd = -1,
        .exe_fd = -1,
        .client_fd = -1,
        .null_fd = -1,
        .signal_fd = -1,
        .places_fd = -1,
    };
    irsafs_connection_prepare(&s.connection, settings->worker, settings->fuse_fd);
    enum irsafs_code code = serve_connection(&s);
    irsafs_folder_close(&s.folder);
    close_all(&s);
    return code;
}
