/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/status.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "base/limits.h"
#include "version.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a reader gets now; null while that is not known: the fetch may bring a text or fail. */
static json_t *source(const struct irsafs_view *v)
{
    switch (v->state) {
    case IRSAFS_STATE_EMPTY:
    case IRSAFS_STATE_PENDING:
        return v->have_text ? json_null() : json_string("none");
    case IRSAFS_STATE_FRESH:
    case IRSAFS_STATE_AGING:
        return json_string("service");
    case IRSAFS_STATE_STALE:
        return json_string("last_good");
    case IRSAFS_STATE_NONE:
        return json_string("none");
    }
    return NULL;
}

static json_t *integer_if(bool known, int64_t value)
{
    return known ? json_integer(value) : json_null();
}

static json_t *word(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* A path need not be UTF-8, JSON must. */
static json_t *path_word(const char *path)
{
    char clean[PATH_MAX];
    json_t *word = json_string(path);
    if (word == NULL) {
        (void)snprintf(clean, sizeof(clean), "%s", path);
        irsafs_ascii_clean(clean, strlen(clean));
        word = json_string(clean);
    }
    return word;
}

static json_t *time_if(bool known, int64_t unix_s)
{
    char text[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(unix_s, text);
    return known ? json_string(text) : json_null();
}

static json_t *dropped(const struct irsafs_client_facts *facts)
{
    json_t *known = facts->dropped[0] != '\0' ? json_loads(facts->dropped, 0, NULL) : NULL;
    return known != NULL ? known : json_pack("{s:i, s:[]}", "total", 0, "items");
}

static json_t *error(const struct irsafs_view *v)
{
    if (v->error == NULL) {
        return json_null();
    }
    char code[16];
    (void)snprintf(code, sizeof(code), "IRSAFS-E%03d", (int)v->error->code);
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "code", code, "class",
                     irsafs_class_name(irsafs_code_class(v->error->code)), "message",
                     v->error->message, "since", time_if(true, v->error_since_s), "next_try_ms",
                     integer_if(v->next_try_ms >= 0, v->next_try_ms));
}

/* What took effect in the processes that see anything from outside. */
static json_t *sandbox(const struct irsafs_status *s)
{
    const char *names[IRSAFS_SANDBOX_NAMES_MAX];
    char worker[128] = "";
    size_t n = irsafs_sandbox_names(s->sandbox, names);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(worker);
        (void)snprintf(worker + len, sizeof(worker) - len, "%s%s", i > 0 ? " " : "", names[i]);
    }
    return json_pack("{s:s, s:s, s:o}", "mode",
                     irsafs_sandbox_mode_name((enum irsafs_sandbox_mode)s->settings->sandbox),
                     "worker", worker, "client", word(s->facts->sandbox));
}

static json_t *listener(const struct irsafs_status *s, enum irsafs_listening which)
{
    const struct irsafs_address *address = &s->settings->listeners[which];
    const struct irsafs_listener_facts *facts = &s->listeners[which];
    if (address->socket_len == 0) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:o}", "address", address->text, "state",
                     facts->errnum == 0 ? "listening" : "taken", "error",
                     word(facts->errnum == 0 ? "" : strerrordesc_np(facts->errnum)));
}

/* Whether `config` has what there is to show; null where it is no file of ours. */
static json_t *file(const struct irsafs_status *s)
{
    if (s->settings->mode != IRSAFS_MODE_FILE) {
        return json_null();
    }
    return json_pack("{s:b, s:o}", "written", s->file_missing == NULL, "error",
                     word(s->file_missing != NULL ? s->file_missing : ""));
}

static json_t *document(const struct irsafs_status *s)
{
    const struct irsafs_view *v = s->view;
    const struct irsafs_client_facts *f = s->facts;
    char protocol[32];
    (void)snprintf(protocol, sizeof(protocol), "%u.%u", s->protocol_major, s->protocol_minor);
    return json_pack(
        "{s:i, s:s, s:s, s:o, s:o, s:s, s:b, s:I, s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o,"
        " s:{s:b, s:I, s:I, s:o}, s:i, s:o, s:o, s:{s:o, s:o}, s:{s:o, s:o, s:o, s:o}, s:{s:o},"
        " s:o, s:o, s:o, s:o, s:i, s:o}",
        "schema", 1, "version", IRSAFS_VERSION, "mode",
        irsafs_mode_name((enum irsafs_mode)s->settings->mode), "layout",
        word(s->settings->mode == IRSAFS_MODE_MOUNT
                 ? irsafs_layout_name((enum irsafs_layout)s->settings->layout)
                 : ""),
        "mountpoint", path_word(s->settings->mountpoint), "state", irsafs_state_name(v->state),
        "stale", v->state == IRSAFS_STATE_STALE, "generation", (json_int_t)v->generation,
        "profiles", integer_if(v->have_text, v->profiles), "bytes", (json_int_t)v->bytes, "age_ms",
        integer_if(v->have_text, v->age_ms), "ttl_ms", (json_int_t)v->ttl_ms, "next_change_ms",
        integer_if(v->next_change_ms >= 0, v->next_change_ms), "fetched_at",
        time_if(v->have_text, v->fetched_s), "source", source(v), "dropped", dropped(f), "error",
        error(v), "fetch", "in_flight", (int)v->in_flight, "total", (json_int_t)v->flights,
        "failed", (json_int_t)v->failed, "last_ms",
        integer_if(v->last_flight_ms >= 0, v->last_flight_ms), "waiters", (int)v->waiters, "run_id",
        word(f->run_id), "workload_type", word(f->workload_type), "token", "source",
        word(f->token_source), "expires_at", word(f->token_expires_at), "endpoint", "scheme",
        word(f->endpoint_scheme), "host", word(f->endpoint_host), "tls", word(f->endpoint_tls),
        "cert_expires_at", time_if(f->cert_expires_s != 0, f->cert_expires_s), "kernel", "protocol",
        s->protocol_major != 0 ? json_string(protocol) : json_null(), "file", file(s), "control",
        listener(s, IRSAFS_LISTENING_CONTROL), "metrics", listener(s, IRSAFS_LISTENING_METRICS),
        "sandbox", sandbox(s), "pid", (int)s->settings->supervisor, "written_at",
        time_if(true, irsafs_clock_real().tv_sec));
}

/* Takes the last dropped item out; false when there is none left. */
static bool shorten(json_t *doc)
{
    json_t *items = json_object_get(json_object_get(doc, "dropped"), "items");
    size_t n = json_array_size(items);
    return n > 0 && json_array_remove(items, n - 1) == 0;
}

struct irsafs_str irsafs_status_render(const struct irsafs_status *status)
{
    /* A buffer of our own: jansson's growing one (2.14) loses pieces without a word when it cannot grow. */
    static char json[IRSAFS_STATUS_MAX];
    json_t *doc = document(status);
    size_t len = 0;
    do {
        len = doc != NULL ? json_dumpb(doc, json, sizeof(json), JSON_INDENT(2)) : 0;
    } while (len >= sizeof(json) && shorten(doc));
    json_decref(doc);
    if (len == 0 || len >= sizeof(json)) {
        return (struct irsafs_str){"", 0};
    }
    json[len] = '\n';
    return (struct irsafs_str){json, len + 1};
}
