/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client_verbs.h"

#include "base/log.h"

#define FIELD(name) (offsetof(struct irsafs_client_line, name))

static const struct irsafs_option status_options[] = {
    {.name = "json",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(status.json),
     .help = "print the document as irsafs gives it"},
    {.name = "quiet",
     .letter = 'q',
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(status.quiet),
     .help = "print nothing: the exit status says it"},
};

static const struct irsafs_option refresh_options[] = {
    {.name = "wait",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(refresh.wait),
     .help = "wait for the result and print it"},
    {.name = "timeout",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(refresh.timeout_ms),
     .min = 1,
     .max = INT64_C(3600) * 1000,
     .arg = "TIME",
     .shown_default = "70s",
     .help = "wait no longer than this"},
};

static const struct irsafs_option doctor_options[] = {
    {.name = "json",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(doctor.json),
     .help = "print the findings as JSON"},
    {.name = "worker-uid",
     .env = "IRSAFS_WORKER_UID",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(doctor.worker_uid),
     .max = 0x7ffffffe,
     .arg = "UID",
     .shown_default = "65534",
     .help = "started by root: check as this user what\nirsafs mount leaves to it"},
};

static const struct irsafs_option own_options[] = {
    {.name = "report-fd",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(own.report_fd),
     .min = IRSAFS_REPORT_FD_MIN,
     .max = IRSAFS_REPORT_FD_MAX,
     .arg = "N",
     .help = "write a JSON report to this descriptor, and\nnothing to stderr"},
    {.name = "log-level",
     .env = "IRSAFS_LOG_LEVEL ?LOG_LEVEL",
     .type = IRSAFS_OPT_LEVEL,
     .offset = FIELD(own.log_level),
     .arg = "LEVEL",
     .shown_default = "info",
     .help = "debug, info, warn or error"},
    {.name = "version",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(own.version),
     .help = "same as the verb version"},
};

#define TABLE(heading, array)                                                                      \
    {                                                                                              \
        .title = (heading), .options = (array), .n_options = IRSAFS_COUNT(array)                   \
    }
static const struct irsafs_option_table status_table = TABLE("Output", status_options);
static const struct irsafs_option_table refresh_table = TABLE("Waiting", refresh_options);
static const struct irsafs_option_table doctor_table = TABLE("Doctor", doctor_options);
static const struct irsafs_option_table own_table = TABLE("Program", own_options);

static const char about_fetch[] =
    "Asks the mapping service once and prints the config. It needs no mount: with it\n"
    "one can see what is wrong, or do without irsafs for a while.\n"
    "\n"
    "  % fetch >my.config       as set up by the environment of the pod\n"
    "  AWS_CONFIG_FILE=$PWD/my.config aws sts get-caller-identity --profile NAME\n"
    "  % fetch --token-url http://localhost:8899/access-token \\\n"
    "      --endpoint https://irsa-svc.domino-field/map_iam_roles_to_pod_sa\n";

