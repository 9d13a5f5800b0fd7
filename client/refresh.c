/* SPDX-License-Identifier: Apache-2.0 */
#include "client/refresh.h"

#include "base/clock.h"
#include "base/daemon_files.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/limits.h"
#include "client/daemon.h"
#include "client/http.h"
#include "client/show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TOUCH_MS = 5000,
    LOOK_MS = 5000,
    POLL_MS = 100,
    NOT_FUSE = IRSAFS_DAEMON_NOT_FUSE,
    ANSWER_MAX = 4096
};

struct result {
    int64_t profiles;
    enum { NOT_KNOWN, SAME, CHANGED } change;
};

static void json_freep(json_t **json)
{
    json_decref(*json);
}

/* The error that irsafs tells of, as {"code":"IRSAFS-E701","message":"..."}; IRSAFS_OK when object is none. */
static enum irsafs_code told_error(const json_t *object, struct irsafs_error *err)
{
    const char *code = json_string_value(json_object_get(object, "code"));
    const char *message = json_string_value(json_object_get(object, "message"));
    if (code == NULL || message == NULL || strncmp(code, "IRSAFS-E", 8) != 0) {
        return IRSAFS_OK;
    }
    return irsafs_error_set(err, irsafs_code_from_number(strtol(code + 8, NULL, 10)), "%s",
                            message);
}

/* ---- over the control endpoint, which answers after the result */

static enum irsafs_code read_answer(const struct irsafs_buf *body,
                                    long status,
                                    struct result *ret,
                                    struct irsafs_error *err)
{
    IRSAFS_CLEANUP(json_freep) json_t *doc = json_loadb(body->data, body->len, 0, NULL);
    const json_t *profiles = json_object_get(doc, "profiles");
    const json_t *changed = json_object_get(doc, "changed");
    if (status == 200 && json_is_integer(profiles) && json_is_boolean(changed)) {
        *ret = (struct result){.profiles = (int64_t)json_integer_value(profiles),
                               .change = json_is_true(changed) ? CHANGED : SAME};
        return IRSAFS_OK;
    }
    if (status == 503) {
        return irsafs_error_set(err, IRSAFS_E_NO_ANSWER_YET,
                                "irsafs has too many callers, or is stopping");
    }
    enum irsafs_code code =
        status != 200 ? told_error(json_object_get(doc, "error"), err) : IRSAFS_OK;
    return code != IRSAFS_OK
               ? code
               : irsafs_error_set(err, IRSAFS_E_BAD_HTTP,
                                  "the control endpoint answered %ld to a refresh", status);
}

static enum irsafs_code
refresh_control(const struct irsafs_client_line *line, struct result *ret, struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf body = IRSAFS_BUF_INIT(ANSWER_MAX);
    char url[320];
    bool refused;
    struct irsafs_http_answer answer;
    (void)snprintf(url, sizeof(url), "http://%s/refresh", line->daemon.control);
    const struct irsafs_http_request request = {
        .url = url,
        .any_status = true,
        .deadline_ms = irsafs_clock_boot_ms() + line->refresh.timeout_ms,
    };
    enum irsafs_code code = irsafs_http_send(&request, &body, &answer, &refused, err);
    if (code == IRSAFS_E_TIMEOUT) {
        return irsafs_error_set(err, IRSAFS_E_NO_ANSWER_YET, "no result within --timeout");
    }
    return code == IRSAFS_OK ? read_answer(&body, answer.status, ret, err) : code;
}

/* ---- through the files */

static int touch(const void *arg, int out)
{
    int dir = -1;
    int errnum = irsafs_daemon_open_files(arg, &dir);
    (void)out;
    return errnum != 0                                                 ? errnum
           : utimensat(dir, "refresh", NULL, AT_SYMLINK_NOFOLLOW) != 0 ? errno
                                                                       : 0;
}

