/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/reserve.h"
#include "fs/core/place.h"
#include "fs/fuse/session.h"
#include "fs/shared/block.h"
#include "fs/shared/confine.h"
#include "fs/shared/handed.h"
#include "fs/worker/control.h"
#include "fs/worker/endpoint.h"
#include "fs/worker/keeper.h"
#include "fs/worker/land.h"
#include "fs/worker/loop.h"
#include "fs/worker/metrics.h"
#include "fs/worker/scribe.h"
#include "fs/worker/status.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    KILL_GRACE_MS = 250, /* a client past its own deadline is killed */
    DRAIN_QUIET_MS = 50, /* told to stop: no request for so long, and everybody has his answer */
    DRAIN_LIMIT_MS = 500,
    ORPHAN_MS = 250,    /* without a supervisor: time for a notifier that waits for a LOOKUP */
    ORPHAN_LIMIT_S = 2, /* a worker that hangs is ended by alarm(2) */
    HEARTBEAT_MS = 1000,
    /* Priorities of events: the kernel is served before the endpoint, and looked at again after so many
     * of the endpoint's events; but of many requests of the kernel one waits for its turn among those. */
    FIRST = 0,
    LAST,
    PRIORITIES,
    LAST_IN_A_ROW = 4,
    FIRST_IN_A_ROW = 16,
    EFFECTS_IN_A_ROW = 8, /* of the scribe; what is left waits for the timer */
};

struct worker {
    struct irsafs_block *block;
    const struct irsafs_worker_settings *settings;
    struct irsafs_memory *memory;
    struct irsafs_core *core;
    struct irsafs_session *session; /* the front where the kernel asks; NULL in mode file: */
    struct irsafs_scribe scribe;    /* the front that writes */
    struct irsafs_bell *bell;
    struct irsafs_sandbox_report sandbox;
    struct irsafs_process process;
    struct irsafs_endpoint *endpoint; /* NULL: both listeners are off */
    struct irsafs_endpoint_source source;
    struct irsafs_listener_facts listeners[IRSAFS_LISTENERS];
    struct irsafs_keeper keeper;
    uint64_t tell;    /* the newest that the notifier was asked for */
    uint64_t turns;   /* of the kernel */
    uint64_t counted; /* requests that are in `progress` */
    int timer_fd;
    struct event_base *base;
    struct event *fuse_event, *timer_event, *told_event, *control_event, *heartbeat_event;
    int64_t stop_ms; /* when the drain ends at last; 0: no end asked for */
    bool orphaned;
    int status;
};

static void settle(struct worker *w);

/* ---- the end */

static void finish(struct worker *w, int status)
{
    w->status = status;
    (void)event_base_loopbreak(w->base);
}

/* This worker cannot go on. */
static void fail(struct worker *w, const struct irsafs_error *err)
{
    bool lasting = err->code == IRSAFS_E_KERNEL || err->code == IRSAFS_E_CONNECTION_LOST ||
                   err->code == IRSAFS_E_FD_LOST || err->code == IRSAFS_E_SANDBOX;
    /* First: the supervisor ends us, and refers to this line. */
    irsafs_log(IRSAFS_LOG_ERROR, "worker_failed", IRSAFS_LOG_CODE("code", err->code),
               IRSAFS_LOG_TEXT("error", err->message));
    if (lasting) { /* another worker could do no better */
        irsafs_control_send(
            &(struct irsafs_order){.type = IRSAFS_ORDER_FAILED, .code = (uint32_t)err->code});
    }
    if (w->base != NULL) {
        finish(w, irsafs_code_exit_status(err->code));
    }
}

static void stop(struct worker *w)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    if (w->stop_ms == 0) {
        w->stop_ms = now_ms + DRAIN_LIMIT_MS;
        irsafs_place(IRSAFS_PLACE_STOPPING);
        irsafs_scribe_stop(&w->scribe);
        irsafs_core_stop(w->core, now_ms, irsafs_clock_real());
        if (w->endpoint != NULL) {
            irsafs_endpoint_stop(w->endpoint);
        }
        settle(w);
    }
}

