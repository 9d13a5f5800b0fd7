/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/supervisor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "fs/core/place.h"
#include "fs/shared/handed.h"
#include "fs/super/connection.h"
#include "fs/super/environment.h"
#include "fs/super/flight.h"
#include "fs/super/listener.h"
#include "fs/super/logs.h"
#include "fs/super/post.h"
#include "fs/super/process.h"
#include "fs/super/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    HUNG_TICKS = 5,       /* without progress: this worker, or notifier, is killed */
    HUNG_WORKERS = 2,     /* in a row, none of which has answered anything: as below */
    GIVE_UP_TICKS = 10,   /* no worker at all makes progress: the connection is given up */
    SOUND_TICKS = 10,     /* with progress: the connections given up before do not count any more */
    GIVE_UPS_MAX = 3,     /* in a row */
    CRASHES_MAX = 3,      /* of workers that have the outcome of one flight in hand */
    STOP_LIMIT_MS = 1000, /* for the worker to answer those who wait */
    REAP_LIMIT_MS = 1000,
};

struct supervisor {
    const struct irsafs_supervisor_settings *settings;
    struct irsafs_error *err;
    struct irsafs_connection connection;
    struct irsafs_flight flight;
    struct irsafs_listener listeners[IRSAFS_LISTENERS];
    struct irsafs_process worker, notifier;
    int post_fd; /* socket to the worker, or -1 */
    int exe_fd, client_fd, null_fd, signal_fd, places_fd;
    int64_t tick_ms;
    uint64_t progress, alive, told; /* as seen at the last tick */
    unsigned idle_ticks, sound_ticks, untold_ticks, hung_workers, give_ups;
    struct irsafs_untold untold;
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

static void hand_over_listener(const struct supervisor *s, size_t i)
{
    const struct irsafs_listener *l = &s->listeners[i];
    const struct irsafs_order order = {
        .type = IRSAFS_ORDER_LISTEN, .listener = (uint32_t)i, .code = (uint32_t)l->errnum};
    if (l->address->socket_len != 0) {
        irsafs_post_send(s->post_fd, &order, &l->fd, l->fd >= 0 ? 1 : 0);
    }
}

static void try_listeners(struct supervisor *s, int64_t now_ms)
{
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        if (irsafs_listener_try(&s->listeners[i], now_ms)) {
            hand_over_listener(s, i);
        }
    }
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
    start_ours(s, &s->worker, argv, SIGTERM, handings, IRSAFS_COUNT(handings));
    (void)irsafs_fd_close(worker_end);
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        hand_over_listener(s, i);
    }
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

/* ---- flights */

static void report_flight(const struct supervisor *s)
{
    const struct irsafs_flight *f = &s->flight;
    const struct irsafs_order order = {.type = IRSAFS_ORDER_LANDED,
                                       .flight = f->number,
                                       .code = (uint32_t)f->failure,
                                       .wait_status = f->wait_status,
                                       .killed = f->killed};
    const int fds[] = {f->text_fd, f->report_fd};
    irsafs_post_send(s->post_fd, &order, fds, f->failure != IRSAFS_OK ? 0 : IRSAFS_COUNT(fds));
}

