/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/daemon.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "fs/fuse/session.h"
#include "fs/status.h"
#include "fs/super/answer.h"
#include "fs/super/flight.h"
#include "fs/super/mountpoint.h"
#include "fs/super/notifier.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILL_GRACE_MS = 250, /* a client past its own deadline is killed */
    DRAIN_QUIET_MS = 50, /* SIGTERM: no request for so long, and everybody has what he waited for */
    DRAIN_LIMIT_MS = 500,
    NOTIFIER_RETRY_MS = 1000,
};

struct daemon {
    const struct irsafs_daemon_settings *settings;
    struct irsafs_answer_settings answer;
    struct irsafs_core *core;
    struct irsafs_session *session;
    struct irsafs_notifier notifier;
    struct irsafs_flight flight;
    struct irsafs_client_facts facts;
    char last_tls[sizeof(((struct irsafs_client_facts *)0)->endpoint_tls)];
    enum irsafs_code last_result; /* of the last flight: changes are logged once */
    int fuse_fd, timer_fd;
    struct event_base *base;
    struct event *fuse_event, *timer_event, *child_event, *term_event, *int_event;
    struct event *notifier_event;
    int64_t stop_ms;           /* when the drain ends at last; 0: no end asked for */
    int64_t notifier_again_ms; /* when to start a dead notifier again; 0: it lives */
    enum irsafs_code result;
    struct irsafs_error *err;
};

static void settle(struct daemon *d);

/* ---- status */

static struct irsafs_text *render_status(void *user)
{
    const struct daemon *d = user;
    struct irsafs_view view = irsafs_core_view(d->core, irsafs_clock_boot_ms());
    struct irsafs_kernel kernel = irsafs_session_kernel(d->session);
    struct irsafs_status status = {
        .view = &view,
        .facts = &d->facts,
        .mountpoint = d->settings->mountpoint,
        .protocol_major = kernel.protocol_major,
        .protocol_minor = kernel.protocol_minor,
    };
    return irsafs_status_render(&status);
}

/* ---- the end */

static void finish(struct daemon *d, enum irsafs_code result)
{
    d->result = result;
    (void)event_base_loopbreak(d->base);
}

static void on_stop_signal(evutil_socket_t number, short what, void *user)
{
    struct daemon *d = user;
    (void)what;
    if (d->stop_ms == 0) {
        int64_t now_ms = irsafs_clock_boot_ms();
        irsafs_log(IRSAFS_LOG_INFO, "stopping", "signal=%d", (int)number);
        d->stop_ms = now_ms + DRAIN_LIMIT_MS;
        irsafs_core_stop(d->core, now_ms, irsafs_clock_real());
        irsafs_flight_kill(&d->flight);
        settle(d);
    }
}

/* ---- fetching */

static void log_landing(struct daemon *d, const struct irsafs_landing *l, size_t bytes)
{
    enum irsafs_code code = l->error.code;
    struct irsafs_view view = irsafs_core_view(d->core, irsafs_clock_boot_ms());
    bool changed = code != d->last_result;
    d->last_result = code;
    if (code != IRSAFS_OK) {
        irsafs_log(changed ? IRSAFS_LOG_WARN : IRSAFS_LOG_DEBUG, "fetch_failed",
                   "code=IRSAFS-E%03d error=\"%s\" next_try_ms=%lld", (int)code, l->error.message,
                   (long long)view.next_try_ms);
        return;
    }
    irsafs_log(changed || view.flights == 1 ? IRSAFS_LOG_INFO : IRSAFS_LOG_DEBUG, "fetched",
               "profiles=%u bytes=%zu took_ms=%lld generation=%llu", (unsigned)view.profiles, bytes,
               (long long)view.last_flight_ms, (unsigned long long)view.generation);
}

/* What goes over the wire unprotected, or to anybody who pretends, is said once. */
static void log_tls(struct daemon *d)
{
    const char *tls = d->facts.endpoint_tls;
    bool changed = strcmp(tls, d->last_tls) != 0;
    memcpy(d->last_tls, tls, sizeof(d->last_tls));
    if (changed && tls[0] != '\0' && strcmp(tls, "verified") != 0) {
        irsafs_log(IRSAFS_LOG_WARN, "tls_not_verified",
                   "tls=%s endpoint=%s://%s note=\"the token can be read or the answer forged on "
                   "the way\"",
                   tls, d->facts.endpoint_scheme, d->facts.endpoint_host);
    }
}

static void land(struct daemon *d, const struct irsafs_landing *landing, uint64_t number)
{
    size_t bytes = landing->text != NULL ? landing->text->size : 0;
    irsafs_core_landed(d->core, number, landing, irsafs_clock_boot_ms(), irsafs_clock_real());
    log_landing(d, landing, bytes); /* the core owns the text by now */
}

static void start_flight(struct daemon *d, uint64_t number)
{
    struct irsafs_landing landing = {.retry_after_ms = -1};
    int64_t kill_ms = irsafs_clock_boot_ms() + d->settings->core.fetch_timeout_ms + KILL_GRACE_MS;
    if (irsafs_flight_start(d->settings->client_argv, number, kill_ms, &d->flight,
                            &landing.error) != IRSAFS_OK) {
        land(d, &landing, number);
    }
}

