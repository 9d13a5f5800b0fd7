/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "version.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- counting */

static const int64_t bounds_ms[IRSAFS_DURATION_BOUNDS] = {10,   25,   50,    100,   250,  500,
                                                          1000, 2500, 10000, 30000, 60000};

void irsafs_counters_landed(struct irsafs_counters *counters,
                            const struct irsafs_landing *landing,
                            uint64_t n_dropped,
                            int64_t took_ms,
                            int64_t unix_s)
{
    size_t i = 0;
    if (landing->error.code != IRSAFS_OK) {
        counters->failed[irsafs_code_class(landing->error.code)]++;
    } else {
        counters->ok += landing->profiles > 0 ? 1 : 0;
        counters->empty += landing->profiles > 0 ? 0 : 1;
        counters->last_success_s = unix_s;
    }
    while (i < IRSAFS_COUNT(bounds_ms) && took_ms > bounds_ms[i]) {
        i++;
    }
    counters->durations[i]++;
    counters->durations_ms += (uint64_t)(took_ms > 0 ? took_ms : 0);
    counters->dropped += n_dropped;
}

/* ---- writing */

struct output {
    struct irsafs_buf *text;
    const char *name; /* of the metric being written */
    bool failed;
};

static void put_line(struct output *o, const char *fmt, ...) IRSAFS_PRINTF(2, 3);
static void put_line(struct output *o, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    o->failed = o->failed || n < 0 || (size_t)n >= sizeof(line) ||
                !irsafs_buf_append(o->text, line, (size_t)n);
}

static void put(struct output *o, int64_t value)
{
    put_line(o, "%s %" PRId64 "\n", o->name, value);
}

static void put_label(struct output *o, const char *label, const char *word, uint64_t value)
{
    put_line(o, "%s{%s=\"%s\"} %" PRIu64 "\n", o->name, label, word, value);
}

/* Milliseconds as seconds; what is over is 0. */
static void put_seconds(struct output *o, const char *suffix, int64_t ms)
{
    ms = ms > 0 ? ms : 0;
    put_line(o, "%s%s %" PRId64 ".%03d\n", o->name, suffix, ms / 1000, (int)(ms % 1000));
}

static void put_if(struct output *o, bool known, int64_t value)
{
    if (known) {
        put(o, value);
    }
}

/* ---- the text that is served */

static void put_build(struct output *o, const struct irsafs_metrics *m)
{
    (void)m;
    put_label(o, "version", IRSAFS_VERSION, 1);
}

static void put_state(struct output *o, const struct irsafs_metrics *m)
{
    for (enum irsafs_state s = IRSAFS_STATE_EMPTY; s <= IRSAFS_STATE_NONE; s++) {
        put_label(o, "state", irsafs_state_name(s), m->view->state == s ? 1 : 0);
    }
}

static void put_stale(struct output *o, const struct irsafs_metrics *m)
{
    put(o, m->view->state == IRSAFS_STATE_STALE ? 1 : 0);
}

static void put_age(struct output *o, const struct irsafs_metrics *m)
{
    if (m->view->have_text) {
        put_seconds(o, "", m->view->age_ms);
    }
}

static void put_ttl(struct output *o, const struct irsafs_metrics *m)
{
    put_seconds(o, "", m->view->ttl_ms);
}

static void put_profiles(struct output *o, const struct irsafs_metrics *m)
{
    put(o, m->view->have_text ? (int64_t)m->view->profiles : 0);
}

static void put_bytes(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->view->bytes);
}

static void put_generation(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->view->generation);
}

static void put_last_success(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->counters->last_success_s != 0, m->counters->last_success_s);
}

/* ---- fetching */

static void put_result(struct output *o, const char *result, const char *reason, uint64_t n)
{
    put_line(o, "%s{result=\"%s\",reason=\"%s\"} %" PRIu64 "\n", o->name, result, reason, n);
}

static void put_generations(struct output *o, const struct irsafs_metrics *m)
{
    put_result(o, "ok", "none", m->counters->ok);
    put_result(o, "empty", "none", m->counters->empty);
    for (int c = 0; c < IRSAFS_CLASSES; c++) {
        put_result(o, "failed", irsafs_class_name((enum irsafs_class)c), m->counters->failed[c]);
    }
}

static void put_fetches(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->view->flights);
}

static void put_in_flight(struct output *o, const struct irsafs_metrics *m)
{
    put(o, m->view->in_flight ? 1 : 0);
}

