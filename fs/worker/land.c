/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/land.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "fs/core/place.h"
#include "fs/worker/answer.h"
#include "fs/worker/metrics.h"

#include <stdio.h>
#include <string.h>

static void log_landing(const struct irsafs_core *core,
                        struct irsafs_memory *memory,
                        const struct irsafs_landing *l)
{
    enum irsafs_code code = l->error.code;
    struct irsafs_view view = irsafs_core_view(core, irsafs_clock_boot_ms());
    bool changed = (uint32_t)code != memory->last_result;
    memory->last_result = (uint32_t)code;
    uint64_t failures = memory->failures;
    memory->failures = code != IRSAFS_OK ? failures + 1 : 0;
    if (code != IRSAFS_OK) {
        irsafs_log(changed ? IRSAFS_LOG_WARN : IRSAFS_LOG_DEBUG, "fetch_failed",
                   IRSAFS_LOG_CODE("code", code), IRSAFS_LOG_TEXT("error", l->error.message),
                   IRSAFS_LOG_NUMBER("failures", failures + 1),
                   IRSAFS_LOG_NUMBER("next_try_ms", view.next_try_ms));
        return;
    }
    irsafs_log(changed || view.flights == 1 ? IRSAFS_LOG_INFO : IRSAFS_LOG_DEBUG, "fetched",
               IRSAFS_LOG_NUMBER("profiles", view.profiles),
               IRSAFS_LOG_NUMBER("bytes", l->text_len),
               IRSAFS_LOG_NUMBER("took_ms", view.last_flight_ms),
               IRSAFS_LOG_NUMBER("generation", view.generation),
               /* without a name it is none */
               IRSAFS_LOG_NUMBER(failures > 0 ? "after_failures" : NULL, failures));
}

/* What goes over the wire unprotected, or to anybody who pretends, is said once. */
static void log_tls(struct irsafs_memory *m)
{
    const char *tls = m->facts.endpoint_tls;
    bool changed = strcmp(tls, m->last_tls) != 0;
    memcpy(m->last_tls, tls, sizeof(m->last_tls));
    if (changed && tls[0] != '\0' && strcmp(tls, "verified") != 0) {
        char endpoint[sizeof(m->facts.endpoint_scheme) + sizeof("://") +
                      sizeof(m->facts.endpoint_host)];
        (void)snprintf(endpoint, sizeof(endpoint), "%s://%s", m->facts.endpoint_scheme,
                       m->facts.endpoint_host);
        irsafs_log(
            IRSAFS_LOG_WARN, "tls_not_verified", IRSAFS_LOG_TEXT("tls", tls),
            IRSAFS_LOG_TEXT("endpoint", endpoint),
            IRSAFS_LOG_TEXT("note", "the token can be read or the answer forged on the way"));
    }
}

void irsafs_land(struct irsafs_core *core,
                 struct irsafs_memory *memory,
                 const struct irsafs_worker_settings *settings,
                 const struct irsafs_order *order,
                 const int fds[2])
{
    const struct irsafs_answer_settings answer = {
        .client = settings->client,
        .token_path = settings->token_path,
        .fetch_timeout_ms = settings->core.fetch_timeout_ms,
    };
    struct irsafs_landing landing = {.retry_after_ms = -1};
    struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    if (irsafs_core_flight(core) != order->flight) {
        return; /* a worker before us has had it */
    }
    irsafs_core_save(core, memory, sizeof(*memory));
    memory->facts.n_dropped = 0;
    if (order->code != 0) {
        (void)irsafs_error_set(&landing.error, irsafs_code_from_number((long)order->code),
                               order->code == IRSAFS_E_CLIENT_START
                                   ? "the client could not be started"
                                   : "what the client left has ended three workers");
    } else if (fds[0] < 0 || fds[1] < 0) {
        (void)irsafs_error_set(&landing.error, IRSAFS_E_IO,
                               "no free descriptor for what the client wrote");
    } else {
        irsafs_place(IRSAFS_PLACE_LANDING);
        irsafs_answer_read(&answer, order->wait_status, order->killed != 0, fds[0], fds[1], &text,
                           &landing, &memory->facts);
    }
    int64_t now_ms = irsafs_clock_boot_ms();
    irsafs_core_landed(core, order->flight, &landing, now_ms, irsafs_clock_real());
    irsafs_counters_landed(&memory->counters, &landing, memory->facts.n_dropped,
                           irsafs_core_view(core, now_ms).last_flight_ms,
                           irsafs_clock_real().tv_sec);
    log_landing(core, memory, &landing);
    log_tls(memory);
    irsafs_buf_deinit(&text);
}
