/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/client_options.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/reserve.h"
#include "client/check.h"
#include "client/fetch.h"
#include "client/http.h"
#include "client/report.h"
#include "client/sandbox.h"
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

enum { REPORT_FD_MIN = 3, REPORT_FD_MAX = 1023 };

static const char program[] = "irsafs-client";

struct own_settings {
    int64_t report_fd; /* -1: none */
    int log_level;
    bool version;
};

static const struct irsafs_option own_options[] = {
    {.name = "report-fd",
     .type = IRSAFS_OPT_UINT,
     .offset = offsetof(struct own_settings, report_fd),
     .min = REPORT_FD_MIN,
     .max = REPORT_FD_MAX,
     .arg = "N",
     .help = "write a JSON report to this descriptor, and\nnothing to stderr"},
    {.name = "log-level",
     .env = "IRSAFS_LOG_LEVEL ?LOG_LEVEL",
     .type = IRSAFS_OPT_LEVEL,
     .offset = offsetof(struct own_settings, log_level),
     .arg = "LEVEL",
     .shown_default = "info",
     .help = "debug, info, warn or error"},
    {.name = "version",
     .type = IRSAFS_OPT_FLAG,
     .offset = offsetof(struct own_settings, version),
     .help = "same as the verb version"},
};

struct arguments {
    struct irsafs_client_settings settings;
    struct own_settings own;
    struct irsafs_option_table tables[2];
    struct irsafs_buf api_key;
    int report_fd; /* -1: none */
};

static int run_help(const struct arguments *args, char **words)
{
    (void)words;
    (void)fputs("Usage: irsafs-client [fetch] [FLAGS]   ask the mapping service, print the config\n"
                "       irsafs-client check FILE        what would irsafs change in this config?\n"
                "       irsafs-client version|help\n"
                "\n"
                "Flags beat environment variables, which beat defaults.\n"
                "\n"
                "Examples:\n"
                "  irsafs-client > my.config           as set up by the environment of the pod\n"
                "  irsafs-client --token-url http://localhost:8899/access-token \\\n"
                "      --endpoint https://irsa-svc.domino-field/map_iam_roles_to_pod_sa\n"
                "  irsafs-client check ~/.aws/config\n",
                stdout);
    irsafs_options_print(stdout, args->tables, IRSAFS_COUNT(args->tables));
    (void)fputs("\n"
                "Exit codes: 0 ok, 2 usage, 3 configuration, 4 token, 5 unreachable, 6 refused,\n"
                "7 service error, 8 bad answer or bad file, 75 temporary local failure.\n",
                stdout);
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
    if (args->settings.insecure_skip_tls_verify && args->report_fd < 0) {
        irsafs_log(IRSAFS_LOG_WARN, "tls_not_verified",
                   IRSAFS_LOG_TEXT("flag", "insecure-skip-tls-verify"));
    }
    enum irsafs_sandbox_mode mode;
    if (irsafs_sandbox_mode_parse(args->settings.sandbox, &mode) && /* checked above */
        irsafs_client_confine(&args->settings, mode, &fetch.sandbox, &fetch.error) == IRSAFS_OK) {
        irsafs_fetch(&args->settings, &args->api_key, &fetch);
    }
    return finish(args, &fetch);
}

static int run_check(const struct arguments *args, char **words)
{
    struct irsafs_error err = {.message = ""};
    if (irsafs_client_settings_check(&args->tables[0], &err) != IRSAFS_OK) {
        return fail(args, &err);
    }
    return irsafs_check(program, words[0], args->settings.web_identity_token_file);
}

static const struct verb {
    const char *name;
    int n_words; /* after the verb */
    const char *wants;
    int (*run)(const struct arguments *args, char **words);
} verbs[] = {
    {"fetch", 0, "no word", run_fetch},
    {"check", 1, "one FILE", run_check},
    {"help", 0, "no word", run_help},
    {"version", 0, "no word", run_version},
};

static int run_verb(const struct arguments *args, int n_words, char **words)
{
    const char *name = args->own.version ? "version" : n_words > 0 ? words[0] : "fetch";
    struct irsafs_error err = {.message = ""};
    for (size_t i = 0; i < IRSAFS_COUNT(verbs); i++) {
        if (strcmp(name, verbs[i].name) != 0) {
            continue;
        }
        if (n_words > 0 && n_words != verbs[i].n_words + 1 && !args->own.version) {
            (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "%s wants %s", name, verbs[i].wants);
            return fail(args, &err);
        }
        return verbs[i].run(args, words + 1);
    }
    (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "unknown verb '%.64s'", name);
    return fail(args, &err);
}

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
    for (; value != NULL && irsafs_is_digit(*value) && fd <= REPORT_FD_MAX; value++) {
        fd = fd * 10 + (*value - '0');
    }
    bool good = value != NULL && *value == '\0' && fd >= REPORT_FD_MIN && fd <= REPORT_FD_MAX;
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
    if (irsafs_options_parse(args->tables, IRSAFS_COUNT(args->tables), argc, argv, &n_words, &help,
                             &err) != IRSAFS_OK) {
        return fail(args, &err);
    }
    if (help) {
        return run_help(args, NULL);
    }
    if (args->own.report_fd >= 0 && args->report_fd < 0) {
        (void)irsafs_error_set(&err, IRSAFS_E_BAD_FLAG_VALUE, "--report-fd: no such descriptor");
        return fail(args, &err);
    }
    if (args->report_fd < 0) {
        irsafs_log_set_level((enum irsafs_log_level)args->own.log_level);
    }
    return run_verb(args, n_words, argv + 1);
}

int main(int argc, char **argv)
{
    irsafs_fd_fill_standard();
    be_discreet();
    json_set_alloc_funcs(irsafs_reserve_malloc, irsafs_reserve_free);
    struct arguments args = {.own = {.report_fd = -1, .log_level = IRSAFS_LOG_INFO}};
    args.tables[0] = irsafs_client_options(&args.settings);
    args.tables[1] = (struct irsafs_option_table){.title = "Program",
                                                  .options = own_options,
                                                  .n_options = IRSAFS_COUNT(own_options),
                                                  .settings = &args.own};
    args.api_key = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX);
    args.report_fd = find_report_fd(argc, argv);
    if (args.report_fd >= 0) {
        irsafs_log_set_level(IRSAFS_LOG_ERROR); /* the parser may want to warn */
    }
    int status = run(&args, argc, argv);
    irsafs_buf_deinit(&args.api_key);
    return status;
}
