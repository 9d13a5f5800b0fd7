/* SPDX-License-Identifier: Apache-2.0 */
#include "client/daemon.h"

#include "base/clock.h"
#include "base/daemon_files.h"
#include "base/deadline.h"
#include "client/http.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 2000 }; /* with each of the two: both answer at once or not at all */

static void json_freep(json_t **json)
{
    json_decref(*json);
}

void irsafs_daemon_mountpoint(const struct irsafs_daemon_settings *settings,
                              char ret_path[PATH_MAX])
{
    irsafs_default_mountpoint(ret_path);
    if (settings->mountpoint != NULL) {
        (void)snprintf(ret_path, PATH_MAX, "%s", settings->mountpoint);
    }
}

json_t *irsafs_daemon_parse(struct irsafs_str text)
{
    static const struct {
        const char *name;
        json_type type;
    } keys[] = {{"schema", JSON_INTEGER}, {"version", JSON_STRING}, {"mountpoint", JSON_STRING},
                {"state", JSON_STRING},   {"stale", JSON_TRUE},     {"generation", JSON_INTEGER},
                {"fetch", JSON_OBJECT},   {"token", JSON_OBJECT},   {"endpoint", JSON_OBJECT},
                {"dropped", JSON_OBJECT}, {"pid", JSON_INTEGER}};
    json_t *doc = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_integer_value(json_object_get(doc, "schema")) == 1;
    for (size_t i = 0; good && i < IRSAFS_COUNT(keys); i++) {
        const json_t *value = json_object_get(doc, keys[i].name);
        good = value != NULL && (keys[i].type == JSON_TRUE ? json_is_boolean(value)
                                                           : json_typeof(value) == keys[i].type);
    }
    if (!good) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

/* A stranger may hold the port: only what looks like ours in every point is believed. */
static enum irsafs_code believe(const struct irsafs_daemon_settings *settings,
                                struct irsafs_buf *json,
                                bool control,
                                struct irsafs_error *err)
{
    IRSAFS_CLEANUP(json_freep)
    json_t *doc = irsafs_daemon_parse((struct irsafs_str){json->data, json->len});
    if (doc == NULL) {
        return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "what answers is not irsafs");
    }
    if (control && settings->mountpoint != NULL &&
        !irsafs_daemon_is_at(json_string_value(json_object_get(doc, "mountpoint")),
                             settings->mountpoint)) {
        return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "it serves %.40s",
                                json_string_value(json_object_get(doc, "mountpoint")));
    }
    return IRSAFS_OK;
}

enum irsafs_code irsafs_daemon_status_control(const struct irsafs_daemon_settings *settings,
                                              struct irsafs_buf *ret_json,
                                              struct irsafs_error *err)
{
    char url[320];
    bool refused = false;
    struct irsafs_http_answer answer;
    struct irsafs_error why = {.message = ""};
    if (strcmp(settings->control, "off") == 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "not asked");
    }
    (void)snprintf(url, sizeof(url), "http://%s/status", settings->control);
    const struct irsafs_http_request request = {
        .url = url,
        .deadline_ms = irsafs_clock_boot_ms() + PATIENCE_MS,
    };
    irsafs_buf_reset(ret_json);
    enum irsafs_code code = irsafs_http_start(&why);
    if (code == IRSAFS_OK) {
        code = irsafs_http_send(&request, ret_json, &answer, &refused, &why);
    }
    if (code == IRSAFS_OK && answer.status == 200) {
        return believe(settings, ret_json, true, err);
    }
    const char *reason = refused                    ? "nobody listens"
                         : code == IRSAFS_E_TIMEOUT ? "no answer in time"
                         : code == IRSAFS_E_DNS     ? "no such host"
                         : code == IRSAFS_E_CONNECT ? "no connection"
                         : code == IRSAFS_E_MEMORY  ? "out of memory"
                                                    : "what answers is not irsafs";
    return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "%s", reason);
}

enum irsafs_code irsafs_daemon_status_files(const struct irsafs_daemon_settings *settings,
                                            struct irsafs_buf *ret_json,
                                            struct irsafs_error *err)
{
    char path[PATH_MAX];
    irsafs_daemon_mountpoint(settings, path);
    irsafs_buf_reset(ret_json);
    int errnum = irsafs_deadline_run(irsafs_daemon_status_job, path,
                                     irsafs_clock_boot_ms() + PATIENCE_MS, ret_json);
    if (errnum == 0) {
        return believe(settings, ret_json, false, err);
    }
    return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "%s", irsafs_daemon_files_reason(errnum));
}

enum irsafs_code irsafs_daemon_status(const struct irsafs_daemon_settings *settings,
                                      struct irsafs_buf *ret_json,
                                      enum irsafs_daemon_source *ret_source,
                                      struct irsafs_error *err)
{
    char path[PATH_MAX];
    struct irsafs_error control = {.message = ""};
    struct irsafs_error files = {.message = ""};
    if (irsafs_daemon_status_control(settings, ret_json, &control) == IRSAFS_OK) {
        *ret_source = IRSAFS_DAEMON_CONTROL;
        return IRSAFS_OK;
    }
    if (irsafs_daemon_status_files(settings, ret_json, &files) == IRSAFS_OK) {
        *ret_source = IRSAFS_DAEMON_FILES;
        return IRSAFS_OK;
    }
    irsafs_daemon_mountpoint(settings, path);
    if (strcmp(settings->control, "off") == 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "no irsafs in %.100s (%s)", path,
                                files.message);
    }
    return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "no irsafs at %.30s (%s) nor in %.45s (%s)",
                            settings->control, control.message, path, files.message);
}
