/* SPDX-License-Identifier: Apache-2.0 */
#include "client/report.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/report.h"

#include <jansson.h>
#include <stdio.h>

/* Lets go of a half-built tree; jansson's pack functions take NULL for "no memory" and pass it on. */
static void json_freep(json_t **json)
{
    json_decref(*json);
}

/* JSON null for what is not known. */
static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* null for 0. */
static json_t *pack_time(int64_t unix_s)
{
    char text[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(unix_s, text);
    return unix_s != 0 ? json_string(text) : json_null();
}

static json_t *pack_token(const struct irsafs_fetch *f)
{
    return json_pack("{s:s?, s:o}", "source", irsafs_token_kind_name(f->token_kind), "expires_at",
                     pack_time(f->token_expires_unix_s));
}

static json_t *pack_endpoint(const struct irsafs_fetch *f)
{
    const struct irsafs_url *url = &f->endpoint;
    if (url->host.len == 0) {
        return json_pack("{s:n, s:n, s:n, s:n}", "scheme", "host", "tls", "cert_expires_at");
    }
    return json_pack("{s:s, s:s%, s:s, s:o}", "scheme", url->https ? "https" : "http", "host",
                     url->host.ptr, url->host.len, "tls",
                     !url->https   ? "none"
                     : f->insecure ? "insecure"
                                   : "verified",
                     "cert_expires_at", pack_time(f->hints.certificate_expires_unix_s));
}

static json_t *pack_dropped(const struct irsafs_dropped *dropped)
{
    json_t *items = json_array();
    for (size_t i = 0; i < dropped->n_items; i++) {
        const struct irsafs_dropped_item *item = &dropped->items[i];
        json_t *entry = json_pack("{s:s, s:s?, s:s}", "section", item->section, "key",
                                  or_null(item->key), "reason", item->reason);
        if (json_array_append_new(items, entry) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return json_pack("{s:I, s:o}", "total", (json_int_t)dropped->total, "items", items);
}

static json_t *pack_sandbox(const struct irsafs_sandbox_report *sandbox)
{
    const char *names[IRSAFS_SANDBOX_NAMES_MAX];
    size_t n = irsafs_sandbox_names(sandbox, names);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(list, json_string(names[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *pack(const struct irsafs_fetch *f)
{
    bool good = f->error.code == IRSAFS_OK;
    json_t *retry_after =
        f->hints.retry_after_ms >= 0 ? json_integer(f->hints.retry_after_ms) : json_null();
    return json_pack(
        "{s:i, s:i, s:s?, s:o, s:b, s:s?, s:s?, s:s?, s:I, s:o, s:o, s:o, s:o}", "schema",
        IRSAFS_REPORT_SCHEMA, "code", (int)f->error.code, "message", good ? NULL : f->error.message,
        "retry_after_ms", retry_after, "connect_refused", (int)f->hints.connect_refused, "identity",
        or_null(f->identity), "run_id", or_null(f->run.id), "workload_type",
        or_null(f->run.workload_type), "profiles", (json_int_t)(good ? f->rewritten.n_profiles : 0),
        "token", pack_token(f), "endpoint", pack_endpoint(f), "sandbox", pack_sandbox(&f->sandbox),
        "dropped", pack_dropped(&f->rewritten.dropped));
}

size_t irsafs_report_render(struct irsafs_fetch *fetch, char ret_json[IRSAFS_REPORT_MAX])
{
    IRSAFS_CLEANUP(json_freep) json_t *json = pack(fetch);
    /* Not json_dumps: when its buffer cannot grow it leaves pieces out without saying so. */
    size_t len = json_dumpb(json, ret_json, IRSAFS_REPORT_MAX, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (len > 0 && len <= IRSAFS_REPORT_MAX) {
        return len;
    }
    (void)irsafs_error_set(&fetch->error, IRSAFS_E_MEMORY, "no memory for the report");
    int n = snprintf(ret_json, IRSAFS_REPORT_MAX, "{\"schema\":%d,\"code\":%d,\"message\":\"%s\"}",
                     IRSAFS_REPORT_SCHEMA, (int)fetch->error.code, fetch->error.message);
    return (size_t)n;
}