static void on_child(evutil_socket_t number, short what, void *user)
{
    struct daemon *d = user;
    int status;
    pid_t pid;
    (void)number;
    (void)what;
    /* All of them: signals are merged, and the dead notifier is ours too. */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (d->flight.number == 0 || pid != d->flight.pid) {
            continue;
        }
        struct irsafs_landing landing;
        uint64_t flight = d->flight.number;
        irsafs_answer_read(&d->answer, status, d->flight.killed, d->flight.text_fd,
                           d->flight.report_fd, &landing, &d->facts);
        irsafs_flight_deinit(&d->flight);
        log_tls(d);
        land(d, &landing, flight);
    }
    settle(d);
}

/* ---- telling the kernel */

static void on_notifier(evutil_socket_t fd, short what, void *user)
{
    struct daemon *d = user;
    uint64_t told;
    bool dead = false;
    (void)fd;
    (void)what;
    if (irsafs_notifier_done(&d->notifier, &told, &dead)) {
        irsafs_core_told(d->core, told);
    }
    if (dead) {
        event_free(d->notifier_event);
        d->notifier_event = NULL;
        d->notifier_again_ms = irsafs_clock_boot_ms();
        irsafs_log(IRSAFS_LOG_WARN, "notifier_died", "action=restart");
    }
    settle(d);
}

