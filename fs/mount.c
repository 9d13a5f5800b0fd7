/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount.h"

#include "base/client_options.h"
#include "base/clock.h"
#include "base/daemon_options.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "fs/client.h"
#include "fs/mode.h"
#include "fs/super/folder.h"
#include "fs/super/mountpoint.h"
#include "fs/super/receive.h"
#include "fs/super/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

struct settings {
    int64_t ttl_ms, max_stale_ms, wait_ms, stale_wait_ms, min_refresh_ms;
    bool prefetch;
    int64_t uid, gid, config_mode, refresh_mode;
    bool allow_nonempty;
    const char *layout;
    int64_t worker_uid;
    const char *control, *metrics;
    const char *client;
    const char *kernel_features;
    const char *mode;
    bool once;
    const char *fd_socket;
    int64_t fd_timeout_ms;
    int64_t linger_ms;
    int log_level;
    const char *log_dir;
};

#define FIELD(name) offsetof(struct settings, name)

#define SECOND INT64_C(1000) /* times are in ms */
#define DAY    (SECOND * 3600 * 24)

enum { ID_MAX = 0x7ffffffe, NOBODY = 65534 };

static const struct irsafs_option freshness_options[] = {
    {.name = "ttl",
     .env = "IRSAFS_TTL",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(ttl_ms),
     .min = 10,
     .max = DAY * 7,
     .arg = "TIME",
     .shown_default = "15m",
     .help = "a text is fresh for so long (from 1m on\n+-10 %, so that pods do not ask in step)"},
    {.name = "max-stale",
     .env = "IRSAFS_MAX_STALE",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(max_stale_ms),
     .min = 0,
     .max = DAY * 30,
     .arg = "TIME",
     .shown_default = "24h",
     .help = "in an outage the last good text is shown\nup to this age"},
    {.name = "wait",
     .env = "IRSAFS_WAIT",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(wait_ms),
     .min = 0,
     .max = SECOND * 3600,
     .arg = "TIME",
     .shown_default = "5s",
     .help = "a reader waits so long when there is nothing\nto show, or after a touch"},
    {.name = "stale-wait",
     .env = "IRSAFS_STALE_WAIT",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(stale_wait_ms),
     .min = 0,
     .max = SECOND * 3600,
     .arg = "TIME",
     .shown_default = "1s",
     .help = "a reader waits so long when the TTL is over"},
    {.name = "min-refresh",
     .env = "IRSAFS_MIN_REFRESH",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(min_refresh_ms),
     .min = 0,
     .max = DAY,
     .arg = "TIME",
     .shown_default = "2s",
     .help = "touches fetch at most this often"},
    {.name = "prefetch",
     .env = "IRSAFS_PREFETCH",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(prefetch),
     .help = "fetch at start instead of at the first look"},
};