/* The supervisor is gone. A notifier that waits in the kernel for a LOOKUP gets the time to end; then
 * the last descriptor of the file system closes, and who waits gets an error instead of waiting for
 * ever. */
static void orphan(struct worker *w)
{
    w->orphaned = true;
    w->stop_ms = irsafs_clock_boot_ms() + ORPHAN_MS;
    (void)event_del(w->control_event);
    settle(w);
}

/* The death signal of the supervisor, and a hand for a worker that loops. */
static void on_term(int signal)
{
    (void)signal;
    (void)alarm(ORPHAN_LIMIT_S);
}

/* ---- status */

static struct irsafs_session_facts session_facts(const struct worker *w)
{
    return w->session != NULL ? irsafs_session_facts(w->session)
                              : (struct irsafs_session_facts){.protocol_major = 0};
}

static struct irsafs_str render_status(void *user)
{
    const struct worker *w = user;
    struct irsafs_view view = irsafs_core_view(w->core, irsafs_clock_boot_ms());
    struct irsafs_session_facts session = session_facts(w);
    const struct irsafs_status status = {
        .view = &view,
        .facts = &w->memory->facts,
        .settings = w->settings,
        .sandbox = &w->sandbox,
        .listeners = w->listeners,
        .protocol_major = session.protocol_major,
        .protocol_minor = session.protocol_minor,
        .file_missing = w->session == NULL ? irsafs_scribe_missing(&w->scribe) : NULL,
    };
    return irsafs_status_render(&status);
}

/* ---- endpoints */

static struct irsafs_view view_now(void *user)
{
    const struct worker *w = user;
    return irsafs_core_view(w->core, irsafs_clock_boot_ms());
}

static const char *missing_front(void *user)
{
    const struct worker *w = user;
    if (w->session != NULL) {
        return session_facts(w).protocol_major != 0 ? NULL : "it has not said hello yet";
    }
    return irsafs_scribe_missing(&w->scribe);
}

static struct irsafs_str render_metrics(void *user)
{
    struct worker *w = user;
    return irsafs_metrics_scrape(w->block, &w->process);
}

static struct irsafs_refresh refresh(void *user)
{
    struct worker *w = user;
    struct irsafs_refresh r =
        irsafs_core_refresh(w->core, irsafs_clock_boot_ms(), irsafs_clock_real());
    settle(w);
    return r;
}

static bool refreshed(void *user, struct irsafs_refresh *r)
{
    const struct worker *w = user;
    return irsafs_core_refreshed(w->core, r);
}

static void on_listen_order(struct worker *w, const struct irsafs_order *order, int fd)
{
    enum irsafs_listening which = order->listener == IRSAFS_LISTENING_METRICS
                                      ? IRSAFS_LISTENING_METRICS
                                      : IRSAFS_LISTENING_CONTROL;
    struct irsafs_listener_facts *facts = &w->listeners[which];
    facts->errnum = (int)order->code;
    bool listening =
        fd >= 0 && w->endpoint != NULL &&
        irsafs_endpoint_listen(w->endpoint, which, fd, w->settings->listeners[which].text);
    if (fd >= 0 && !listening) {
        facts->errnum = ENOMEM;
        irsafs_log(IRSAFS_LOG_ERROR, "not_listening",
                   IRSAFS_LOG_TEXT("address", w->settings->listeners[which].text),
                   IRSAFS_LOG_TEXT("error", strerrordesc_np(ENOMEM)));
    }
}

/* ---- fetching */

static void ask_for_flight(const struct worker *w, uint64_t number)
{
    irsafs_place(IRSAFS_PLACE_FLIGHT);
    irsafs_control_send(
        &(struct irsafs_order){.type = IRSAFS_ORDER_START,
                               .flight = number,
                               .timeout_ms = w->settings->core.fetch_timeout_ms + KILL_GRACE_MS});
}

