/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/probe.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/daemon_files.h"
#include "base/daemon_options.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/options.h"
#include "fs/loopback.h"
#include "fs/shared/address.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_FAIL = 1, REASON_MAX = 256 };

struct settings {
    bool startup, ready, live;
    int64_t timeout_ms;
};
#define FIELD(name) offsetof(struct settings, name)

static const struct irsafs_option options[] = {
    {.name = "startup",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(startup),
     .help = "it answers, and its mount is there"},
    {.name = "ready",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(ready),
     .help = "the same, and there is a text to show"},
    {.name = "live", .type = IRSAFS_OPT_FLAG, .offset = FIELD(live), .help = "it answers"},
    {.name = "timeout",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(timeout_ms),
     .min = 1,
     .max = 60000,
     .arg = "TIME",
     .shown_default = "900ms",
     .help = "for all of it: less than timeoutSeconds of\nthe probe, which is 1 s by default"},
};
static const struct irsafs_option_table table = {
    .title = "Probe",
    .options = options,
    .n_options = IRSAFS_COUNT(options),
};

const struct irsafs_verb irsafs_probe_verb = {
    .name = "probe",
    .summary = "for the probes of Kubernetes: exit status 0 or 1",
    .about = "Asks the irsafs of this container, as 'status' does, and says the result in one\n"
             "line. Asks no network: an outage of the mapping service does not keep a pod from\n"
             "starting. Exit status 1: no, and why.\n"
             "\n"
             "  startupProbe:\n"
             "    exec: {command: [irsafs, probe, --startup]}\n"
             "    periodSeconds: 1\n",
    .tables = {&table, &irsafs_which_options},
    .run = irsafs_probe_main,
};

/* What was asked, and what came of it. */
struct probe {
    struct settings settings;
    struct irsafs_daemon_settings daemon;
    struct irsafs_address control;
    char mountpoint[PATH_MAX];
    int64_t deadline_ms;
    json_t *document; /* of whoever answered */
    char reason[REASON_MAX];
};

/* ---- asking */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* A stranger may hold the port: only what looks like ours is believed. */
static const char *believe(struct probe *p, const struct irsafs_buf *text, bool control)
{
    json_t *doc =
        json_loadb(text->data != NULL ? text->data : "", text->len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_integer_value(json_object_get(doc, "schema")) == 1 &&
                json_is_integer(json_object_get(doc, "pid")) &&
                json_is_object(json_object_get(doc, "kernel")) && text_of(doc, "mode")[0] != '\0' &&
                text_of(doc, "mountpoint")[0] != '\0';
    const char *reason = good ? NULL : "what answers is not irsafs";
    if (good && control && p->daemon.mountpoint != NULL &&
        !irsafs_daemon_is_at(text_of(doc, "mountpoint"), p->daemon.mountpoint)) {
        reason = "it serves another mount point";
    }
    if (reason != NULL) {
        json_decref(doc);
        return reason;
    }
    p->document = doc;
    return NULL;
}

static const char *ask_control(struct probe *p, struct irsafs_buf *text)
{
    /* The files get a chance too. */
    int64_t half_ms = irsafs_clock_boot_ms() + p->settings.timeout_ms / 2;
    if (p->control.socket_len == 0) {
        return "off";
    }
    const char *reason = irsafs_loopback_get(&p->control, "/status", half_ms, text);
    return reason != NULL ? reason : believe(p, text, true);
}

/* How long ago the process started, in ms; -1: there is none. */
static int64_t age_of(int64_t pid)
{
    char path[48];
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf line = IRSAFS_BUF_INIT(1024);
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    const char *rest = irsafs_file_read(path, &line) == 0 ? strrchr(line.data, ')') : NULL;
    for (int field = 2; rest != NULL && field < 22; field++) { /* 22: starttime, see proc(5) */
        rest = strchr(rest + 1, ' ');
    }
    int64_t start_ms =
        rest != NULL ? strtoll(rest + 1, NULL, 10) * 1000 / sysconf(_SC_CLK_TCK) : INT64_MAX;
    int64_t now_ms = irsafs_clock_boot_ms();
    return start_ms <= now_ms ? now_ms - start_ms : -1;
}

/* Mode file: a document that lies in the folder says nothing by itself, for it stays when irsafs is killed. It
 * counts when its process is there and has written it: an older one had the same number, 1, perhaps. */
static const char *ask_plain_file(struct probe *p, struct irsafs_buf *text)
{
    enum { ROUNDING_MS = 1000 };
    char path[PATH_MAX + 8];
    struct stat st;
    struct timespec now = irsafs_clock_real();
    (void)snprintf(path, sizeof(path), "%s/status", p->mountpoint);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || irsafs_file_read(path, text) != 0 ||
        believe(p, text, false) != NULL) {
        return irsafs_daemon_files_reason(IRSAFS_DAEMON_NOT_FUSE);
    }
    int64_t age_ms = (now.tv_sec - st.st_mtim.tv_sec) * 1000;
    int64_t process_ms = age_of(json_integer_value(json_object_get(p->document, "pid")));
    if (strcmp(text_of(p->document, "mode"), "file") == 0 && process_ms >= 0 &&
        age_ms <= process_ms + ROUNDING_MS) {
        return NULL;
    }
    json_decref(p->document);
    p->document = NULL;
    return "its irsafs has ended";
}

