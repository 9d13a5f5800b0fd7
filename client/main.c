/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/client_verbs.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/reserve.h"
#include "client/check.h"
#include "client/doctor/doctor.h"
#include "client/fetch.h"
#include "client/http.h"
#include "client/refresh.h"
#include "client/report.h"
#include "client/sandbox.h"
#include "client/status.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* irsafs-client: one run, one answer. */

static const char program[] = "irsafs-client";

struct arguments {
    struct irsafs_client_line line;
    const struct irsafs_verb *verb;
    struct irsafs_option_table tables[IRSAFS_VERB_TABLES_MAX]; /* of the verb */
    size_t n_tables;
    struct irsafs_buf api_key;
    int report_fd; /* -1: none */
};

static int run_help(const struct arguments *args, char **words)
{
    struct irsafs_error err = {.message = ""};
    const struct irsafs_verb *verb = NULL;
    (void)args;
    if (irsafs_program_find_shown(&irsafs_client_program, words[0], &verb, &err) != IRSAFS_OK) {
        return irsafs_error_report(program, &err);
    }
    irsafs_help_print(stdout, &irsafs_client_program, verb, IRSAFS_VERSION);
    return 0;
}

static int run_version(const struct arguments *args, char **words)
{
    (void)args;
    (void)words;
    (void)printf("%s %s\n", program, IRSAFS_VERSION);
    irsafs_http_print_versions(stdout);
    (void)printf("jansson %s\nlibjwt %s\n", jansson_version_str(), IRSAFS_JWT_VERSION);
    return 0;
}

static int run_completion(const struct arguments *args, char **words)
{
    struct irsafs_error err = {.message = ""};
    (void)args;
    return irsafs_completion_main(&irsafs_client_program, words[0], &err) == IRSAFS_OK
               ? 0
               : irsafs_error_report(program, &err);
}

static int run_manual(const struct arguments *args, char **words)
{
    (void)args;
    (void)words;
    irsafs_manual_print(stdout, &irsafs_client_program);
    return 0;
}

static void warn_of_dropped(const struct irsafs_dropped *dropped)
{
    for (size_t i = 0; i < dropped->n_items; i++) {
        const struct irsafs_dropped_item *item = &dropped->items[i];
        irsafs_log(IRSAFS_LOG_WARN, "dropped", IRSAFS_LOG_TEXT("section", item->section),
                   IRSAFS_LOG_TEXT("key", item->key), IRSAFS_LOG_TEXT("reason", item->reason));
    }
    if (dropped->total > dropped->n_items) {
        irsafs_log(IRSAFS_LOG_WARN, "dropped_more", IRSAFS_LOG_NUMBER("total", dropped->total));
    }
}

/* The answer goes out in one go, and only when all is good, the report included, which is made first.
 * The report says what went wrong, writing the answer included. */
static int finish(const struct arguments *args, struct irsafs_fetch *fetch)
{
    char report[IRSAFS_REPORT_MAX];
    size_t len = args->report_fd >= 0 ? irsafs_report_render(fetch, report) : 0;
    if (fetch->error.code == IRSAFS_OK && fetch->text.len > 0 &&
        !irsafs_write_all(STDOUT_FILENO, fetch->text.data, fetch->text.len)) {
        (void)irsafs_error_set(&fetch->error, IRSAFS_E_IO, "stdout: %s", strerrordesc_np(errno));
        len = args->report_fd >= 0 ? irsafs_report_render(fetch, report) : 0;
    }
    if (args->report_fd >= 0) {
        bool told = irsafs_write_all(args->report_fd, report, len);
        return irsafs_code_exit_status(fetch->error.code != IRSAFS_OK || told ? fetch->error.code
                                                                              : IRSAFS_E_IO);
    }
    warn_of_dropped(&fetch->rewritten.dropped);
    return fetch->error.code != IRSAFS_OK ? irsafs_error_report(program, &fetch->error) : 0;
}

/* The command is wrong: said in the same way as a fetch that went wrong. */
static int fail(const struct arguments *args, const struct irsafs_error *err)
{
    struct irsafs_fetch fetch;
    irsafs_fetch_init(&fetch);
    fetch.error = *err;
    return finish(args, &fetch);
}

static int run_fetch(const struct arguments *args, char **words)
{
    (void)words;
    IRSAFS_CLEANUP(irsafs_fetch_deinit) struct irsafs_fetch fetch;
    irsafs_fetch_init(&fetch);
    if (irsafs_client_settings_check(&args->tables[0], &fetch.error) != IRSAFS_OK) {
        return finish(args, &fetch);
    }
    if (args->line.fetch.insecure_skip_tls_verify && args->report_fd < 0) {
        irsafs_log(IRSAFS_LOG_WARN, "tls_not_verified",
                   IRSAFS_LOG_TEXT("flag", "insecure-skip-tls-verify"));
    }
    enum irsafs_sandbox_mode mode;
    if (irsafs_sandbox_mode_parse(args->line.fetch.sandbox, &mode) && /* checked above */
        irsafs_client_confine(&args->line.fetch, mode, &fetch.sandbox, &fetch.error) == IRSAFS_OK) {
        irsafs_fetch(&args->line.fetch, &args->api_key, &fetch);
    }
    return finish(args, &fetch);
}