static void put_durations(struct output *o, const struct irsafs_metrics *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < IRSAFS_COUNT(bounds_ms); i++) {
        n += m->counters->durations[i];
        put_line(o, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", o->name, (double)bounds_ms[i] / 1000, n);
    }
    n += m->counters->durations[IRSAFS_DURATION_BOUNDS];
    put_line(o, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", o->name, n);
    put_seconds(o, "_sum", (int64_t)m->counters->durations_ms);
    put_line(o, "%s_count %" PRIu64 "\n", o->name, n);
}

static void put_failing(struct output *o, const struct irsafs_metrics *m)
{
    put(o, m->view->error != NULL ? 1 : 0);
}

static void put_back_off(struct output *o, const struct irsafs_metrics *m)
{
    put_seconds(o, "", m->view->next_try_ms);
}

static void put_refreshes(struct output *o, const struct irsafs_metrics *m)
{
    static const char *const sources[IRSAFS_REFRESH_SOURCES] = {
        [IRSAFS_REFRESH_TOUCH] = "touch",
        [IRSAFS_REFRESH_ENDPOINT] = "endpoint",
    };
    static const char *const outcomes[IRSAFS_REFRESH_OUTCOMES] = {
        [IRSAFS_REFRESH_FETCHED] = "fetched",
        [IRSAFS_REFRESH_DELAYED] = "delayed",
        [IRSAFS_REFRESH_JOINED] = "joined",
        [IRSAFS_REFRESH_PUT_OFF] = "put_off",
    };
    for (size_t s = 0; s < IRSAFS_REFRESH_SOURCES; s++) {
        for (size_t i = 0; i < IRSAFS_REFRESH_OUTCOMES; i++) {
            put_line(o, "%s{source=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", o->name, sources[s],
                     outcomes[i], m->view->counts.refreshes[s][i]);
        }
    }
}

static void put_dropped(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->counters->dropped);
}

static void put_certificate_end(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->facts->cert_expires_s != 0, m->facts->cert_expires_s);
}

static void put_token_end(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->facts->token_expires_s != 0, m->facts->token_expires_s);
}

static void put_unverified(struct output *o, const struct irsafs_metrics *m)
{
    const char *tls = m->facts->endpoint_tls;
    put_if(o, tls[0] != '\0', strcmp(tls, "verified") != 0 ? 1 : 0);
}

/* ---- readers */

static void put_waiters(struct output *o, const struct irsafs_metrics *m)
{
    put(o, m->view->waiters);
}

static void put_refused(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->view->counts.refused);
}

static void put_interrupts(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->view->counts.interrupts);
}

/* ---- processes */

static void put_take_overs(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->take_overs);
}

static void put_restarts(struct output *o, const struct irsafs_metrics *m)
{
    static const struct {
        const char *name;
        enum irsafs_watched starts;
    } processes[] = {{"worker", IRSAFS_WATCHED_WORKERS}, {"notifier", IRSAFS_WATCHED_NOTIFIERS}};
    for (size_t i = 0; i < IRSAFS_COUNT(processes); i++) {
        uint64_t starts = m->watched[processes[i].starts];
        put_label(o, "process", processes[i].name, starts > 0 ? starts - 1 : 0);
    }
}

static void put_give_ups(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->watched[IRSAFS_WATCHED_GIVE_UPS]);
}

static void put_lost(struct output *o, const struct irsafs_metrics *m)
{
    put(o, (int64_t)m->log_lines_lost);
}

static void put_cpu(struct output *o, const struct irsafs_metrics *m)
{
    put_seconds(o, "", m->process.cpu_ms);
}

static void put_resident(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->process.resident_bytes >= 0, m->process.resident_bytes);
}

static void put_virtual(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->process.virtual_bytes >= 0, m->process.virtual_bytes);
}

static void put_open_fds(struct output *o, const struct irsafs_metrics *m)
{
    put_if(o, m->process.open_fds >= 0, m->process.open_fds);
}

static void put_start(struct output *o, const struct irsafs_metrics *m)
{
    put_seconds(o, "", m->process.start_ms);
}

/* ---- all of them */

