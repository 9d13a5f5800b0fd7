/* SPDX-License-Identifier: Apache-2.0 */
#include "client/status.h"

#include "base/clock.h"
#include "base/limits.h"
#include "client/daemon.h"
#include "client/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALE = 11, NOTHING = 12, ITEMS_SHOWN = 5, INDENT = 14 };

static void json_freep(json_t **json)
{
    json_decref(*json);
}

/* A member that may be null or missing; then NULL. */
static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool number_of(const json_t *object, const char *name, int64_t *ret)
{
    const json_t *value = json_object_get(object, name);
    *ret = (int64_t)json_integer_value(value);
    return json_is_integer(value);
}

/* What the states mean to who asks whether it works. */
static const struct {
    const char *name;
    int known;   /* exit status when a text with profiles is known */
    int unknown; /* and when not */
    const char *known_words, *unknown_words;
} states[] = {
    {"fresh", 0, 0, "works", "works"},
    {"aging", 0, 0, "works", "works"},
    {"stale", STALE, STALE, "is stale: the last good text is served", "is stale"},
    {"pending", 0, NOTHING, "works: a new text is on its way",
     "has nothing to serve yet: the first text is on its way"},
    {"empty", 0, NOTHING, "works: the next look gets a new text",
     "has nothing to serve yet: nobody has looked at config"},
    {"none", NOTHING, NOTHING, "has nothing to serve: config holds comments only",
     "has nothing to serve: config holds comments only"},
};