/* The whole text of config: a look, which waits for a new one. */
static int look(const void *arg, int out)
{
    int dir = -1;
    int errnum = irsafs_daemon_open_files(arg, &dir);
    return errnum != 0 ? errnum : irsafs_daemon_copy_file(dir, "config", IRSAFS_TEXT_MAX, out);
}

/* The next line that is no comment; comments tell of times, which always change. */
static bool next_line(struct irsafs_str *text, struct irsafs_str *ret_line)
{
    while (irsafs_str_next_line(text, ret_line)) {
        if (ret_line->len > 0 && ret_line->ptr[0] != '#') {
            return true;
        }
    }
    return false;
}

static bool same_profiles(const struct irsafs_buf *a, const struct irsafs_buf *b)
{
    struct irsafs_str rest_a = {a->data, a->len};
    struct irsafs_str rest_b = {b->data, b->len};
    struct irsafs_str line_a;
    struct irsafs_str line_b;
    for (;;) {
        bool more_a = next_line(&rest_a, &line_a);
        bool more_b = next_line(&rest_b, &line_b);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        if (!irsafs_str_equal(line_a, line_b)) {
            return false;
        }
    }
}

/* What became of the fetch, from status; NO_ANSWER_YET while it is under way. */
static enum irsafs_code read_result(const struct irsafs_daemon_settings *settings,
                                    int64_t *ret_profiles,
                                    struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    IRSAFS_CLEANUP(json_freep) json_t *doc = NULL;
    enum irsafs_code code = irsafs_daemon_status_files(settings, &text, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    doc = irsafs_daemon_parse((struct irsafs_str){text.data, text.len});
    const char *state = json_string_value(json_object_get(doc, "state"));
    if (state == NULL || strcmp(state, "pending") == 0 || strcmp(state, "empty") == 0 ||
        json_is_true(json_object_get(json_object_get(doc, "fetch"), "in_flight"))) {
        return irsafs_error_set(err, IRSAFS_E_NO_ANSWER_YET, "no result within --timeout");
    }
    *ret_profiles = (int64_t)json_integer_value(json_object_get(doc, "profiles"));
    return told_error(json_object_get(doc, "error"), err);
}

static enum irsafs_code touch_failure(const char *path, int errnum, struct irsafs_error *err)
{
    if (errnum == EACCES || errnum == EPERM) {
        return irsafs_error_set(err, IRSAFS_E_IO,
                                "%.100s/refresh: %s (see --refresh-mode of irsafs)", path,
                                strerrordesc_np(errnum));
    }
    return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "no irsafs in %.100s: %s", path,
                            errnum == NOT_FUSE    ? "no mount"
                            : errnum == ETIMEDOUT ? "the mount does not answer"
                                                  : strerrordesc_np(errnum));
}

static enum irsafs_code touch_files(const struct irsafs_client_line *line, struct irsafs_error *err)
{
    struct irsafs_buf nothing = IRSAFS_BUF_INIT(1);
    char path[PATH_MAX];
    irsafs_daemon_mountpoint(&line->daemon, path);
    int errnum = irsafs_deadline_run(touch, path, irsafs_clock_boot_ms() + TOUCH_MS, &nothing);
    irsafs_buf_deinit(&nothing);
    return errnum == 0 ? IRSAFS_OK : touch_failure(path, errnum, err);
}