const struct irsafs_verb irsafs_client_verbs[IRSAFS_CLIENT_VERBS] = {
    [IRSAFS_CLIENT_FETCH] = {.name = "fetch",
                             .summary = "fetch once and print the config",
                             .about = about_fetch,
                             .tables = {&irsafs_fetch_options, &own_table}},
    [IRSAFS_CLIENT_CHECK] =
        {.name = "check",
         .words = "FILE",
         .summary = "validate any AWS config file",
         .about = "Prints what irsafs would change in this config, a finding per line. Exit\n"
                  "status 8: there are findings.\n"
                  "\n"
                  "  % check ~/.aws/config\n",
         .tables = {&irsafs_text_options, &own_table}},
    [IRSAFS_CLIENT_STATUS] =
        {.name = "status",
         .summary = "does it work? if not: since when, why, what to do",
         .about =
             "Asks the irsafs of this pod: at its control endpoint, else through the files of\n"
             "its mount. Exit status 0: works, 11: stale, 12: nothing to serve, 13: no\n"
             "irsafs answers.\n"
             "\n"
             "  % status\n"
             "  % status --json | jq .error\n"
             "  % status -q || echo \"my AWS config is not up to date\"\n",
         .tables = {&irsafs_which_options, &status_table}},
    [IRSAFS_CLIENT_REFRESH] =
        {.name = "refresh",
         .summary = "my roles have changed: get a new config",
         .about = "Has irsafs fetch anew, as touching the file refresh does: the next look at\n"
                  "config gets the new text. With --wait also the result: the exit status is that\n"
                  "of the error. Where only the control endpoint is in reach it always waits.\n"
                  "\n"
                  "  % refresh\n"
                  "  % refresh --wait && aws configure list-profiles\n",
         .tables = {&irsafs_which_options, &refresh_table}},
    [IRSAFS_CLIENT_DOCTOR] =
        {.name = "doctor",
         .summary = "check all around it, with a remedy for each fault",
         .about = "Looks at /dev/fuse, the mount, labels, token, DNS, TLS, one answer of the\n"
                  "mapping service, the projected token and the AWS variables of this container.\n"
                  "A line for each, with what to do about it. Exit status 1: something is FAIL.\n"
                  "\n"
                  "  % doctor\n"
                  "  % doctor --json | jq '.checks[] | select(.level == \"fail\")'\n",
         .tables = {&irsafs_fetch_options, &irsafs_which_options, &doctor_table}},
    [IRSAFS_CLIENT_COMPLETION] = {.name = "completion",
                                  .words = "bash",
                                  .summary = "print the completion script of a shell",
                                  .about = "  source <(% completion bash)    for this shell\n"},
    [IRSAFS_CLIENT_VERSION] = {.name = "version",
                               .summary = "versions of the program and its libraries",
                               .about = "Prints versions, a line for each program or library.\n"},
    [IRSAFS_CLIENT_HELP] = {.name = "help",
                            .words = "[VERB]",
                            .summary = "this text, or all about one verb",
                            .about = "The same as 'VERB --help'.\n"},
    [IRSAFS_CLIENT_MANUAL] = {.name = "manual", .about = ""},
};

static const struct irsafs_verb *const shown[] = {
    &irsafs_client_verbs[IRSAFS_CLIENT_FETCH],   &irsafs_client_verbs[IRSAFS_CLIENT_CHECK],
    &irsafs_client_verbs[IRSAFS_CLIENT_STATUS],  &irsafs_client_verbs[IRSAFS_CLIENT_REFRESH],
    &irsafs_client_verbs[IRSAFS_CLIENT_DOCTOR],  &irsafs_client_verbs[IRSAFS_CLIENT_COMPLETION],
    &irsafs_client_verbs[IRSAFS_CLIENT_VERSION], &irsafs_client_verbs[IRSAFS_CLIENT_HELP],
    &irsafs_client_verbs[IRSAFS_CLIENT_MANUAL],
};

const struct irsafs_program irsafs_client_program = {
    .name = "irsafs-client",
    .title = "asks for your AWS config, and asks irsafs how it is",
    .next = "In a Domino run everything is set in the environment:\n"
            "\n"
            "  % status            when something looks wrong\n"
            "  % doctor            when status does not say enough\n"
            "  % refresh --wait    after your roles have changed\n"
            "  % fetch --help      all options of a fetch\n",
    .verbs = shown,
    .n_verbs = IRSAFS_COUNT(shown),
    .plain = &irsafs_client_verbs[IRSAFS_CLIENT_FETCH],
};

size_t irsafs_client_line_init(struct irsafs_client_line *line,
                               const struct irsafs_verb *verb,
                               struct irsafs_option_table ret_tables[IRSAFS_VERB_TABLES_MAX])
{
    const struct irsafs_option_table fetch = irsafs_client_options(&line->fetch);
    const struct irsafs_option_table which = irsafs_daemon_options(&line->daemon);
    size_t n = 0;
    line->status.json = line->status.quiet = line->refresh.wait = line->own.version = false;
    line->doctor.json = false;
    line->doctor.worker_uid = 65534;
    line->refresh.timeout_ms = INT64_C(70) * 1000;
    line->own.report_fd = -1;
    line->own.log_level = IRSAFS_LOG_INFO;
    for (; n < IRSAFS_VERB_TABLES_MAX && verb->tables[n] != NULL; n++) {
        ret_tables[n] = *verb->tables[n];
        ret_tables[n].settings =
            verb->tables[n] == &irsafs_fetch_options || verb->tables[n] == &irsafs_text_options
                ? fetch.settings
            : verb->tables[n] == &irsafs_which_options ? which.settings
                                                       : line;
    }
    return n;
}