static const char *ask_files(struct probe *p, struct irsafs_buf *text)
{
    irsafs_buf_reset(text);
    int errnum = irsafs_deadline_run(irsafs_daemon_status_job, p->mountpoint, p->deadline_ms, text);
    return errnum == 0                        ? believe(p, text, false)
           : errnum == IRSAFS_DAEMON_NOT_FUSE ? ask_plain_file(p, text)
                                              : irsafs_daemon_files_reason(errnum);
}

/* The mount is there and answers. In mode fd it is in other containers only: that the kernel has said hello
 * is all that can be known. */
static bool has_mount(struct probe *p, bool seen)
{
    const char *mode = text_of(p->document, "mode");
    const json_t *kernel = json_object_get(p->document, "kernel");
    const char *path = text_of(p->document, "mountpoint");
    if (strcmp(mode, "file") == 0) {
        return true; /* nobody waits for a file that a fetch has yet to bring */
    }
    if (!json_is_string(json_object_get(kernel, "protocol"))) {
        (void)snprintf(p->reason, sizeof(p->reason), "the kernel has not said hello yet");
        return false;
    }
    if (strcmp(mode, "mount") != 0 || seen) {
        return true;
    }
    int errnum =
        irsafs_deadline_run(irsafs_daemon_find_job, path, p->deadline_ms, &IRSAFS_BUF_INIT(1));
    if (errnum != 0) {
        (void)snprintf(p->reason, sizeof(p->reason), "%.100s: %s", path,
                       irsafs_daemon_files_reason(errnum));
    }
    return errnum == 0;
}

static bool has_text(struct probe *p)
{
    const json_t *doc = p->document;
    const json_t *file = json_object_get(doc, "file"); /* mode file */
    if (json_is_integer(json_object_get(doc, "profiles"))) {
        if (!json_is_false(json_object_get(file, "written"))) {
            return true;
        }
        (void)snprintf(p->reason, sizeof(p->reason), "config: %.100s", text_of(file, "error"));
        return false;
    }
    const char *code = text_of(json_object_get(doc, "error"), "code");
    bool fetching = json_is_true(json_object_get(json_object_get(doc, "fetch"), "in_flight"));
    (void)snprintf(p->reason, sizeof(p->reason), "%s%s",
                   code[0] != '\0' ? code
                   : fetching      ? "the first fetch is under way"
                                   : "nobody has asked for a text yet",
                   code[0] != '\0' ? ", see 'irsafs status'" : "");
    return false;
}

static bool judge(struct probe *p)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    p->deadline_ms = irsafs_clock_boot_ms() + p->settings.timeout_ms;
    const char *control = ask_control(p, &text);
    const char *files = control != NULL ? ask_files(p, &text) : NULL;
    if (p->document == NULL) {
        (void)snprintf(p->reason, sizeof(p->reason), "no irsafs at %.30s (%s) nor in %.100s (%s)",
                       p->daemon.control, control, p->mountpoint, files);
        return false;
    }
    return (p->settings.live || has_mount(p, control != NULL)) &&
           (!p->settings.ready || has_text(p));
}

/* ---- the verb */

static enum irsafs_code parse(struct probe *p, int argc, char **argv, struct irsafs_error *err)
{
    bool help;
    int n_words = 0;
    struct irsafs_option_table tables[] = {table, irsafs_daemon_options(&p->daemon)};
    tables[0].settings = &p->settings;
    p->settings.timeout_ms = 900;
    enum irsafs_code code =
        irsafs_options_parse(tables, IRSAFS_COUNT(tables), argc, argv, &n_words, &help, err);
    if (code == IRSAFS_OK) {
        code = irsafs_verb_check_words(&irsafs_probe_verb, n_words, argv + 1, err);
    }
    if (code != IRSAFS_OK) {
        return code;
    }
    const struct settings *s = &p->settings;
    if (s->startup + s->ready + s->live != 1) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "one of --startup, --ready and --live");
    }
    if (!irsafs_address_parse(p->daemon.control, &p->control) ||
        (p->control.socket_len != 0 && !irsafs_address_is_loopback(&p->control))) {
        bool from_environment = irsafs_env("IRSAFS_CONTROL") == p->daemon.control;
        return irsafs_error_set(
            err, from_environment ? IRSAFS_E_BAD_VALUE : IRSAFS_E_BAD_FLAG_VALUE,
            "%s is not off or a loopback address and port, like " IRSAFS_DEFAULT_CONTROL,
            from_environment ? "IRSAFS_CONTROL" : "--control");
    }
    irsafs_default_mountpoint(p->mountpoint);
    if (p->daemon.mountpoint != NULL) {
        (void)snprintf(p->mountpoint, sizeof(p->mountpoint), "%s", p->daemon.mountpoint);
    }
    return IRSAFS_OK;
}

int irsafs_probe_main(int argc, char **argv)
{
    static struct probe p; /* static: a path is too much for a stack to be proud of */
    struct irsafs_error err;
    if (parse(&p, argc, argv, &err) != IRSAFS_OK) {
        return irsafs_error_report("irsafs", &err);
    }
    bool good = judge(&p);
    const char *what = p.settings.startup ? "started" : p.settings.ready ? "ready" : "alive";
    irsafs_ascii_clean(p.reason, strlen(p.reason));
    (void)printf("%s%s%s%s\n", good ? "" : "not ", what, good ? "" : ": ", p.reason);
    json_decref(p.document);
    return good ? 0 : EXIT_FAIL;
}