static enum irsafs_code
refresh_files(const struct irsafs_client_line *line, struct result *ret, struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf before = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf after = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const int64_t deadline_ms = irsafs_clock_boot_ms() + line->refresh.timeout_ms;
    char path[PATH_MAX];
    int64_t profiles = 0;
    irsafs_daemon_mountpoint(&line->daemon, path);
    bool known = irsafs_deadline_run(look, path, irsafs_clock_boot_ms() + LOOK_MS, &before) == 0;
    enum irsafs_code code = touch_files(line, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    /* This look waits as long as irsafs lets readers wait; the fetch may take longer. */
    bool seen = irsafs_deadline_run(look, path, deadline_ms, &after) == 0;
    code = read_result(&line->daemon, &profiles, err);
    while (code == IRSAFS_E_NO_ANSWER_YET && irsafs_clock_boot_ms() < deadline_ms) {
        (void)nanosleep(&pause, NULL);
        irsafs_buf_reset(&after);
        code = read_result(&line->daemon, &profiles, err);
        seen = code == IRSAFS_OK && irsafs_deadline_run(look, path, deadline_ms, &after) == 0;
    }
    if (code == IRSAFS_OK) {
        *ret = (struct result){.profiles = profiles,
                               .change = !known || !seen                  ? NOT_KNOWN
                                         : same_profiles(&before, &after) ? SAME
                                                                          : CHANGED};
    }
    return code;
}

/* ---- the verb */

/* Whether who gave this document over the control endpoint also serves the mount that is in reach. */
static bool serves_files(const struct irsafs_client_line *line, const struct irsafs_buf *control)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    IRSAFS_CLEANUP(json_freep)
    json_t *a = irsafs_daemon_parse((struct irsafs_str){control->data, control->len});
    IRSAFS_CLEANUP(json_freep) json_t *b = NULL;
    if (a == NULL || irsafs_daemon_status_files(&line->daemon, &text, NULL) != IRSAFS_OK) {
        return false;
    }
    b = irsafs_daemon_parse((struct irsafs_str){text.data, text.len});
    return json_equal(json_object_get(a, "pid"), json_object_get(b, "pid")) &&
           json_equal(json_object_get(a, "mountpoint"), json_object_get(b, "mountpoint"));
}

static int finish(const char *program, struct irsafs_error *err)
{
    if (err->code == IRSAFS_OK && fflush(stdout) != 0) {
        (void)irsafs_error_set(err, IRSAFS_E_IO, "stdout: %s", strerrordesc_np(errno));
    }
    return err->code == IRSAFS_OK ? 0 : irsafs_error_report(program, err);
}

static void show(const struct result *r)
{
    static const char *const changes[] = {
        [NOT_KNOWN] = "", [SAME] = ", the same as before", [CHANGED] = ", changed"};
    irsafs_show("", 0, "refreshed: %lld profile%s%s", (long long)r->profiles,
                r->profiles == 1 ? "" : "s", changes[r->change]);
}

int irsafs_refresh_main(const char *program, const struct irsafs_client_line *line)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf json = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    struct irsafs_error err = {.code = IRSAFS_OK, .message = ""};
    struct result result = {.profiles = 0};
    enum irsafs_daemon_source source;
    char path[PATH_MAX];
    if (irsafs_daemon_settings_check(&line->daemon, &err) != IRSAFS_OK ||
        irsafs_daemon_status(&line->daemon, &json, &source, &err) != IRSAFS_OK) {
        return irsafs_error_report(program, &err);
    }
    /* The endpoint answers after the result only: who does not want to wait touches the file, if the mount
     * is in reach, and if it is that irsafs'. */
    if (!line->refresh.wait && source == IRSAFS_DAEMON_CONTROL && serves_files(line, &json)) {
        source = IRSAFS_DAEMON_FILES;
    }
    if (!line->refresh.wait && source == IRSAFS_DAEMON_FILES) {
        if (touch_files(line, &err) == IRSAFS_OK) {
            irsafs_daemon_mountpoint(&line->daemon, path);
            irsafs_show("", 0, "asked for a new text: the next look at %s/config gets it", path);
        }
        return finish(program, &err);
    }
    enum irsafs_code code = source == IRSAFS_DAEMON_CONTROL ? refresh_control(line, &result, &err)
                                                            : refresh_files(line, &result, &err);
    if (code == IRSAFS_OK) {
        err.code = IRSAFS_OK; /* what stood there on the way */
        show(&result);
    }
    return finish(program, &err);
}
