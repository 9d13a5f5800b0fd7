/* SPDX-License-Identifier: Apache-2.0 */
/* The input is an environment (NAME=VALUE lines), a line "%", and the words after `irsafs mount`, a
 * line each. Either the daemon is run, with settings in their ranges, and the client understands the
 * flags that are handed on to it in the same way; or nothing is run and one error says why. A flag
 * beats the environment, whatever stands there. */
#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

/* The verb with its tables; what it starts is below. */
#include "fs/mount.c" /* NOLINT(bugprone-suspicious-include) */

enum { WORDS_MAX = 128, VARIABLES_MAX = 32, TEXT_MAX = 8192 };

/* ---- what the verb starts */

static struct {
    unsigned n_runs;
    struct irsafs_worker_settings settings;
    const char *client_argv[IRSAFS_GIVEN_MAX + 5];
} daemon_seen;

enum irsafs_code irsafs_supervisor_run(const struct irsafs_supervisor_settings *settings,
                                       struct irsafs_error *err)
{
    (void)err;
    FUZZ_ASSERT(settings->uid <= ID_MAX);
    daemon_seen.n_runs++;
    daemon_seen.settings = *settings->worker;
    memset(daemon_seen.client_argv, 0, sizeof(daemon_seen.client_argv));
    for (size_t i = 0; settings->client_argv[i] != NULL; i++) {
        FUZZ_ASSERT(i < IRSAFS_GIVEN_MAX + 3);
        daemon_seen.client_argv[i] = settings->client_argv[i];
    }
    return IRSAFS_OK;
}

enum irsafs_code
irsafs_client_find(const char *given, char ret_path[PATH_MAX], struct irsafs_error *err)
{
    (void)given;
    (void)err;
    memcpy(ret_path, "/c", 3);
    return IRSAFS_OK;
}

enum irsafs_code irsafs_mountpoint_prepare(const char *path,
                                           enum irsafs_layout layout,
                                           bool allow_nonempty,
                                           char ret_path[PATH_MAX],
                                           struct irsafs_error *err)
{
    (void)allow_nonempty;
    FUZZ_ASSERT(layout <= IRSAFS_LAYOUT_SUBDIR);
    FUZZ_ASSERT(strnlen(path, PATH_MAX) < PATH_MAX);
    if (path[0] == '\0') {
        return irsafs_error_set(err, IRSAFS_E_NO_MOUNTPOINT, "no such directory");
    }
    memcpy(ret_path, path, strlen(path) + 1);
    return IRSAFS_OK;
}

bool irsafs_folder_is_known(const char *path, uid_t uid, mode_t config_mode)
{
    (void)uid;
    (void)config_mode;
    return path[0] == '\0';
}

void irsafs_applog_open(struct irsafs_applog *applog, const char *folder)
{
    FUZZ_ASSERT(folder[0] != '\0' && applog->fd == -1);
}

void irsafs_applog_close(struct irsafs_applog *applog)
{
    FUZZ_ASSERT(applog->fd == -1);
}

/* The linker's --wrap leads to what follows. */
void __wrap_irsafs_mode_look(struct irsafs_mode_facts *ret_facts);
void __wrap_irsafs_mode_look(struct irsafs_mode_facts *ret_facts)
{
    FUZZ_ASSERT(ret_facts->fuse_errnum == 0 && ret_facts->mount_errnum == 0);
}

enum irsafs_code __wrap_irsafs_donor_receive(const struct irsafs_donor *donor,
                                             int *ret_fd,
                                             struct irsafs_error *err);
enum irsafs_code
__wrap_irsafs_donor_receive(const struct irsafs_donor *donor, int *ret_fd, struct irsafs_error *err)
{
    (void)err;
    FUZZ_ASSERT(donor->kind != IRSAFS_DONOR_NONE && donor->timeout_ms > 0);
    FUZZ_ASSERT(donor->kind == IRSAFS_DONOR_FD ? donor->fd > 2 : donor->path[0] != '\0');
    *ret_fd = 0;
    return IRSAFS_OK;
}

void __wrap_irsafs_log_event(enum irsafs_log_level level,
                             const char *event,
                             const struct irsafs_log_field *fields);
void __wrap_irsafs_log_event(enum irsafs_log_level level,
                             const char *event,
                             const struct irsafs_log_field *fields)
{
    (void)level;
    (void)fields;
    FUZZ_ASSERT(event[0] != '\0');
}