static size_t find_state(const json_t *doc)
{
    const char *name = text_of(doc, "state");
    size_t i = 0;
    while (i + 1 < IRSAFS_COUNT(states) && strcmp(states[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* lead and "2026-01-31T03:00:00Z, 10m 2s ago"; future: what stands before the span when the time is to come,
 * NULL: it cannot be. */
static void show_time(
    const char *head, const char *lead, const char *text, const char *past, const char *future)
{
    char span[IRSAFS_SPAN_SIZE];
    int64_t then_s = irsafs_show_parse_time(text);
    int64_t left_s = then_s - (int64_t)irsafs_clock_real().tv_sec;
    bool ahead = future != NULL && left_s >= 0;
    if (then_s < 0) {
        irsafs_show(head, INDENT, "%s%s", lead, text);
        return;
    }
    irsafs_show_span(left_s * 1000, span);
    irsafs_show(head, INDENT, "%s%s, %s%s%s", lead, text, ahead ? future : "", span,
                ahead ? "" : past);
}

static void show_verdict(const json_t *doc, size_t state)
{
    char span[IRSAFS_SPAN_SIZE];
    int64_t profiles;
    int64_t age_ms;
    bool known = number_of(doc, "profiles", &profiles);
    const char *words = known ? states[state].known_words : states[state].unknown_words;
    if (known && number_of(doc, "age_ms", &age_ms) && states[state].known != NOTHING) {
        irsafs_show_span(age_ms, span);
        irsafs_show("irsafs ", 2, "%s%s %lld profile%s, fetched %s ago", words,
                    strchr(words, ':') != NULL ? "," : ":", (long long)profiles,
                    profiles == 1 ? "" : "s", span);
    } else {
        irsafs_show("irsafs ", 2, "%s", words);
    }
}

static void show_next_try(const json_t *doc, const json_t *error)
{
    char span[IRSAFS_SPAN_SIZE];
    int64_t next_ms;
    if (json_is_true(json_object_get(json_object_get(doc, "fetch"), "in_flight"))) {
        irsafs_show("  next try    ", INDENT, "now: a fetch is under way");
    } else if (number_of(error, "next_try_ms", &next_ms) && next_ms > 0) {
        irsafs_show_span(next_ms, span);
        irsafs_show("  next try    ", INDENT,
                    json_is_object(json_object_get(doc, "file"))
                        ? "in %s, or a refresh"
                        : "at the first look after %s, or a refresh",
                    span);
    } else {
        irsafs_show("  next try    ", INDENT, "at the next look at config");
    }
}

static void show_error(const json_t *doc)
{
    const json_t *error = json_object_get(doc, "error");
    const char *code = text_of(error, "code");
    const char *message = text_of(error, "message");
    if (code == NULL || message == NULL) {
        return;
    }
    long number = strncmp(code, "IRSAFS-E", 8) == 0 ? strtol(code + 8, NULL, 10) : 0;
    irsafs_show("  why         ", INDENT, "%s (%s)", message, code);
    if (text_of(error, "since") != NULL) {
        show_time("  since       ", "", text_of(error, "since"), " ago", NULL);
    }
    if (irsafs_code_from_number(number) == (enum irsafs_code)number) {
        irsafs_show("  what to do  ", INDENT, "%s", irsafs_code_remedy((enum irsafs_code)number));
    }
    show_next_try(doc, error);
}

static void show_dropped(const json_t *doc)
{
    const json_t *dropped = json_object_get(doc, "dropped");
    const json_t *items = json_object_get(dropped, "items");
    int64_t total;
    if (!number_of(dropped, "total", &total) || total <= 0) {
        return;
    }
    irsafs_show("  dropped     ", INDENT, "%lld item%s of the service's answer", (long long)total,
                total == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_size(items) && i < ITEMS_SHOWN; i++) {
        const json_t *item = json_array_get(items, i);
        const char *section = text_of(item, "section");
        const char *key = text_of(item, "key");
        const char *reason = text_of(item, "reason");
        irsafs_show("              ", INDENT + 2, "[%s]%s%s: %s", section != NULL ? section : "",
                    key != NULL ? " " : "", key != NULL ? key : "", reason != NULL ? reason : "");
    }
    if (total > ITEMS_SHOWN) {
        irsafs_show("              ", INDENT, "and more: status --json");
    }
}

static void show_service(const json_t *doc)
{
    static const struct {
        const char *tls, *words;
    } kinds[] = {{"verified", "only with a valid certificate"},
                 {"insecure", "certificate NOT verified: anybody on the way can read the token"},
                 {"none", "no TLS: anybody on the way can read the token"}};
    const json_t *endpoint = json_object_get(doc, "endpoint");
    const char *scheme = text_of(endpoint, "scheme");
    const char *host = text_of(endpoint, "host");
    const char *tls = text_of(endpoint, "tls");
    for (size_t i = 0; scheme != NULL && host != NULL && tls != NULL && i < IRSAFS_COUNT(kinds);
         i++) {
        if (strcmp(kinds[i].tls, tls) == 0) {
            irsafs_show("  service     ", INDENT, "%s://%s, %s", scheme, host, kinds[i].words);
        }
    }
}

/* Whether the service refused a token that had ended before. */
static bool is_old_when_it_came(const json_t *error, const char *expires)
{
    const char *code = text_of(error, "code");
    const char *since = text_of(error, "since");
    return code != NULL && since != NULL && strcmp(code, "IRSAFS-E404") == 0 &&
           irsafs_show_parse_time(expires) < irsafs_show_parse_time(since);
}

static void show_token(const json_t *doc)
{
    const json_t *token = json_object_get(doc, "token");
    const char *source = text_of(token, "source");
    const char *expires = text_of(token, "expires_at");
    char lead[64];
    if (source == NULL) {
        return;
    }
    if (expires == NULL) {
        irsafs_show("  token       ", INDENT, "from %s, does not say when it ends", source);
        return;
    }
    bool old = is_old_when_it_came(json_object_get(doc, "error"), expires);
    (void)snprintf(lead, sizeof(lead), "from %.16s, %s ", source, old ? "ended" : "ends");
    show_time("  token       ", lead, expires,
              old ? " ago: its source gives an old one" : " ago: the next fetch takes a new one",
              "in ");
}

static void show_control(const json_t *doc)
{
    const json_t *control = json_object_get(doc, "control");
    const char *address = text_of(control, "address");
    const char *state = text_of(control, "state");
    const char *error = text_of(control, "error");
    if (address != NULL && state != NULL) {
        irsafs_show("  control     ", INDENT, "%s, %s%s%s", address, state,
                    error != NULL ? ": " : "", error != NULL ? error : "");
    }
}

static void show(const json_t *doc, size_t state, const char *asked)
{
    int64_t generation = 0;
    int64_t bytes = 0;
    int64_t pid = 0;
    const char *run = text_of(doc, "run_id");
    const char *unwritten = text_of(json_object_get(doc, "file"), "error");
    show_verdict(doc, state);
    show_error(doc);
    (void)number_of(doc, "generation", &generation);
    (void)number_of(doc, "bytes", &bytes);
    (void)number_of(doc, "pid", &pid);
    if (generation > 0) {
        irsafs_show("  config      ", INDENT, "%s/config, generation %lld, %lld bytes",
                    text_of(doc, "mountpoint"), (long long)generation, (long long)bytes);
    } else {
        irsafs_show("  config      ", INDENT, "%s/config", text_of(doc, "mountpoint"));
    }
    if (unwritten != NULL) {
        irsafs_show("  NOT WRITTEN ", INDENT, "%s", unwritten);
    }
    show_dropped(doc);
    if (run != NULL) {
        irsafs_show("  run         ", INDENT, "%s", run);
    }
    show_service(doc);
    show_token(doc);
    show_control(doc);
    irsafs_show("  irsafs      ", INDENT, "%s, process %lld, asked %s", text_of(doc, "version"),
                (long long)pid, asked);
}

int irsafs_status_main(const char *program, const struct irsafs_client_line *line)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    IRSAFS_CLEANUP(json_freep) json_t *doc = NULL;
    struct irsafs_error err = {.message = ""};
    enum irsafs_daemon_source source;
    int64_t profiles;
    if (irsafs_daemon_settings_check(&line->daemon, &err) != IRSAFS_OK ||
        irsafs_daemon_status(&line->daemon, &text, &source, &err) != IRSAFS_OK) {
        return line->status.quiet ? irsafs_code_exit_status(err.code)
                                  : irsafs_error_report(program, &err);
    }
    doc = irsafs_daemon_parse((struct irsafs_str){text.data, text.len});
    if (doc == NULL) {
        (void)irsafs_error_set(&err, IRSAFS_E_MEMORY, "no memory for the status");
        return irsafs_error_report(program, &err);
    }
    size_t state = find_state(doc);
    if (line->status.json && !line->status.quiet) {
        (void)fwrite(text.data, 1, text.len, stdout);
    } else if (!line->status.quiet) {
        show(doc, state,
             source == IRSAFS_DAEMON_CONTROL ? "over the control endpoint" : "through its mount");
    }
    if (fflush(stdout) != 0) {
        (void)irsafs_error_set(&err, IRSAFS_E_IO, "stdout: %s", strerrordesc_np(errno));
        return irsafs_error_report(program, &err);
    }
    return number_of(doc, "profiles", &profiles) ? states[state].known : states[state].unknown;
}