static enum irsafs_code start_notifier(struct daemon *d, struct irsafs_error *err)
{
    enum irsafs_code code = irsafs_notifier_start(d->fuse_fd, &d->notifier, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    d->notifier_event =
        event_new(d->base, d->notifier.socket, EV_READ | EV_PERSIST, on_notifier, d);
    if (d->notifier_event == NULL || event_add(d->notifier_event, NULL) != 0) {
        irsafs_notifier_stop(&d->notifier);
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the notifier's event");
    }
    d->notifier_again_ms = 0;
    return IRSAFS_OK;
}

static void revive_notifier(struct daemon *d, int64_t now_ms)
{
    struct irsafs_error err;
    if (d->notifier_again_ms == 0 || now_ms < d->notifier_again_ms || d->stop_ms != 0) {
        return;
    }
    if (start_notifier(d, &err) != IRSAFS_OK) {
        irsafs_log(IRSAFS_LOG_ERROR, "notifier_not_started", "error=\"%s\"", err.message);
        d->notifier_again_ms = now_ms + NOTIFIER_RETRY_MS;
    }
}

/* ---- the loop */

static void arm_timer(const struct daemon *d, int64_t at_ms)
{
    /* Zero would disarm: a time that has passed becomes the first millisecond of all. */
    int64_t ms = at_ms == INT64_MAX ? 0 : at_ms > 0 ? at_ms : 1;
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    (void)timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* After every event: the core's effects are carried out. */
static void settle(struct daemon *d)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    struct irsafs_effects e;
    revive_notifier(d, now_ms);
    do { /* again when a flight ended at once: the next one may be due */
        e = irsafs_core_effects(d->core, now_ms, irsafs_clock_real());
        if (e.start_flight != 0) {
            start_flight(d, e.start_flight);
        }
    } while (e.start_flight != 0 && d->flight.number == 0);
    bool epoch = d->settings->epoch_allowed &&
                 irsafs_session_kernel(d->session).protocol_minor >= IRSAFS_FUSE_MINOR_EPOCH;
    irsafs_notifier_tell(&d->notifier, e.tell, epoch);
    irsafs_session_answer(d->session);

    int64_t tick_ms = e.next_tick_ms;
    if (d->flight.number != 0 && !d->flight.killed && d->flight.kill_ms < tick_ms) {
        tick_ms = d->flight.kill_ms;
    }
    if (d->notifier_again_ms != 0 && d->notifier_again_ms < tick_ms) {
        tick_ms = d->notifier_again_ms;
    }
    if (d->stop_ms != 0) {
        tick_ms = now_ms + DRAIN_QUIET_MS < d->stop_ms ? now_ms + DRAIN_QUIET_MS : d->stop_ms;
    }
    arm_timer(d, tick_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    struct daemon *d = user;
    uint64_t expirations;
    (void)what;
    if (read((int)fd, &expirations, sizeof(expirations)) < 0) {
        return; /* armed anew since it expired */
    }
    int64_t now_ms = irsafs_clock_boot_ms();
    if (d->stop_ms != 0) { /* quiet, or long enough */
        finish(d, IRSAFS_OK);
        return;
    }
    if (d->flight.number != 0 && now_ms >= d->flight.kill_ms) {
        d->flight.killed = true;
        irsafs_flight_kill(&d->flight);
    }
    irsafs_core_tick(d->core, now_ms, irsafs_clock_real());
    settle(d);
}

static void on_fuse(evutil_socket_t fd, short what, void *user)
{
    struct daemon *d = user;
    (void)fd;
    (void)what;
    bool open = irsafs_session_receive(d->session);
    struct irsafs_kernel kernel = irsafs_session_kernel(d->session);
    if (!open && !kernel.ready) {
        finish(d, irsafs_error_set(d->err, IRSAFS_E_MEMORY, "the kernel's first request failed"));
        return;
    }
    if (!open) {
        /* The kernel has answered the readers itself; their requests are let go of. */
        irsafs_core_stop(d->core, irsafs_clock_boot_ms(), irsafs_clock_real());
        irsafs_session_answer(d->session);
        finish(d, irsafs_error_set(d->err, IRSAFS_E_CONNECTION_LOST,
                                   "the kernel closed the file system on %s",
                                   d->settings->mountpoint));
        return;
    }
    if (kernel.missing != NULL) {
        finish(d, irsafs_error_set(d->err, IRSAFS_E_KERNEL, "this kernel's FUSE lacks %s",
                                   kernel.missing));
        return;
    }
    settle(d);
}

/* ---- life */

/* libevent ends the process when it lacks memory or descriptors: not without unmounting. */
static const struct irsafs_daemon_settings *served;

static void on_event_log(int severity, const char *text)
{
    irsafs_log(severity < EVENT_LOG_WARN ? IRSAFS_LOG_DEBUG : IRSAFS_LOG_WARN, "libevent",
               "text=\"%s\"", text);
}

static void on_event_fatal(int status)
{
    struct irsafs_error err;
    (void)status;
    irsafs_mountpoint_unmount(served->mountpoint, served->mount_id);
    (void)irsafs_error_set(&err, IRSAFS_E_IO, "the event loop gave up: see the line before");
    _exit(irsafs_error_report("irsafs", &err));
}

static bool add(struct event *event)
{
    return event != NULL && event_add(event, NULL) == 0;
}

static bool add_events(struct daemon *d)
{
    d->fuse_event = event_new(d->base, d->fuse_fd, EV_READ | EV_PERSIST, on_fuse, d);
    d->timer_event = event_new(d->base, d->timer_fd, EV_READ | EV_PERSIST, on_timer, d);
    d->child_event = evsignal_new(d->base, SIGCHLD, on_child, d);
    d->term_event = evsignal_new(d->base, SIGTERM, on_stop_signal, d);
    d->int_event = evsignal_new(d->base, SIGINT, on_stop_signal, d);
    return add(d->fuse_event) && add(d->timer_event) && add(d->child_event) && add(d->term_event) &&
           add(d->int_event);
}

static enum irsafs_code init(struct daemon *d, struct irsafs_error *err)
{
    const struct irsafs_daemon_settings *s = d->settings;
    struct irsafs_session_settings session = {
        .render_status = render_status,
        .user = d,
        .uid = s->uid,
        .gid = s->gid,
        .config_mode = s->config_mode,
        .refresh_mode = s->refresh_mode,
    };
    d->core = irsafs_core_new(&s->core, irsafs_clock_boot_ms(), irsafs_clock_real());
    d->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    d->base = event_base_new();
    if (d->core == NULL || d->base == NULL || d->timer_fd < 0) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the daemon");
    }
    session.core = d->core;
    enum irsafs_code code = irsafs_session_new(&session, d->fuse_fd, &d->session, err);
    if (code == IRSAFS_OK && !add_events(d)) {
        code = irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the event loop");
    }
    return code == IRSAFS_OK ? start_notifier(d, err) : code;
}

static void deinit(struct daemon *d)
{
    struct event *events[] = {d->fuse_event, d->timer_event, d->child_event,
                              d->term_event, d->int_event,   d->notifier_event};
    irsafs_flight_kill(&d->flight);
    irsafs_flight_deinit(&d->flight);
    irsafs_notifier_stop(&d->notifier);
    for (size_t i = 0; i < IRSAFS_COUNT(events); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (d->base != NULL) {
        event_base_free(d->base);
    }
    d->session = irsafs_session_free(d->session);
    d->core = irsafs_core_free(d->core);
    irsafs_client_facts_deinit(&d->facts);
    d->timer_fd = irsafs_fd_close(d->timer_fd);
    d->fuse_fd = irsafs_fd_close(d->fuse_fd);
}

enum irsafs_code irsafs_daemon_run(const struct irsafs_daemon_settings *settings,
                                   int fuse_fd,
                                   struct irsafs_error *err)
{
    struct daemon d = {
        .settings = settings,
        .answer = {.client = settings->client_argv[0],
                   .token_path = settings->token_path,
                   .fetch_timeout_ms = settings->core.fetch_timeout_ms},
        .notifier = {.pid = -1, .socket = -1},
        .flight = {.pid = -1, .text_fd = -1, .report_fd = -1},
        .fuse_fd = fuse_fd,
        .timer_fd = -1,
        .result = IRSAFS_OK,
        .err = err,
    };
    served = settings;
    event_set_log_callback(on_event_log);
    event_set_fatal_callback(on_event_fatal);
    enum irsafs_code code = init(&d, err);
    if (code == IRSAFS_OK) {
        (void)sigprocmask(SIG_SETMASK, settings->signals, NULL);
        settle(&d);
        (void)event_base_dispatch(d.base);
        code = d.result;
    }
    deinit(&d);
    return code;
}