/* Named, because their values are checked apart. */
enum { CONTROL, METRICS, KERNEL_FEATURES, LAYOUT, MODE, FD_SOCKET };
static const struct irsafs_option mount_options[] = {
    [CONTROL] =
        {.name = "control",
         .env = "IRSAFS_CONTROL",
         .type = IRSAFS_OPT_STRING,
         .offset = FIELD(control),
         .arg = "ADDR:PORT",
         .shown_default = "127.0.0.1:6003",
         .help =
             "/healthz /livez /readyz /status /refresh and\n/metrics; a loopback address, or off"},
    [METRICS] = {.name = "metrics",
                 .env = "IRSAFS_METRICS",
                 .type = IRSAFS_OPT_STRING,
                 .offset = FIELD(metrics),
                 .arg = "ADDR:PORT",
                 .shown_default = "off",
                 .help =
                     "/metrics /livez /readyz only, for Prometheus,\nwhich cannot reach loopback"},
    [KERNEL_FEATURES] = {.name = "kernel-features",
                         .env = "IRSAFS_KERNEL_FEATURES",
                         .type = IRSAFS_OPT_STRING,
                         .offset = FIELD(kernel_features),
                         .arg = "LIST",
                         .help = "-epoch: do without FUSE_NOTIFY_INC_EPOCH"},
    [LAYOUT] =
        {.name = "layout",
         .env = "IRSAFS_LAYOUT",
         .type = IRSAFS_OPT_STRING,
         .offset = FIELD(layout),
         .arg = "root|subdir",
         .shown_default = "root",
         .help =
             "root: mount on MOUNTPOINT; subdir: on .live\nin it, beside links that lead there"},
    [MODE] = {.name = "mode",
              .env = "IRSAFS_MODE",
              .type = IRSAFS_OPT_STRING,
              .offset = FIELD(mode),
              .arg = "MODE",
              .values = "mount, fd, file or auto",
              .shown_default = "mount, or fd with --fd-socket",
              .help = "fd: a CSI driver mounts; file: no file system,\nan ordinary file that is "
                      "replaced; both need no\n"
                      "privilege; auto: the first of fd, mount and\nfile that is there"},
    [FD_SOCKET] = {.name = "fd-socket",
                   .env = "IRSAFS_FD_SOCKET",
                   .type = IRSAFS_OPT_STRING,
                   .offset = FIELD(fd_socket),
                   .arg = "WHERE",
                   .help =
                       "where the driver hands over /dev/fuse:\nconnect:PATH, listen:PATH or fd:N"},
    {.name = "fd-timeout",
     .env = "IRSAFS_FD_TIMEOUT",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(fd_timeout_ms),
     .min = 10,
     .max = SECOND * 3600,
     .arg = "TIME",
     .shown_default = "45s",
     .help = "wait so long for the driver"},
    {.name = "once",
     .env = "IRSAFS_ONCE",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(once),
     .help = "mode file: fetch, write config, exit with\nthe class of the error"},
    {.name = "linger",
     .env = "IRSAFS_LINGER",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(linger_ms),
     .max = DAY,
     .arg = "TIME",
     .shown_default = "0s",
     .help = "after SIGTERM serve on for so long, or until\nthe second one"},
    {.name = "uid",
     .env = "IRSAFS_UID",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(uid),
     .max = ID_MAX,
     .arg = "UID",
     .shown_default = "own",
     .help = "owner of the files"},
    {.name = "gid",
     .env = "IRSAFS_GID",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(gid),
     .max = ID_MAX,
     .arg = "GID",
     .shown_default = "own",
     .help = "group of the files"},
    {.name = "config-mode",
     .env = "IRSAFS_CONFIG_MODE",
     .type = IRSAFS_OPT_MODE,
     .offset = FIELD(config_mode),
     .arg = "MODE",
     .shown_default = "0444",
     .help = "permissions of config"},
    {.name = "refresh-mode",
     .env = "IRSAFS_REFRESH_MODE",
     .type = IRSAFS_OPT_MODE,
     .offset = FIELD(refresh_mode),
     .arg = "MODE",
     .shown_default = "0666",
     .help = "permissions of refresh"},
    {.name = "allow-nonempty",
     .env = "IRSAFS_ALLOW_NONEMPTY",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(allow_nonempty),
     .help = "also in a directory that is not empty"},
    {.name = "worker-uid",
     .env = "IRSAFS_WORKER_UID",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(worker_uid),
     .max = ID_MAX,
     .arg = "UID",
     .shown_default = "65534",
     .help = "user and group of all that talks to others:\nworker, notifier and client"},
    {.name = "client",
     .env = "IRSAFS_CLIENT",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(client),
     .arg = "PATH",
     .shown_default = "beside irsafs, else in PATH",
     .help = "the program that fetches"},
    {.name = "log-format", /* before what may be warned about */
     .env = "IRSAFS_LOG_FORMAT",
     .type = IRSAFS_OPT_LOG_FORMAT,
     .arg = "FORMAT",
     .values = "auto, json or text",
     .shown_default = "auto",
     .help = "json, text, or auto: text on a terminal"},
    {.name = "log-dir",
     .env = "IRSAFS_LOG_DIR",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(log_dir),
     .arg = "DIR",
     .shown_default = "/var/log/irsa",
     .help = "where this folder exists the log is also\nappended to app.log in it"},
    {.name = "log-level",
     .env = "IRSAFS_LOG_LEVEL ?LOG_LEVEL",
     .type = IRSAFS_OPT_LEVEL,
     .offset = FIELD(log_level),
     .arg = "LEVEL",
     .shown_default = "info",
     .help = "debug, info, warn or error"},
};

