/* SPDX-License-Identifier: Apache-2.0 */
/* fs/worker/metrics: what is counted, and the text of it. What a scrape of the real program holds is
 * shown by tests/operate/test_metrics.py. */
#include "fs/worker/metrics.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct irsafs_error failure;
static struct irsafs_view view;
static struct irsafs_client_facts facts;
static struct irsafs_counters counters;

static struct irsafs_metrics nothing_known(void)
{
    memset(&view, 0, sizeof(view));
    memset(&facts, 0, sizeof(facts));
    memset(&counters, 0, sizeof(counters));
    view.next_try_ms = view.last_flight_ms = view.next_change_ms = -1;
    return (struct irsafs_metrics){
        .view = &view,
        .facts = &facts,
        .counters = &counters,
        .process = {.resident_bytes = -1, .virtual_bytes = -1, .open_fds = -1},
    };
}

static const char *render(const struct irsafs_metrics *m)
{
    static struct irsafs_buf text = {.max = IRSAFS_METRICS_MAX};
    assert_true(irsafs_metrics_render(m, &text));
    return text.data;
}

static void assert_line(const char *text, const char *line)
{
    char wanted[256];
    (void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (strstr(text, wanted) == NULL) {
        fail_msg("no line '%s' in:\n%s", line, text);
    }
}

static void assert_no_sample(const char *text, const char *name)
{
    char unwanted[256];
    (void)snprintf(unwanted, sizeof(unwanted), "\n%s ", name);
    assert_null(strstr(text, unwanted));
}

static void land(enum irsafs_code code, uint32_t profiles, uint64_t n_dropped, int64_t took_ms)
{
    struct irsafs_landing landing = {.profiles = profiles};
    landing.error.code = code;
    irsafs_counters_landed(&counters, &landing, n_dropped, took_ms, 1767225600);
}

static void test_before_anything_has_happened(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    const char *text = render(&m);
    static const char *const unknown[] = {
        "irsafs_config_age_seconds",
        "irsafs_last_success_timestamp_seconds",
        "irsafs_certificate_expiry_timestamp_seconds",
        "irsafs_token_expiry_timestamp_seconds",
        "irsafs_tls_unverified",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
    };
    for (size_t i = 0; i < IRSAFS_COUNT(unknown); i++) {
        assert_no_sample(text, unknown[i]);
    }
    assert_line(text, "irsafs_config_state{state=\"empty\"} 1");
    assert_line(text, "irsafs_config_state{state=\"stale\"} 0");
    assert_line(text, "irsafs_generations_total{result=\"failed\",reason=\"bad_answer\"} 0");
    assert_line(text, "irsafs_refreshes_total{source=\"endpoint\",outcome=\"put_off\"} 0");
    assert_line(text, "irsafs_backoff_seconds 0.000");
    assert_line(text, "irsafs_process_restarts_total{process=\"worker\"} 0");
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"+Inf\"} 0");
}

static void test_landings_are_counted_by_result_and_reason(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    land(IRSAFS_E_SERVICE, 0, 0, 1);
    assert_no_sample(render(&m), "irsafs_last_success_timestamp_seconds");
    land(IRSAFS_OK, 3, 2, 1);
    land(IRSAFS_OK, 0, 0, 1);
    land(IRSAFS_E_SERVICE, 0, 0, 1);
    land(IRSAFS_E_NOTHING_VALID, 0, 5, 1);
    const char *text = render(&m);
    assert_line(text, "irsafs_generations_total{result=\"ok\",reason=\"none\"} 1");
    assert_line(text, "irsafs_generations_total{result=\"empty\",reason=\"none\"} 1");
    assert_line(text, "irsafs_generations_total{result=\"failed\",reason=\"service\"} 2");
    assert_line(text, "irsafs_generations_total{result=\"failed\",reason=\"bad_answer\"} 1");
    assert_line(text, "irsafs_generations_total{result=\"failed\",reason=\"token\"} 0");
    assert_line(text, "irsafs_dropped_keys_total 7");
    assert_line(text, "irsafs_last_success_timestamp_seconds 1767225600");
}

static void test_durations_are_cumulative(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    land(IRSAFS_OK, 1, 0, 10); /* a bound belongs to its bucket */
    land(IRSAFS_OK, 1, 0, 11);
    land(IRSAFS_OK, 1, 0, 60000);
    land(IRSAFS_OK, 1, 0, 60001);
    land(IRSAFS_OK, 1, 0, -5); /* a clock that goes back is no duration */
    const char *text = render(&m);
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"0.01\"} 2");
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"0.025\"} 3");
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"30\"} 3");
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"60\"} 4");
    assert_line(text, "irsafs_fetch_duration_seconds_bucket{le=\"+Inf\"} 5");
    assert_line(text, "irsafs_fetch_duration_seconds_sum 120.022");
    assert_line(text, "irsafs_fetch_duration_seconds_count 5");
}