static int run_check(const struct arguments *args, char **words)
{
    struct irsafs_error err = {.message = ""};
    if (irsafs_client_settings_check(&args->tables[0], &err) != IRSAFS_OK) {
        return fail(args, &err);
    }
    return irsafs_check(program, words[0], args->line.fetch.web_identity_token_file);
}

static int run_status(const struct arguments *args, char **words)
{
    (void)words;
    return irsafs_status_main(program, &args->line);
}

static int run_refresh(const struct arguments *args, char **words)
{
    (void)words;
    return irsafs_refresh_main(program, &args->line);
}

static int run_doctor(const struct arguments *args, char **words)
{
    (void)words;
    const struct irsafs_doctor_request request = {
        .client_table = &args->tables[0],
        .client = &args->line.fetch,
        .daemon = &args->line.daemon,
        .worker_uid = args->line.doctor.worker_uid,
        .api_key = &args->api_key,
        .json = args->line.doctor.json,
    };
    return irsafs_doctor(&request);
}

static int (*const runs[IRSAFS_CLIENT_VERBS])(const struct arguments *args, char **words) = {
    [IRSAFS_CLIENT_FETCH] = run_fetch,     [IRSAFS_CLIENT_CHECK] = run_check,
    [IRSAFS_CLIENT_STATUS] = run_status,   [IRSAFS_CLIENT_REFRESH] = run_refresh,
    [IRSAFS_CLIENT_DOCTOR] = run_doctor,   [IRSAFS_CLIENT_COMPLETION] = run_completion,
    [IRSAFS_CLIENT_VERSION] = run_version, [IRSAFS_CLIENT_HELP] = run_help,
    [IRSAFS_CLIENT_MANUAL] = run_manual,
};

/* The descriptor is needed before the parse, which may already be what goes wrong. */
static int find_report_fd(int argc, char **argv)
{
    static const char flag[] = "--report-fd";
    const size_t n = sizeof(flag) - 1;
    const char *value = NULL;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], flag, n) == 0 && argv[i][n] == '=') {
            value = argv[i] + n + 1;
        } else if (strcmp(argv[i], flag) == 0 && i + 1 < argc) {
            value = argv[++i];
        }
    }
    int fd = 0;
    for (; value != NULL && irsafs_is_digit(*value) && fd <= IRSAFS_REPORT_FD_MAX; value++) {
        fd = fd * 10 + (*value - '0');
    }
    bool good =
        value != NULL && *value == '\0' && fd >= IRSAFS_REPORT_FD_MIN && fd <= IRSAFS_REPORT_FD_MAX;
    return good && fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

/* Variables that libraries follow and that are no settings of ours: libcurl would write the keys of TLS
 * sessions away, OpenSSL would load modules and weaken its rules. */
static const char *const foreign_settings[] = {"SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES",
                                               "OPENSSL_ENGINES"};

/* Nothing of a token may outlive us or get out: no core, no debugger of the same user, no key log. */
static void be_discreet(void)
{
    for (size_t i = 0; i < IRSAFS_COUNT(foreign_settings); i++) {
        (void)unsetenv(foreign_settings[i]);
    }
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* the daemon limits what we may write */
}

static int run(struct arguments *args, int argc, char **argv)
{
    struct irsafs_error err = {.message = ""};
    int n_words = 0;
    bool help = false;
    if (!irsafs_token_take_variable("DOMINO_USER_API_KEY", &args->api_key)) {
        (void)irsafs_error_set(&err, IRSAFS_E_TOKEN_MALFORMED, "DOMINO_USER_API_KEY is too long");
        return fail(args, &err);
    }
    bool named = false;
    if (irsafs_program_take_verb(&irsafs_client_program, &argc, argv, &args->verb, &named, &err) !=
        IRSAFS_OK) {
        return fail(args, &err);
    }
    args->n_tables = irsafs_client_line_init(&args->line, args->verb, args->tables);
    if (irsafs_options_parse(args->tables, args->n_tables, argc, argv, &n_words, &help, &err) !=
        IRSAFS_OK) {
        return fail(args, &err);
    }
    if (help) {
        irsafs_help_print(stdout, &irsafs_client_program, named ? args->verb : NULL,
                          IRSAFS_VERSION);
        return 0;
    }
    if (args->line.own.version) {
        return run_version(args, NULL);
    }
    if (args->line.own.report_fd >= 0 && args->report_fd < 0) {
        (void)irsafs_error_set(&err, IRSAFS_E_BAD_FLAG_VALUE, "--report-fd: no such descriptor");
        return fail(args, &err);
    }
    if (irsafs_verb_check_words(args->verb, n_words, argv + 1, &err) != IRSAFS_OK) {
        return fail(args, &err);
    }
    if (args->report_fd < 0) {
        irsafs_log_set_level((enum irsafs_log_level)args->line.own.log_level);
    }
    argv[n_words + 1] = NULL;
    return runs[args->verb - irsafs_client_verbs](args, argv + 1);
}

int main(int argc, char **argv)
{
    irsafs_fd_fill_standard();
    be_discreet();
    json_set_alloc_funcs(irsafs_reserve_malloc, irsafs_reserve_free);
    struct arguments args = {.report_fd = -1};
    args.api_key = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX);
    args.report_fd = find_report_fd(argc, argv);
    if (args.report_fd >= 0) {
        irsafs_log_set_level(IRSAFS_LOG_ERROR); /* the parser may want to warn */
    }
    int status = run(&args, argc, argv);
    irsafs_buf_deinit(&args.api_key);
    return status;
}