static const struct irsafs_option_table freshness_table = {
    .title = "Freshness",
    .options = freshness_options,
    .n_options = IRSAFS_COUNT(freshness_options),
};
static const struct irsafs_option_table mount_table = {
    .title = "Mount",
    .options = mount_options,
    .n_options = IRSAFS_COUNT(mount_options),
};

const struct irsafs_verb irsafs_mount_verb = {
    .name = "mount",
    .words = "[MOUNTPOINT]",
    .summary = "serve config, refresh and status until SIGTERM",
    .about = "Serves the user's AWS config in the foreground until SIGTERM. MOUNTPOINT is the\n"
             "directory of AWS_CONFIG_FILE, or /var/run/.aws.\n"
             "\n"
             "  % mount                in a Domino pod: all is set there\n"
             "  % mount /mnt/aws --endpoint http://localhost:6000/map --run-id 5f0c \\\n"
             "      --token-file token      anywhere else\n"
             "\n"
             "  cat MOUNTPOINT/config       generated on the first look, cached for the TTL\n"
             "  touch MOUNTPOINT/refresh    the next look gets a new one\n"
             "  cat MOUNTPOINT/status       what irsafs knows, JSON; never waits\n"
             "\n"
             "Every option can be set as IRSAFS_NAME in the environment, e.g. IRSAFS_TTL=5m.\n"
             "Times: 500ms, 2s, 15m, 24h.\n",
    .tables = {&freshness_table, &irsafs_fetch_options, &mount_table},
    .run = irsafs_mount_main,
};

static enum irsafs_code
parse_kernel_features(const char *list, bool *ret_epoch, struct irsafs_error *err)
{
    if (list != NULL && strcmp(list, "-epoch") != 0) {
        return irsafs_option_refuse(&mount_options[KERNEL_FEATURES], list, "-epoch", err);
    }
    *ret_epoch = list == NULL;
    return IRSAFS_OK;
}

/* The control endpoint can make us fetch: it is for who shares our loopback, and nobody else. */
static enum irsafs_code parse_listeners(const struct settings *s,
                                        struct irsafs_address ret_listeners[IRSAFS_LISTENERS],
                                        struct irsafs_error *err)
{
    struct irsafs_address *control = &ret_listeners[IRSAFS_LISTENING_CONTROL];
    struct irsafs_address *metrics = &ret_listeners[IRSAFS_LISTENING_METRICS];
    if (!irsafs_address_parse(s->control, control) ||
        (control->socket_len != 0 && !irsafs_address_is_loopback(control))) {
        return irsafs_option_refuse(&mount_options[CONTROL], s->control,
                                    "off or a loopback address and port, like 127.0.0.1:6003", err);
    }
    if (!irsafs_address_parse(s->metrics, metrics)) {
        return irsafs_option_refuse(&mount_options[METRICS], s->metrics,
                                    "off or a numeric address and port, like 0.0.0.0:9101", err);
    }
    if (irsafs_address_overlap(control, metrics)) {
        return irsafs_option_refuse(&mount_options[METRICS], s->metrics,
                                    "another port than that of --control", err);
    }
    return IRSAFS_OK;
}

static enum irsafs_code
parse_layout(const char *word, enum irsafs_layout *ret_layout, struct irsafs_error *err)
{
    *ret_layout = strcmp(word, "subdir") == 0 ? IRSAFS_LAYOUT_SUBDIR : IRSAFS_LAYOUT_ROOT;
    if (strcmp(word, irsafs_layout_name(*ret_layout)) != 0) {
        return irsafs_option_refuse(&mount_options[LAYOUT], word, "root or subdir", err);
    }
    return IRSAFS_OK;
}

