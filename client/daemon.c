/* SPDX-License-Identifier: Apache-2.0 */
#include "client/daemon.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "client/deadline.h"
#include "client/http.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

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

/* Whether the document is of this mount point. The folder is resolved as irsafs does it; its name is not
 * looked up, since a mount may not answer. */
static bool is_of(const json_t *doc, const char *mountpoint)
{
    char real[PATH_MAX];
    char parent[PATH_MAX];
    char wanted[2 * PATH_MAX];
    const char *told = json_string_value(json_object_get(doc, "mountpoint"));
    size_t len = strlen(mountpoint);
    while (len > 1 && mountpoint[len - 1] == '/') {
        len--;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)len, mountpoint);
    char *slash = strrchr(parent, '/');
    const char *name = slash != NULL ? mountpoint + (slash + 1 - parent) : mountpoint;
    int name_len = (int)(mountpoint + len - name);
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    if (realpath(slash != NULL ? parent : ".", real) == NULL) {
        return false;
    }
    (void)snprintf(wanted, sizeof(wanted), "%s/%.*s", strcmp(real, "/") == 0 ? "" : real, name_len,
                   name);
    return strcmp(wanted, told) == 0;
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
    if (control && settings->mountpoint != NULL && !is_of(doc, settings->mountpoint)) {
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

enum { NOT_FUSE = IRSAFS_DAEMON_NOT_FUSE };

int irsafs_daemon_open_files(const char *mountpoint, int *ret_dir)
{
    struct statfs fs;
    int dir = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fstatfs(dir, &fs) != 0) {
        return errno;
    }
    if (fs.f_type != FUSE_SUPER_MAGIC) { /* layout subdir? */
        dir = openat(dir, ".live", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fstatfs(dir, &fs) != 0) {
            return errno == ENOTCONN || errno == ECONNABORTED ? errno : NOT_FUSE;
        }
    }
    *ret_dir = dir;
    return fs.f_type == FUSE_SUPER_MAGIC ? 0 : NOT_FUSE;
}

static int read_status(const void *arg, int out)
{
    struct stat st;
    char chunk[4096];
    int dir; /* a child's: it ends with it */
    int errnum = irsafs_daemon_open_files(arg, &dir);
    if (errnum != 0) {
        return errnum;
    }
    int fd = openat(dir, "status", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return NOT_FUSE;
    }
    for (size_t total = 0; total <= IRSAFS_STATUS_MAX;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : 0;
        }
        if (!irsafs_write_all(out, chunk, (size_t)n)) {
            return errno;
        }
        total += (size_t)n;
    }
    return EFBIG;
}

enum irsafs_code irsafs_daemon_status_files(const struct irsafs_daemon_settings *settings,
                                            struct irsafs_buf *ret_json,
                                            struct irsafs_error *err)
{
    char path[PATH_MAX];
    irsafs_daemon_mountpoint(settings, path);
    irsafs_buf_reset(ret_json);
    int errnum =
        irsafs_deadline_run(read_status, path, irsafs_clock_boot_ms() + PATIENCE_MS, ret_json);
    if (errnum == 0) {
        return believe(settings, ret_json, false, err);
    }
    const char *reason = errnum == ETIMEDOUT      ? "the mount does not answer"
                         : errnum == ENOTCONN     ? "a dead mount: its irsafs was killed"
                         : errnum == ECONNABORTED ? "a dead mount: its irsafs has ended"
                         : errnum == NOT_FUSE     ? "no mount"
                                                  : strerrordesc_np(errnum);
    return irsafs_error_set(err, IRSAFS_E_NO_DAEMON, "%s",
                            reason != NULL ? reason : "unknown error");
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