static const struct family {
    const char *name, *type, *help;
    void (*put)(struct output *output, const struct irsafs_metrics *metrics);
} families[] = {
    {"irsafs_build_info", "gauge", "Always 1; which irsafs this is.", put_build},
    {"irsafs_config_state", "gauge", "1 for the state that config is in, as status shows it.",
     put_state},
    {"irsafs_config_stale", "gauge", "1 while readers get the last good text with comments on top.",
     put_stale},
    {"irsafs_config_age_seconds", "gauge", "Time since the last good text came.", put_age},
    {"irsafs_config_ttl_seconds", "gauge", "How long a text is fresh, with its jitter.", put_ttl},
    {"irsafs_config_profiles", "gauge", "Profiles in the last good text; 0 without one.",
     put_profiles},
    {"irsafs_config_bytes", "gauge", "Size of what readers get; 0 while they would wait for it.",
     put_bytes},
    {"irsafs_config_generation", "gauge", "Number of the newest generation of config; 0: none yet.",
     put_generation},
    {"irsafs_last_success_timestamp_seconds", "gauge", "When the last good answer came.",
     put_last_success},
    {"irsafs_generations_total", "counter",
     "Attempts to generate a text, by result, and why they failed.", put_generations},
    {"irsafs_fetches_total", "counter", "Fetches begun.", put_fetches},
    {"irsafs_fetches_in_flight", "gauge", "1 while a fetch is under way.", put_in_flight},
    {"irsafs_fetch_duration_seconds", "histogram", "How long a fetch took, good or failed.",
     put_durations},
    {"irsafs_fetch_failing", "gauge", "1 when the last fetch failed.", put_failing},
    {"irsafs_backoff_seconds", "gauge", "Time until the next try may begin; 0: no back-off.",
     put_back_off},
    {"irsafs_refreshes_total", "counter",
     "Refreshes that somebody asked for, and what they led to.", put_refreshes},
    {"irsafs_dropped_keys_total", "counter", "Keys and sections of answers that were left out.",
     put_dropped},
    {"irsafs_certificate_expiry_timestamp_seconds", "gauge",
     "When the certificate of the mapping service ends.", put_certificate_end},
    {"irsafs_token_expiry_timestamp_seconds", "gauge", "When the token of the last fetch ends.",
     put_token_end},
    {"irsafs_tls_unverified", "gauge", "1 when the mapping service is asked without verified TLS.",
     put_unverified},
    {"irsafs_waiters", "gauge", "Requests of readers that wait now.", put_waiters},
    {"irsafs_waiters_refused_total", "counter",
     "Requests refused (EAGAIN) because too many were waiting.", put_refused},
    {"irsafs_interrupts_total", "counter", "Waiting readers that were interrupted or killed.",
     put_interrupts},
    {"irsafs_take_overs_total", "counter", "Workers that went on where another one had ended.",
     put_take_overs},
    {"irsafs_process_restarts_total", "counter", "Processes of irsafs that were started again.",
     put_restarts},
    {"irsafs_connections_given_up_total", "counter",
     "Mounts made anew because no worker made progress.", put_give_ups},
    {"irsafs_log_lines_lost_total", "counter", "Log lines of the worker process that nobody took.",
     put_lost},
    {"process_cpu_seconds_total", "counter", "CPU time of the worker process.", put_cpu},
    {"process_resident_memory_bytes", "gauge", "Resident memory of the worker process.",
     put_resident},
    {"process_virtual_memory_bytes", "gauge", "Virtual memory of the worker process.", put_virtual},
    {"process_open_fds", "gauge", "Open descriptors of the worker process.", put_open_fds},
    {"process_start_time_seconds", "gauge", "When the worker process began.", put_start},
};

bool irsafs_metrics_render(const struct irsafs_metrics *metrics, struct irsafs_buf *ret_text)
{
    struct output o = {.text = ret_text};
    irsafs_buf_reset(ret_text);
    for (size_t i = 0; i < IRSAFS_COUNT(families); i++) {
        const struct family *f = &families[i];
        o.name = f->name;
        put_line(&o, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
        f->put(&o, metrics);
    }
    return !o.failed;
}

struct irsafs_str irsafs_metrics_scrape(struct irsafs_block *block,
                                        const struct irsafs_process *process)
{
    static struct irsafs_buf text = {.max = IRSAFS_METRICS_MAX};
    struct irsafs_view view = irsafs_core_view(irsafs_block_core(block), irsafs_clock_boot_ms());
    struct irsafs_metrics m = {
        .view = &view,
        .facts = &block->memory.facts,
        .counters = &block->memory.counters,
        .take_overs = block->memory.take_overs,
        .log_lines_lost = irsafs_log_lost(),
        .process = irsafs_process_look(process),
    };
    for (size_t i = 0; i < IRSAFS_WATCHED; i++) {
        m.watched[i] = atomic_load(&block->head.watched[i]);
    }
    bool whole = irsafs_metrics_render(&m, &text);
    return whole ? (struct irsafs_str){text.data, text.len} : (struct irsafs_str){"", 0};
}