static enum irsafs_code parse_mode(const struct settings *s,
                                   struct irsafs_mode_choice *ret,
                                   struct irsafs_donor *ret_donor,
                                   struct irsafs_error *err)
{
    bool handed = s->fd_socket != NULL;
    const char *word = s->mode != NULL ? s->mode : handed ? "fd" : "mount";
    *ret = (struct irsafs_mode_choice){.mode = strcmp(word, "file") == 0 ? IRSAFS_MODE_FILE
                                               : strcmp(word, "fd") == 0 ? IRSAFS_MODE_FD
                                                                         : IRSAFS_MODE_MOUNT};
    *ret_donor = (struct irsafs_donor){.timeout_ms = s->fd_timeout_ms};
    if (handed && !irsafs_donor_parse(s->fd_socket, ret_donor)) {
        return irsafs_option_refuse(&mount_options[FD_SOCKET], s->fd_socket,
                                    "connect:PATH, listen:PATH or fd:N, N from 3", err);
    }
    if (s->once && ret->mode != IRSAFS_MODE_FILE) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "--once is for --mode=file");
    }
    if (!handed && ret->mode == IRSAFS_MODE_FD) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "--mode=fd needs --fd-socket");
    }
    if (strcmp(word, "auto") == 0) {
        struct irsafs_mode_facts facts = {.fd_socket = handed};
        irsafs_mode_look(&facts);
        *ret = irsafs_mode_choose(&facts);
    }
    return IRSAFS_OK;
}

/* What the verb was asked to do, checked. */
struct plan {
    struct settings settings;
    struct irsafs_client_settings client;
    struct irsafs_given given; /* flags of the client, to be handed on */
    char wanted[PATH_MAX];     /* mount point as asked for */
    char mountpoint[PATH_MAX];
    char client_path[PATH_MAX];
    struct irsafs_address listeners[IRSAFS_LISTENERS];
    enum irsafs_layout layout;
    struct irsafs_mode_choice mode;
    struct irsafs_donor donor;
    bool epoch_allowed;
    bool help;
};

static enum irsafs_code parse(struct plan *p, int argc, char **argv, struct irsafs_error *err)
{
    p->settings = (struct settings){
        .ttl_ms = SECOND * 60 * 15,
        .max_stale_ms = DAY,
        .wait_ms = SECOND * 5,
        .stale_wait_ms = SECOND,
        .min_refresh_ms = SECOND * 2,
        .uid = (int64_t)getuid(),
        .gid = (int64_t)getgid(),
        .config_mode = 0444,
        .refresh_mode = 0666,
        .worker_uid = NOBODY,
        .control = "127.0.0.1:6003",
        .metrics = "off",
        .layout = "root",
        .fd_timeout_ms = SECOND * 45, /* the manifests' startup probe ends us after 60 */
        .log_level = IRSAFS_LOG_INFO,
        .log_dir = "/var/log/irsa",
    };
    struct irsafs_option_table tables[] = {
        freshness_table,
        irsafs_client_options(&p->client),
        mount_table,
    };
    int n_words = 0;
    tables[0].settings = &p->settings;
    tables[1].given = &p->given;
    tables[2].settings = &p->settings;
    enum irsafs_code code =
        irsafs_options_parse(tables, IRSAFS_COUNT(tables), argc, argv, &n_words, &p->help, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    if (p->help) {
        return IRSAFS_OK; /* printed by who called */
    }
    if (n_words > 1) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "one mount point only, not '%s' too", argv[2]);
    }
    code = irsafs_client_settings_check(&tables[1], err);
    if (code != IRSAFS_OK) {
        return code;
    }
    irsafs_log_set_level((enum irsafs_log_level)p->settings.log_level);
    irsafs_default_mountpoint(p->wanted);
    if (n_words == 1 &&
        (size_t)snprintf(p->wanted, sizeof(p->wanted), "%s", argv[1]) >= sizeof(p->wanted)) {
        return irsafs_error_set(err, IRSAFS_E_NO_MOUNTPOINT, "the mount point's name is too long");
    }
    code = parse_mode(&p->settings, &p->mode, &p->donor, err);
    if (code == IRSAFS_OK) {
        code = parse_listeners(&p->settings, p->listeners, err);
    }
    if (code == IRSAFS_OK) {
        code = parse_layout(p->settings.layout, &p->layout, err);
        p->layout = p->mode.mode == IRSAFS_MODE_MOUNT ? p->layout : IRSAFS_LAYOUT_ROOT;
    }
    return code == IRSAFS_OK
               ? parse_kernel_features(p->settings.kernel_features, &p->epoch_allowed, err)
               : code;
}

