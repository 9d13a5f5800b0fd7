/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client_verbs.h"
#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "base/options.h"
#include "fs/client.h"
#include "fs/fuse/version.h"
#include "fs/mount.h"
#include "fs/notifier/notifier.h"
#include "fs/probe.h"
#include "fs/worker/worker.h"
#include "version.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The verbs of irsafs. Those of the client replace this process: the daemon links no network. */

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("irsafs %s libfuse/%s libevent/%s jansson/%s\n", IRSAFS_VERSION,
                 irsafs_fuse_version(), event_get_version(), JANSSON_VERSION);
    return 0;
}

static int run_client(const char *verb, int argc, char **argv)
{
    char path[PATH_MAX];
    struct irsafs_error err;
    if (irsafs_client_find(NULL, path, &err) != IRSAFS_OK) {
        return irsafs_error_report("irsafs", &err);
    }
    char **client_argv = calloc((size_t)argc + 2, sizeof(*client_argv));
    if (client_argv != NULL) {
        client_argv[0] = path;
        client_argv[1] = (char *)(uintptr_t)verb; /* execv changes nothing */
        memcpy(client_argv + 2, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
        (void)execv(path, client_argv);
    }
    (void)irsafs_error_set(&err, IRSAFS_E_CLIENT_START, "run %s: %s", path, strerrordesc_np(errno));
    free(client_argv);
    return irsafs_error_report("irsafs", &err);
}

static int render(int argc, char **argv)
{
    return run_client("fetch", argc, argv);
}

static int print_help(int argc, char **argv);
static int print_completion(int argc, char **argv);
static int print_manual(int argc, char **argv);

static const struct irsafs_verb render_verb = {
    .name = "render",
    .summary = "fetch once and print the config; needs no mount",
    .about = "Asks the mapping service once and prints the config, or says what is wrong.\n"
             "\n"
             "  % render >my.config\n"
             "  AWS_CONFIG_FILE=$PWD/my.config aws sts get-caller-identity --profile NAME\n",
    .tables = {&irsafs_fetch_options},
    .run = render,
};
static const struct irsafs_verb completion_verb = {
    .name = "completion",
    .words = "bash",
    .summary = "print the completion script of a shell",
    .about = "  source <(% completion bash)    for this shell\n",
    .run = print_completion,
};
static const struct irsafs_verb version_verb = {
    .name = "version",
    .summary = "versions of irsafs and its libraries",
    .about = "Prints one line. The client has its own: irsafs-client version.\n",
    .run = print_version,
};
static const struct irsafs_verb help_verb = {
    .name = "help",
    .words = "[VERB]",
    .summary = "this text, or all about one verb",
    .about = "The same as 'VERB --help'.\n",
    .run = print_help,
};
/* For `mount` and for the build. */
static const struct irsafs_verb worker_verb = {.name = "worker", .run = irsafs_worker_main};
static const struct irsafs_verb notifier_verb = {.name = "notifier", .run = irsafs_notifier_main};
static const struct irsafs_verb manual_verb = {.name = "manual", .run = print_manual};

static const struct irsafs_verb *const verbs[] = {
    &irsafs_mount_verb,
    &irsafs_client_verbs[IRSAFS_CLIENT_STATUS],
    &irsafs_client_verbs[IRSAFS_CLIENT_REFRESH],
    &irsafs_client_verbs[IRSAFS_CLIENT_DOCTOR],
    &irsafs_probe_verb,
    &render_verb,
    &irsafs_client_verbs[IRSAFS_CLIENT_CHECK],
    &completion_verb,
    &version_verb,
    &help_verb,
    &worker_verb,
    &notifier_verb,
    &manual_verb,
};

static const struct irsafs_program program = {
    .name = "irsafs",
    .title = "your AWS config as a file that is generated when it is read",
    .next = "In a Domino pod everything is set in the environment:\n"
            "  % mount /var/run/.aws &\n"
            "  cat /var/run/.aws/config\n"
            "  touch /var/run/.aws/refresh    my roles have changed: a new config, please\n"
            "  % refresh --wait          the same, and tell me the result\n"
            "  % status                  when something looks wrong; then: % doctor\n"
            "'% VERB --help' has the options, 'man irsafs' everything.\n",
    .verbs = verbs,
    .n_verbs = IRSAFS_COUNT(verbs),
};

static int print_help(int argc, char **argv)
{
    struct irsafs_error err;
    const struct irsafs_verb *verb = NULL;
    if (irsafs_verb_check_words(&help_verb, argc - 1, argv + 1, &err) != IRSAFS_OK ||
        irsafs_program_find_shown(&program, argv[1], &verb, &err) != IRSAFS_OK) {
        return irsafs_error_report("irsafs", &err);
    }
    irsafs_help_print(stdout, &program, verb, IRSAFS_VERSION);
    return 0;
}

static int print_completion(int argc, char **argv)
{
    struct irsafs_error err;
    if (irsafs_verb_check_words(&completion_verb, argc - 1, argv + 1, &err) != IRSAFS_OK ||
        irsafs_completion_main(&program, argv[1], &err) != IRSAFS_OK) {
        return irsafs_error_report("irsafs", &err);
    }
    return 0;
}

static int print_manual(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    irsafs_manual_print(stdout, &program);
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int run(const struct irsafs_verb *verb, int argc, char **argv)
{
    if (verb->summary != NULL && asks_for_help(argc, argv)) {
        irsafs_help_print(stdout, &program, verb, IRSAFS_VERSION);
        return 0;
    }
    return verb->run != NULL ? verb->run(argc, argv) : run_client(verb->name, argc, argv);
}

/* Flags that stand for a verb. */
static const struct {
    const char *flag;
    const struct irsafs_verb *verb;
} flags[] = {{"--version", &version_verb},
             {"-V", &version_verb},
             {"--help", &help_verb},
             {"-h", &help_verb}};

static void unknown_flag(const char *word, struct irsafs_error *err)
{
    struct irsafs_nearest nearest = {.word = {word, strlen(word)}};
    for (size_t i = 0; i < IRSAFS_COUNT(flags); i++) {
        irsafs_nearest_offer(&nearest, flags[i].flag);
    }
    (void)irsafs_error_set(err, IRSAFS_E_USAGE, "unknown flag '%.64s'%s%s%s", word,
                           nearest.best != NULL ? ": did you mean " : "",
                           nearest.best != NULL ? nearest.best : "",
                           nearest.best != NULL ? "?" : "");
}

int main(int argc, char **argv)
{
    struct irsafs_error err;
    const struct irsafs_verb *verb = NULL;
    irsafs_fd_fill_standard();
    for (size_t i = 0; argc > 1 && i < IRSAFS_COUNT(flags); i++) {
        if (strcmp(argv[1], flags[i].flag) == 0) {
            return flags[i].verb->run(argc - 1, argv + 1);
        }
    }
    if (argc < 2) {
        irsafs_next_print(stderr, &program);
        (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "no verb: 'irsafs help' lists them");
    } else if (argv[1][0] == '-') {
        unknown_flag(argv[1], &err);
    } else {
        verb = irsafs_program_find(&program, argv[1]);
        if (verb == NULL) {
            (void)!irsafs_program_find_shown(&program, argv[1], &verb, &err);
        }
    }
    return verb != NULL ? run(verb, argc - 1, argv + 1) : irsafs_error_report("irsafs", &err);
}