/* A worker that has taken over asks again for the flight of the one before it. */
static void on_start_order(struct supervisor *s, const struct irsafs_order *order)
{
    int64_t limit_ms = s->settings->worker->core.fetch_timeout_ms + TICK_MS;
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
        report_flight(s);
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
    if (code == IRSAFS_E_CONNECTION_LOST) {
        (void)irsafs_error_set(s->err, code, "the kernel closed the file system on %s", mountpoint);
    } else if (code == IRSAFS_E_SANDBOX) {
        (void)irsafs_error_set(s->err, code,
                               "worker and notifier cannot run as user %u without privileges",
                               (unsigned)s->settings->uid);
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
    irsafs_log(IRSAFS_LOG_ERROR, "connection_given_up",
               IRSAFS_LOG_NUMBER("after_ms", GIVE_UP_TICKS * TICK_MS),
               IRSAFS_LOG_TEXT("note", "no worker made progress"),
               IRSAFS_LOG_TEXT("action", "remount"));
    take_down(s);
    irsafs_connection_count(&s->connection, IRSAFS_WATCHED_GIVE_UPS);
    s->idle_ticks = 0;
    s->sound_ticks = 0;
    s->untold_ticks = 0;
    s->hung_workers = 0;
    s->progress = s->alive = s->told = 0;
    s->untold = (struct irsafs_untold){0};
    if (++s->give_ups >= GIVE_UPS_MAX) {
        (void)irsafs_error_set(s->err, IRSAFS_E_WORKER,
                               "no worker could serve %s, %d connections in a row",
                               s->connection.mount.path, GIVE_UPS_MAX);
        end(s, IRSAFS_E_WORKER);
        return;
    }
    enum irsafs_code code = irsafs_connection_open(&s->connection, s->settings->worker, s->err);
    if (code != IRSAFS_OK) {
        end(s, code);
        return;
    }
    irsafs_mountpoint_keep_way(&s->connection.mount);
    irsafs_log(IRSAFS_LOG_INFO, "mounted", IRSAFS_LOG_TEXT("mountpoint", s->connection.mount.path));
    s->worker.start_ms = s->notifier.start_ms = irsafs_clock_boot_ms();
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

/* What a client has left is handed to each worker until one has taken it. If it ends them, it is let
 * go of. (SIGKILL comes from outside.) */
static void count_crash(struct irsafs_flight *f, int status)
{
    bool crashed = !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
    if (irsafs_flight_is_over(f) && crashed && ++f->crashes >= CRASHES_MAX) {
        irsafs_flight_let_go(f);
        f->failure = IRSAFS_E_CLIENT_DIED;
    }
}

static void on_death(struct supervisor *s, pid_t pid, int status)
{
    if (pid == s->flight.pid) {
        s->flight.pid = 0;
        s->flight.wait_status = status;
        report_flight(s);
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
        count_crash(&s->flight, status);
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

/* One that waits in the kernel for a LOOKUP dies when that is answered; the next one tells again. */
static void watch_notifier(struct supervisor *s)
{
    const struct irsafs_bell *bell = s->connection.bell;
    uint64_t told = atomic_load(&bell->told);
    irsafs_log_untold(&s->untold, bell);
    bool silent = told == s->told && told != atomic_load(&bell->tell);
    s->told = told;
    s->untold_ticks = silent ? s->untold_ticks + 1 : 0;
    if (s->untold_ticks >= HUNG_TICKS && s->notifier.pid > 0) {
        irsafs_log(IRSAFS_LOG_ERROR, "notifier_hung",
                   IRSAFS_LOG_NUMBER("after_ms", HUNG_TICKS * TICK_MS),
                   IRSAFS_LOG_TEXT("action", "kill"));
        (void)kill(s->notifier.pid, SIGKILL);
        s->untold_ticks = 0;
    }
}

/* Counts wake-ups of our own, not time: a container that was frozen has not hung. */
static void tick(struct supervisor *s, int64_t now_ms)
{
    if (now_ms < s->tick_ms + TICK_MS) {
        return;
    }
    s->tick_ms = now_ms;
    irsafs_logs_tick(s->settings->logs, now_ms, s->post_fd, s->null_fd);
    if (s->stop_ms != 0) {
        return;
    }
    if (irsafs_flight_is_over(&s->flight)) {
        report_flight(s); /* the message may have been lost */
    }
    try_listeners(s, now_ms);
    watch_notifier(s);
    uint64_t progress = atomic_load(&s->connection.head->progress);
    uint64_t alive = atomic_load(&s->connection.head->alive);
    s->hung_workers = alive == s->alive ? s->hung_workers : 0;
    s->alive = alive;
    if (progress != s->progress) {
        s->progress = progress;
        s->idle_ticks = 0;
        s->give_ups = ++s->sound_ticks >= SOUND_TICKS ? 0 : s->give_ups;
        return;
    }
    s->sound_ticks = 0;
    bool hung = ++s->idle_ticks == HUNG_TICKS && s->worker.pid > 0;
    s->hung_workers += hung ? 1 : 0;
    if (s->idle_ticks >= GIVE_UP_TICKS || s->hung_workers >= HUNG_WORKERS) {
        give_up(s);
    } else if (hung) {
        irsafs_log(IRSAFS_LOG_ERROR, "worker_hung",
                   IRSAFS_LOG_NUMBER("after_ms", HUNG_TICKS * TICK_MS),
                   IRSAFS_LOG_TEXT("action", "kill"));
        (void)kill(s->worker.pid, SIGKILL);
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
            on_stop_signal(s, (int)info.ssi_signo);
        }
    }
    reap(s);
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
        s->tick_ms + TICK_MS, s->worker.start_ms,
        s->notifier.start_ms, s->flight.pid > 0 && !s->flight.killed ? s->flight.kill_ms : 0,
        s->stop_ms,
    };
    int64_t next_ms = now_ms + TICK_MS;
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
                               {.fd = s->post_fd, .events = POLLIN}};
        (void)poll(fds, IRSAFS_COUNT(fds), poll_timeout_ms(s, now_ms));
        if (fds[1].revents != 0) {
            on_order(s);
        }
        if (fds[0].revents != 0) {
            on_signals(s);
        }
        now_ms = irsafs_clock_boot_ms();
        if (s->flight.pid > 0 && !s->flight.killed && now_ms >= s->flight.kill_ms) {
            s->flight.killed = true;
            irsafs_flight_kill(&s->flight);
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
    irsafs_log(IRSAFS_LOG_INFO, "mounted", IRSAFS_LOG_TEXT("mountpoint", s->connection.mount.path));
    code = open_all(s);
    if (code == IRSAFS_OK) {
        code = irsafs_confine_supervisor(mode, &report, s->err);
    }
    if (code == IRSAFS_OK) {
        irsafs_mountpoint_keep_way(&s->connection.mount);
        s->tick_ms = irsafs_clock_boot_ms();
        try_listeners(s, s->tick_ms);
        s->worker.start_ms = s->notifier.start_ms = s->tick_ms;
        serve(s);
        code = s->result;
    }
    take_down(s);
    irsafs_log(IRSAFS_LOG_INFO, "unmounted",
               IRSAFS_LOG_TEXT("mountpoint", s->connection.mount.path));
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
    enum irsafs_code code = serve_connection(&s);
    close_all(&s);
    return code;
}