/* ---- the loop */

static void arm_timer(const struct worker *w, int64_t at_ms)
{
    /* Zero would disarm: a time that has passed becomes the first millisecond of all. */
    int64_t ms = at_ms == INT64_MAX ? 0 : at_ms > 0 ? at_ms : 1;
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    (void)timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void give_back(void *at, size_t size)
{
    (void)madvise(at, size, MADV_REMOVE);
}

static void tell_kernel(struct worker *w, uint64_t tell)
{
    uint64_t one = 1;
    if (tell > w->tell) {
        irsafs_place(IRSAFS_PLACE_TOUCHED);
        w->tell = tell;
        atomic_store(&w->bell->tell, tell);
        (void)!write(IRSAFS_HANDED_RING, &one, sizeof(one));
    }
}

static void show_life(struct worker *w)
{
    atomic_fetch_add(&w->block->head.alive, 1);
    atomic_fetch_add(&w->block->head.progress, 1);
}

static void count_progress(struct worker *w)
{
    uint64_t handled = session_facts(w).handled;
    if (handled != w->counted) {
        w->counted = handled;
        show_life(w);
    }
}

static struct irsafs_effects take_effects(struct worker *w, int64_t now_ms)
{
    struct irsafs_effects e = irsafs_core_effects(w->core, now_ms, irsafs_clock_real());
    irsafs_core_commit(w->core, give_back);
    if (e.start_flight != 0) {
        ask_for_flight(w, e.start_flight);
    }
    return e;
}

static uint64_t digest_of_listeners(const struct worker *w)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        digest = digest * 256 + (uint64_t)w->listeners[i].errnum;
    }
    return digest;
}

/* Mode file. What the scribe does has effects, of which it may want to hear. */
static struct irsafs_effects write_files(struct worker *w, struct irsafs_effects e, int64_t now_ms)
{
    enum irsafs_code code;
    for (int i = 0; i < EFFECTS_IN_A_ROW; i++) {
        if (!irsafs_scribe_act(&w->scribe, e.tell, now_ms, irsafs_clock_real())) {
            break;
        }
        e = take_effects(w, now_ms);
    }
    if (!w->settings->once) {
        irsafs_scribe_status(&w->scribe, digest_of_listeners(w), render_status, w, now_ms);
    } else if (irsafs_scribe_is_done(&w->scribe, &code)) {
        irsafs_control_send(
            &(struct irsafs_order){.type = IRSAFS_ORDER_DONE, .code = (uint32_t)code});
    }
    int64_t next_ms = irsafs_scribe_next_ms(&w->scribe);
    e.next_tick_ms = next_ms < e.next_tick_ms ? next_ms : e.next_tick_ms;
    return e;
}