static bool has_token_source(const struct irsafs_client_settings *s)
{
    return s->token_url != NULL || s->token_file != NULL || s->api_key_file != NULL ||
           irsafs_env("DOMINO_API_PROXY") != NULL || irsafs_env("DOMINO_USER_API_KEY") != NULL;
}

/* A longer one is cut: for messages. */
static void copy_path(char *ret_to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memcpy(ret_to, from, len);
    ret_to[len] = '\0';
}

static enum irsafs_code prepare_place(struct plan *p, struct irsafs_error *err)
{
    enum irsafs_code code = irsafs_mountpoint_prepare(
        p->wanted, p->layout, p->settings.allow_nonempty, p->mountpoint, err);
    /* In mode file others may write in the folder while we serve it: only the first start can ask whose it is. */
    if (code == IRSAFS_E_NOT_EMPTY && p->mode.mode == IRSAFS_MODE_FILE &&
        irsafs_folder_is_known(p->wanted, (uid_t)p->settings.uid,
                               (mode_t)p->settings.config_mode)) {
        code = irsafs_mountpoint_prepare(p->wanted, p->layout, true, p->mountpoint, err);
    }
    return code;
}

/* Everything that can be refused before the mount is. What can still appear later (labels, token
 * file, CA) is no reason: `config` says what is missing until then. */
static enum irsafs_code prepare(struct plan *p, struct irsafs_error *err)
{
    if (p->client.endpoint == NULL) {
        return irsafs_error_set(err, IRSAFS_E_NO_ENDPOINT, "no endpoint of a mapping service");
    }
    if (!has_token_source(&p->client)) {
        return irsafs_error_set(err, IRSAFS_E_NO_TOKEN_SOURCE, "no source of a Domino token");
    }
    enum irsafs_code code = irsafs_client_find(p->settings.client, p->client_path, err);
    if (p->mode.mode == IRSAFS_MODE_FD) {
        copy_path(p->mountpoint, sizeof(p->mountpoint), p->wanted); /* a name for messages */
    } else if (code == IRSAFS_OK) {
        code = prepare_place(p, err);
    }
    return code;
}

static void plan_worker(const struct plan *p, struct irsafs_worker_settings *ret)
{
    enum irsafs_sandbox_mode sandbox = irsafs_sandbox_mode_default();
    (void)!irsafs_sandbox_mode_parse(p->client.sandbox, &sandbox); /* checked */
    uint32_t seed;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        seed = (uint32_t)getpid(); /* early in the boot; for jitter this will do */
    }
    *ret = (struct irsafs_worker_settings){
        .core = {.ttl_ms = p->settings.ttl_ms,
                 .max_stale_ms = p->settings.max_stale_ms,
                 .wait_ms = p->settings.wait_ms,
                 .stale_wait_ms = p->settings.stale_wait_ms,
                 .fetch_timeout_ms = p->client.fetch_timeout_ms,
                 .min_refresh_ms = p->settings.min_refresh_ms,
                 .prefetch = p->settings.prefetch,
                 .show_failure = p->mode.mode == IRSAFS_MODE_FILE && !p->settings.once,
                 .random_seed = seed},
        .uid = (uid_t)p->settings.uid,
        .gid = (gid_t)p->settings.gid,
        .config_mode = (mode_t)p->settings.config_mode,
        .refresh_mode = (mode_t)p->settings.refresh_mode,
        .sandbox = (int)sandbox,
        .mode = p->mode.mode,
        .layout = p->layout,
        .once = p->settings.once,
        .epoch_allowed = p->epoch_allowed,
        .supervisor = getpid(),
    };
    if (!p->settings.once) { /* nobody could ask in time */
        memcpy(ret->listeners, p->listeners, sizeof(ret->listeners));
    }
    copy_path(ret->core.mountpoint, sizeof(ret->core.mountpoint), p->mountpoint);
    copy_path(ret->mountpoint, sizeof(ret->mountpoint), p->mountpoint);
    copy_path(ret->token_path, sizeof(ret->token_path), p->client.web_identity_token_file);
    copy_path(ret->client, sizeof(ret->client), p->client_path);
}