/* ---- a command */

struct command {
    char text[TEXT_MAX + 64];
    char *environment[VARIABLES_MAX + 2]; /* a free place at the begin */
    char *argv[WORDS_MAX + 3];            /* the same after argv[0] */
    int argc;
};

static bool read_command(struct command *c, struct irsafs_str input)
{
    static char verb[] = "mount";
    if (input.len > TEXT_MAX || memchr(input.ptr, '\0', input.len) != NULL) {
        return false;
    }
    memset(c, 0, sizeof(*c));
    if (input.len > 0) {
        memcpy(c->text, input.ptr, input.len);
    }
    size_t n_variables = 0;
    bool words = false;
    c->argv[0] = verb;
    c->argc = 1;
    for (char *line = c->text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        char *next = end != NULL ? end + 1 : NULL;
        if (end != NULL) {
            *end = '\0';
        }
        if (!words && strcmp(line, "%") == 0) {
            words = true;
        } else if (words && c->argc <= WORDS_MAX) {
            c->argv[c->argc++] = line;
        } else if (!words && n_variables < VARIABLES_MAX && strchr(line, '=') != NULL) {
            c->environment[n_variables++] = line;
        }
        line = next;
    }
    return true;
}

struct outcome {
    enum irsafs_code code;
    struct irsafs_error err;
    struct plan plan;
    bool ran;
};

/* What irsafs_mount_main does, without signals. */
static void run(const struct command *c, struct outcome *o)
{
    static char *environment[VARIABLES_MAX + 2];
    char *argv[WORDS_MAX + 3];
    memcpy(environment, c->environment, sizeof(environment));
    memcpy(argv, c->argv, sizeof(argv)); /* the parser sorts them */
    memset(o, 0, sizeof(*o));
    daemon_seen.n_runs = 0;
    char **own = environ;
    environ = environment;
    o->code = parse(&o->plan, c->argc, argv, &o->err);
    if (o->code == IRSAFS_OK && !o->plan.help) {
        struct irsafs_logs logs = {.file = IRSAFS_APPLOG_INIT};
        open_log(&o->plan, &logs);
        FUZZ_ASSERT(logs.level <= IRSAFS_LOG_ERROR && irsafs_log_level() == logs.level);
        o->code = prepare(&o->plan, &o->err);
        o->code = o->code == IRSAFS_OK ? serve(&o->plan, &logs, &o->err) : o->code;
    }
    environ = own;
    o->ran = daemon_seen.n_runs > 0;
}

/* ---- the properties */

static bool within(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max;
}

static void assert_ranges(void)
{
    const struct irsafs_worker_settings *s = &daemon_seen.settings;
    const int64_t second = 1000;
    const int64_t day = 24 * 3600 * second;
    FUZZ_ASSERT(daemon_seen.n_runs == 1);
    FUZZ_ASSERT(within(s->core.ttl_ms, 10, 7 * day));
    FUZZ_ASSERT(within(s->core.max_stale_ms, 0, 30 * day));
    FUZZ_ASSERT(within(s->core.wait_ms, 0, 3600 * second));
    FUZZ_ASSERT(within(s->core.stale_wait_ms, 0, 3600 * second));
    FUZZ_ASSERT(within(s->core.min_refresh_ms, 0, day));
    FUZZ_ASSERT(within(s->core.fetch_timeout_ms, 10, 3600 * second));
    FUZZ_ASSERT(s->config_mode <= 0777 && s->refresh_mode <= 0777);
    FUZZ_ASSERT(s->uid <= 0x7ffffffe && s->gid <= 0x7ffffffe);
    FUZZ_ASSERT(within(s->sandbox, IRSAFS_SANDBOX_OFF, IRSAFS_SANDBOX_REQUIRED));
    FUZZ_ASSERT(s->mode <= IRSAFS_MODE_FILE && (!s->once || s->mode == IRSAFS_MODE_FILE));
    /* In mode fd it is a name for messages. */
    FUZZ_ASSERT(s->mountpoint[0] != '\0' || s->mode == IRSAFS_MODE_FD);
    FUZZ_ASSERT(s->token_path[0] == '/');
    FUZZ_ASSERT(strncmp(s->core.mountpoint, s->mountpoint, sizeof(s->core.mountpoint) - 1) == 0);
    FUZZ_ASSERT(fuzz_is_clean(s->token_path, IRSAFS_VALUE_MAX + 1));
}