/* After every event: the core's effects are committed, then carried out. */
static void settle(struct worker *w)
{
    int64_t now_ms = irsafs_clock_boot_ms();
    struct irsafs_effects e = take_effects(w, now_ms);
    if (w->session != NULL) {
        tell_kernel(w, e.tell);
        irsafs_session_answer(w->session);
    } else {
        e = write_files(w, e, now_ms);
    }
    count_progress(w);
    if (w->endpoint != NULL) {
        irsafs_endpoint_settle(w->endpoint);
    }
    irsafs_keeper_act(&w->keeper, w->core, now_ms);
    int64_t keeper_ms = irsafs_keeper_next_ms(&w->keeper);
    int64_t tick_ms = keeper_ms < e.next_tick_ms ? keeper_ms : e.next_tick_ms;
    if (w->stop_ms != 0) {
        int64_t quiet_ms = now_ms + DRAIN_QUIET_MS;
        tick_ms = w->orphaned || quiet_ms > w->stop_ms ? w->stop_ms : quiet_ms;
    }
    arm_timer(w, tick_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    struct worker *w = user;
    uint64_t expirations;
    (void)what;
    if (read((int)fd, &expirations, sizeof(expirations)) < 0) {
        return; /* armed anew since it expired */
    }
    if (w->stop_ms != 0) { /* quiet, or long enough */
        irsafs_control_send(&(struct irsafs_order){.type = IRSAFS_ORDER_STOPPED});
        finish(w, 0);
        return;
    }
    irsafs_core_tick(w->core, irsafs_clock_boot_ms(), irsafs_clock_real());
    settle(w);
}

static void on_heartbeat(evutil_socket_t fd, short what, void *user)
{
    struct worker *w = user;
    (void)fd;
    (void)what;
    show_life(w);
    if (w->session == NULL) {
        settle(w); /* an order REFRESH may have been lost with a worker before */
    }
#ifdef IRSAFS_TEST_PLACES
    struct irsafs_files_usage usage = irsafs_core_view(w->core, irsafs_clock_boot_ms()).usage;
    irsafs_places_count(usage.inodes, usage.n_lookups, session_facts(w).slots_used,
                        usage.underflows);
#endif
}

static void on_told(evutil_socket_t fd, short what, void *user)
{
    struct worker *w = user;
    uint64_t n;
    (void)what;
    (void)!read((int)fd, &n, sizeof(n)); /* non-blocking: `told` is what counts */
    irsafs_core_told(w->core, atomic_load(&w->bell->told));
    settle(w);
}

static void on_control(evutil_socket_t fd, short what, void *user)
{
    struct worker *w = user;
    struct irsafs_order order = {.type = 0};
    int fds[IRSAFS_ORDER_FDS_MAX];
    (void)fd;
    (void)what;
    switch (irsafs_control_receive(&order, fds)) {
    case IRSAFS_CONTROL_NOTHING:
        return;
    case IRSAFS_CONTROL_GONE:
        orphan(w);
        return;
    case IRSAFS_CONTROL_ORDER:
        break;
    }
    if (order.type == IRSAFS_ORDER_LANDED) {
        irsafs_land(w->core, w->memory, w->settings, &order, fds);
        irsafs_core_commit(w->core, give_back);
        irsafs_control_send(
            &(struct irsafs_order){.type = IRSAFS_ORDER_TAKEN, .flight = order.flight});
        irsafs_place(IRSAFS_PLACE_LANDED);
        settle(w);
    } else if (order.type == IRSAFS_ORDER_LISTEN) {
        on_listen_order(w, &order, fds[0]);
        fds[0] = -1;
        irsafs_core_status_changed(w->core);
        settle(w);
    } else if (order.type == IRSAFS_ORDER_PUBLISHED) {
        if (w->session != NULL) {
            irsafs_keeper_answered(&w->keeper, &order);
        } else {
            irsafs_scribe_answered(&w->scribe, &order);
        }
        settle(w);
    } else if (order.type == IRSAFS_ORDER_REFRESH) {
        settle(w);
    } else if (order.type == IRSAFS_ORDER_STOP) {
        stop(w);
    } else if (order.type == IRSAFS_ORDER_LOG && order.code <= IRSAFS_LOG_ERROR) {
        irsafs_log_set_level((enum irsafs_log_level)order.code);
        if (fds[0] >= 0) {
            fds[0] = irsafs_log_set_file(fds[0]); /* the old one is closed */
        }
    }
    for (size_t i = 0; i < IRSAFS_COUNT(fds); i++) {
        (void)irsafs_fd_close(fds[i]);
    }
}

static void on_fuse(evutil_socket_t fd, short what, void *user)
{
    struct worker *w = user;
    struct irsafs_error err;
    (void)fd;
    (void)what;
    (void)event_priority_set(w->fuse_event, ++w->turns % FIRST_IN_A_ROW == 0 ? LAST : FIRST);
    if (irsafs_session_receive(w->session)) {
        settle(w);
        return;
    }
    /* The kernel has answered the readers itself; their requests are let go of. */
    irsafs_core_stop(w->core, irsafs_clock_boot_ms(), irsafs_clock_real());
    irsafs_session_answer(w->session);
    if (w->stop_ms != 0) {
        finish(w, 0);
        return;
    }
    (void)irsafs_error_set(&err, IRSAFS_E_CONNECTION_LOST,
                           "the kernel closed the file system on %s", w->settings->mountpoint);
    fail(w, &err);
}

/* ---- life */

static bool add(struct event **event, struct worker *w, int fd, event_callback_fn on_ready)
{
    *event = event_new(w->base, fd, EV_READ | EV_PERSIST, on_ready, w);
    return *event != NULL && event_priority_set(*event, FIRST) == 0 && event_add(*event, NULL) == 0;
}

static bool add_events(struct worker *w)
{
    const struct timeval heartbeat = {.tv_sec = HEARTBEAT_MS / 1000};
    w->heartbeat_event = event_new(w->base, -1, EV_PERSIST, on_heartbeat, w);
    return (w->session == NULL || add(&w->fuse_event, w, IRSAFS_HANDED_FUSE, on_fuse)) &&
           add(&w->timer_event, w, w->timer_fd, on_timer) &&
           add(&w->told_event, w, IRSAFS_HANDED_TOLD, on_told) &&
           add(&w->control_event, w, IRSAFS_HANDED_CONTROL, on_control) &&
           w->heartbeat_event != NULL && event_priority_set(w->heartbeat_event, FIRST) == 0 &&
           event_add(w->heartbeat_event, &heartbeat) == 0;
}

static void *map(int fd, size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool find_memory(struct worker *w, struct irsafs_error *err)
{
    w->block = map(IRSAFS_HANDED_BLOCK, irsafs_block_size());
    w->bell = map(IRSAFS_HANDED_BELL, sizeof(*w->bell));
    if (w->block == NULL || w->bell == NULL) {
        (void)irsafs_error_set(err, IRSAFS_E_MEMORY, "map the shared memory: %s",
                               strerrordesc_np(errno));
        return false;
    }
    if (w->block->head.layout != IRSAFS_LAYOUT) {
        (void)irsafs_error_set(err, IRSAFS_E_MEMORY, "the shared memory has layout %u, not %d",
                               (unsigned)w->block->head.layout, IRSAFS_LAYOUT);
        return false;
    }
    w->settings = &w->block->head.settings;
    w->memory = &w->block->memory;
    w->core = irsafs_block_core(w->block);
    irsafs_keeper_init(&w->keeper, w->block);
    return true;
}

static bool open_endpoint(struct worker *w)
{
    const struct irsafs_worker_settings *s = w->settings;
    if (s->listeners[IRSAFS_LISTENING_CONTROL].socket_len == 0 &&
        s->listeners[IRSAFS_LISTENING_METRICS].socket_len == 0) {
        return true;
    }
    w->source = (struct irsafs_endpoint_source){
        .user = w,
        .view = view_now,
        .front = w->session != NULL ? "kernel" : "file",
        .missing_front = missing_front,
        .status = render_status,
        .metrics = render_metrics,
        .refresh = refresh,
        .refreshed = refreshed,
    };
    w->process = irsafs_process_open();
    w->endpoint = irsafs_endpoint_new(w->base, &w->source, s->core.fetch_timeout_ms);
    return w->endpoint != NULL;
}

/* Everything that needs more than the box allows. */
static enum irsafs_code open_all(struct worker *w, struct irsafs_error *err)
{
    const struct irsafs_worker_settings *s = w->settings;
    const struct irsafs_session_settings session = {
        .core = w->core,
        .journal = &w->block->journal,
        .give_back = give_back,
        .render_status = render_status,
        .user = w,
        .uid = s->uid,
        .gid = s->gid,
        .config_mode = s->config_mode,
        .refresh_mode = s->refresh_mode,
    };
    json_set_alloc_funcs(irsafs_reserve_malloc, irsafs_reserve_free);
    json_object_seed(0);
    w->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    w->base = irsafs_loop_new(PRIORITIES, LAST_IN_A_ROW, LAST);
    if (w->base == NULL || w->timer_fd < 0) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the event loop");
    }
    enum irsafs_code code = IRSAFS_OK;
    irsafs_scribe_init(&w->scribe, w->block);
    if (s->mode != IRSAFS_MODE_FILE) {
        code = irsafs_session_new(&session, IRSAFS_HANDED_FUSE, &w->session, err);
    }
    if (code == IRSAFS_OK && !(add_events(w) && open_endpoint(w))) {
        code = irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the event loop");
    }
    return code;
}

/* Goes on where the last worker was killed, or begins. */
static void take_over(struct worker *w)
{
    bool first = !w->memory->core_ready;
    uint64_t told = atomic_load(&w->bell->told);
    if (first) {
        irsafs_core_init(w->core, &w->settings->core, irsafs_clock_boot_ms(), irsafs_clock_real());
        w->memory->core_ready = true;
    } else {
        irsafs_core_take_over(w->core);
        irsafs_core_told(w->core, told);
        w->memory->take_overs++;
    }
    unsigned replayed = w->session != NULL ? irsafs_session_replay(w->session) : 0;
    atomic_store(&w->bell->epoch, w->settings->epoch_allowed &&
                                      session_facts(w).protocol_minor >= IRSAFS_FUSE_MINOR_EPOCH);
    if (!first) {
        irsafs_log(IRSAFS_LOG_DEBUG, "worker_took_over",
                   IRSAFS_LOG_NUMBER("number", w->memory->take_overs),
                   IRSAFS_LOG_NUMBER("requests", replayed));
    }
}

static void set_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTTOU, SIGXFSZ};
    const struct sigaction term = {.sa_handler = on_term};
    for (size_t i = 0; i < IRSAFS_COUNT(ignored); i++) {
        (void)signal(ignored[i], SIG_IGN); /* a terminal's are for the supervisor */
    }
    (void)sigaction(SIGTERM, &term, NULL);
}