static void test_what_is_known_is_shown(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    view = (struct irsafs_view){.state = IRSAFS_STATE_STALE,
                                .generation = 7,
                                .bytes = 961,
                                .have_text = true,
                                .profiles = 6,
                                .age_ms = 61234,
                                .ttl_ms = 900000,
                                .error = &failure,
                                .next_try_ms = 1500,
                                .in_flight = true,
                                .flights = 9,
                                .waiters = 3};
    view.counts.refreshes[IRSAFS_REFRESH_TOUCH][IRSAFS_REFRESH_JOINED] = 4;
    view.counts.refused = 5;
    view.counts.interrupts = 6;
    facts.cert_expires_s = 1800000000;
    facts.token_expires_s = 1700000000;
    memcpy(facts.endpoint_tls, "insecure", 9);
    m.take_overs = 8;
    m.log_lines_lost = 11;
    m.watched[IRSAFS_WATCHED_WORKERS] = 3;
    m.watched[IRSAFS_WATCHED_NOTIFIERS] = 2;
    m.watched[IRSAFS_WATCHED_GIVE_UPS] = 1;
    m.process = (struct irsafs_process_facts){.start_ms = 1767225600123,
                                              .cpu_ms = 42,
                                              .resident_bytes = 2 << 20,
                                              .virtual_bytes = 8 << 20,
                                              .open_fds = 12};
    const char *text = render(&m);
    static const char *const lines[] = {
        "irsafs_config_state{state=\"stale\"} 1",
        "irsafs_config_stale 1",
        "irsafs_config_age_seconds 61.234",
        "irsafs_config_ttl_seconds 900.000",
        "irsafs_config_profiles 6",
        "irsafs_config_bytes 961",
        "irsafs_config_generation 7",
        "irsafs_fetches_total 9",
        "irsafs_fetches_in_flight 1",
        "irsafs_fetch_failing 1",
        "irsafs_backoff_seconds 1.500",
        "irsafs_refreshes_total{source=\"touch\",outcome=\"joined\"} 4",
        "irsafs_certificate_expiry_timestamp_seconds 1800000000",
        "irsafs_token_expiry_timestamp_seconds 1700000000",
        "irsafs_tls_unverified 1",
        "irsafs_waiters 3",
        "irsafs_waiters_refused_total 5",
        "irsafs_interrupts_total 6",
        "irsafs_take_overs_total 8",
        "irsafs_process_restarts_total{process=\"worker\"} 2",
        "irsafs_process_restarts_total{process=\"notifier\"} 1",
        "irsafs_connections_given_up_total 1",
        "irsafs_log_lines_lost_total 11",
        "process_cpu_seconds_total 0.042",
        "process_resident_memory_bytes 2097152",
        "process_virtual_memory_bytes 8388608",
        "process_open_fds 12",
        "process_start_time_seconds 1767225600.123",
    };
    for (size_t i = 0; i < IRSAFS_COUNT(lines); i++) {
        assert_line(text, lines[i]);
    }
    memcpy(facts.endpoint_tls, "verified", 9);
    assert_line(render(&m), "irsafs_tls_unverified 0");
}

static void test_largest_text_has_room(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    memset(&counters, 0x7f, sizeof(counters));
    memset(&view.counts, 0x7f, sizeof(view.counts));
    memset(m.watched, 0x7f, sizeof(m.watched));
    assert_true(strlen(render(&m)) < IRSAFS_METRICS_MAX / 2);
}

static void test_memory_is_kept(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_METRICS_MAX);
    assert_true(irsafs_metrics_render(&m, &text));
    const char *first = text.data;
    size_t len = text.len;
    assert_true(irsafs_metrics_render(&m, &text));
    assert_ptr_equal(text.data, first);
    assert_int_equal(text.len, len);
    irsafs_buf_deinit(&text);
}

static void test_without_room(void **arg)
{
    (void)arg;
    struct irsafs_metrics m = nothing_known();
    struct irsafs_buf text = IRSAFS_BUF_INIT(1000);
    assert_false(irsafs_metrics_render(&m, &text));
    irsafs_buf_deinit(&text);
}

static void test_this_process(void **arg)
{
    (void)arg;
    struct irsafs_process process = irsafs_process_open();
    struct irsafs_process_facts before = irsafs_process_look(&process);
    assert_true(before.start_ms > INT64_C(1600000000000));
    assert_true(before.open_fds >= 4 && before.open_fds < 128);
    assert_true(before.resident_bytes > 100000 && before.virtual_bytes > before.resident_bytes);
    char *more = malloc(8 << 20);
    assert_non_null(more);
    memset(more, 1, 8 << 20);
    struct irsafs_process another = irsafs_process_open();
    struct irsafs_process_facts after = irsafs_process_look(&process);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(after.resident_bytes > before.resident_bytes + (4 << 20));
    while (irsafs_process_look(&process).cpu_ms <= before.cpu_ms) {
    }
    free(more);
    (void)close(another.statm_fd);
    process.statm_fd = -1;
    assert_int_equal(irsafs_process_look(&process).resident_bytes, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_anything_has_happened),
        cmocka_unit_test(test_landings_are_counted_by_result_and_reason),
        cmocka_unit_test(test_durations_are_cumulative),
        cmocka_unit_test(test_what_is_known_is_shown),
        cmocka_unit_test(test_largest_text_has_room),
        cmocka_unit_test(test_memory_is_kept),
        cmocka_unit_test(test_without_room),
        cmocka_unit_test(test_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