static bool same_word(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_client(const struct irsafs_client_settings *a,
                        const struct irsafs_client_settings *b)
{
    return same_word(a->endpoint, b->endpoint) && same_word(a->token_url, b->token_url) &&
           same_word(a->token_file, b->token_file) && same_word(a->api_key_file, b->api_key_file) &&
           same_word(a->run_id, b->run_id) && same_word(a->labels, b->labels) &&
           same_word(a->ca_file, b->ca_file) && same_word(a->proxy, b->proxy) &&
           same_word(a->sandbox, b->sandbox) &&
           same_word(a->web_identity_token_file, b->web_identity_token_file) &&
           a->insecure_skip_tls_verify == b->insecure_skip_tls_verify &&
           a->fetch_timeout_ms == b->fetch_timeout_ms;
}

/* As client/main.c reads them. */
static void assert_handed_on(const struct command *c, const struct outcome *o)
{
    static const struct irsafs_option own[] = {
        {.name = "report-fd", .type = IRSAFS_OPT_UINT, .min = 3, .max = 1023, .arg = "N"}};
    int64_t report_fd = -1;
    struct irsafs_client_settings settings;
    struct irsafs_option_table tables[] = {
        irsafs_client_options(&settings),
        {.title = "Own", .options = own, .n_options = 1, .settings = &report_fd},
    };
    char *argv[IRSAFS_GIVEN_MAX + 5] = {NULL};
    char *environment[VARIABLES_MAX + 2];
    char **own_environment = environ;
    int argc = 0;
    int n_words = 0;
    bool help = false;
    for (; daemon_seen.client_argv[argc] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)daemon_seen.client_argv[argc];
    }
    memcpy(environment, c->environment, sizeof(environment));
    environ = environment;
    struct irsafs_error err = {.code = IRSAFS_OK};
    FUZZ_ASSERT(irsafs_options_parse(tables, IRSAFS_COUNT(tables), argc, argv, &n_words, &help,
                                     &err) == IRSAFS_OK);
    FUZZ_ASSERT(irsafs_client_settings_check(&tables[0], &err) == IRSAFS_OK);
    environ = own_environment;
    FUZZ_ASSERT(!help && n_words == 1 && strcmp(argv[1], "fetch") == 0 && report_fd == 3);
    FUZZ_ASSERT(same_client(&settings, &o->plan.client));
}

static void assert_flag_beats_environment(const struct command *before, const struct settings *s)
{
    static struct command c;
    static struct outcome o;
    static char flag[] = "--wait=1234ms";
    static char variable[] = "IRSAFS_WAIT=rubbish";
    for (int i = 1; i < before->argc; i++) {
        if (strncmp(before->argv[i], "--wait", 6) == 0) {
            return;
        }
    }
    c = *before;
    memmove(c.argv + 2, c.argv + 1, (size_t)(c.argc - 1) * sizeof(c.argv[0]));
    memmove(c.environment + 1, c.environment, VARIABLES_MAX * sizeof(c.environment[0]));
    c.argv[1] = flag;
    c.argc++;
    c.environment[0] = variable;
    run(&c, &o);
    FUZZ_ASSERT(o.ran && o.plan.settings.wait_ms == 1234);
    FUZZ_ASSERT(o.plan.settings.ttl_ms == s->ttl_ms && o.plan.settings.uid == s->uid &&
                o.plan.settings.stale_wait_ms == s->stale_wait_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct command c;
    static struct outcome o;
    static FILE *quiet; /* --help goes nowhere */
    quiet = quiet != NULL ? quiet : freopen("/dev/null", "w", stdout);
    if (!read_command(&c, (struct irsafs_str){(const char *)data, size})) {
        return -1;
    }
    run(&c, &o);
    FUZZ_ASSERT(o.ran == (o.code == IRSAFS_OK && !o.plan.help));
    if (o.ran) {
        assert_ranges();
        assert_handed_on(&c, &o);
        assert_flag_beats_environment(&c, &o.plan.settings);
    } else if (o.code != IRSAFS_OK) {
        int status = irsafs_code_exit_status(o.code);
        FUZZ_ASSERT(o.err.code == o.code && fuzz_is_clean(o.err.message, sizeof(o.err.message)));
        FUZZ_ASSERT(status == 2 || status == 3 || o.code == IRSAFS_E_NO_MOUNTPOINT);
    }
    return 0;
}