static enum irsafs_code
start(struct worker *w, enum irsafs_sandbox_mode walls, struct irsafs_error *err)
{
    if (!find_memory(w, err)) {
        return IRSAFS_E_MEMORY;
    }
    irsafs_places_open();
    enum irsafs_code code = open_all(w, err);
    if (code == IRSAFS_OK) {
        code = irsafs_confine_worker(walls, &w->sandbox, err);
    }
    return code == IRSAFS_OK && w->session != NULL ? irsafs_session_hello(w->session, err) : code;
}

int irsafs_worker_main(int argc, char **argv)
{
    static struct worker w = {.timer_fd = -1};
    struct irsafs_error err;
    enum irsafs_sandbox_mode walls = IRSAFS_SANDBOX_REQUIRED;
    enum irsafs_log_format format;
    enum irsafs_log_level level;
    if (fcntl(IRSAFS_HANDED_CONTROL, F_GETFD) < 0 || argc != 4 ||
        !irsafs_sandbox_mode_parse(argv[1], &walls) || !irsafs_log_format_parse(argv[2], &format) ||
        !irsafs_log_level_parse(argv[3], &level)) {
        (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "irsafs worker is started by irsafs mount");
        return irsafs_error_report("irsafs", &err);
    }
    (void)prctl(PR_SET_NAME, "irsafs-worker");
    irsafs_log_set_format(format);
    irsafs_log_set_level(level);
    irsafs_log_take_stderr();
    (void)irsafs_log_set_file(IRSAFS_HANDED_LOG);
    set_signals();
    enum irsafs_code code = start(&w, walls, &err);
    if (code != IRSAFS_OK) {
        fail(&w, &err);
        return irsafs_code_exit_status(code);
    }
    take_over(&w);
    settle(&w);
    /* Only now: who could be answered has been, and what there is to do has not ended us. */
    atomic_fetch_add(&w.block->head.progress, 1);
    (void)event_base_dispatch(w.base);
    /* No cleaning up: the process ends, and what counts is not in its own memory. */
    return w.status;
}