static enum irsafs_code
serve(const struct plan *p, struct irsafs_logs *logs, struct irsafs_error *err)
{
    int fuse_fd = -1;
    static struct irsafs_worker_settings worker;
    const char *client_argv[IRSAFS_GIVEN_MAX + 4] = {p->client_path, "fetch", "--report-fd=3"};
    memcpy(client_argv + 3, p->given.words, p->given.n * sizeof(p->given.words[0]));
    plan_worker(p, &worker);
    irsafs_log(
        IRSAFS_LOG_INFO, "mode_chosen", IRSAFS_LOG_TEXT("mode", irsafs_mode_name(p->mode.mode)),
        IRSAFS_LOG_TEXT("layout",
                        p->mode.mode == IRSAFS_MODE_MOUNT ? irsafs_layout_name(p->layout) : "none"),
        IRSAFS_LOG_TEXT("missing", p->mode.missing));
    if (p->mode.mode == IRSAFS_MODE_FD) {
        enum irsafs_code code = irsafs_donor_receive(&p->donor, &fuse_fd, err);
        if (code != IRSAFS_OK || fuse_fd < 0) {
            return code;
        }
    }
    const struct irsafs_supervisor_settings settings = {
        .worker = &worker,
        .fuse_fd = fuse_fd,
        .client_argv = client_argv,
        .logs = logs,
        .uid = (uid_t)p->settings.worker_uid,
        .linger_ms = p->settings.linger_ms,
    };
    return irsafs_supervisor_run(&settings, err);
}

/* A closing terminal or a stray signal must not leave a dead mount behind; those that end us wait
 * until the supervisor can take them. */
static void set_signals(void)
{
    static const int ignored[] = {SIGUSR2, SIGPIPE, SIGTTOU, SIGXFSZ};
    static const int awaited[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    sigset_t block;
    for (size_t i = 0; i < IRSAFS_COUNT(ignored); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)sigemptyset(&block);
    for (size_t i = 0; i < IRSAFS_COUNT(awaited); i++) {
        (void)sigaddset(&block, awaited[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &block, NULL);
    for (size_t i = 0; i < IRSAFS_COUNT(awaited); i++) {
        (void)signal(awaited[i], SIG_DFL); /* ignored (nohup), it would not be seen */
    }
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would mean that nobody tells us of deaths */
}

/* Our environment may hold an API key, which is for the client: no core, no debugger and no look into
 * /proc by another process of our user. */
static void be_discreet(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* In our own mount a file would have us wait for our own answer. */
static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static void open_log(const struct plan *p, struct irsafs_logs *logs)
{
    logs->level = (enum irsafs_log_level)p->settings.log_level;
    if (!is_at_or_below(p->settings.log_dir, p->wanted)) {
        irsafs_applog_open(&logs->file, p->settings.log_dir);
    }
}

int irsafs_mount_main(int argc, char **argv)
{
    static struct plan plan; /* static: three paths are too much for a stack to be proud of */
    struct irsafs_logs logs = {.file = IRSAFS_APPLOG_INIT};
    struct irsafs_error err = {.code = IRSAFS_OK};
    enum irsafs_log_format format;
    set_signals();
    be_discreet();
    if (irsafs_log_format_parse(irsafs_env("IRSAFS_LOG_FORMAT"), &format) ||
        irsafs_log_format_parse("auto", &format)) {
        irsafs_log_set_format(format); /* for what is said of the flags */
    }
    enum irsafs_code code = parse(&plan, argc, argv, &err);
    if (code == IRSAFS_OK && plan.help) {
        return 0;
    }
    if (code == IRSAFS_OK) {
        irsafs_log_own_stderr();
        open_log(&plan, &logs);
        code = prepare(&plan, &err);
    }
    if (code == IRSAFS_OK) {
        code = serve(&plan, &logs, &err);
    }
    int status = code == IRSAFS_OK ? 0 : irsafs_log_end("irsafs", &err);
    irsafs_applog_close(&logs.file);
    return status;
}
