/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/file.h"
#include "base/options.h"
#include "fs/client.h"
#include "fs/fuse/version.h"
#include "fs/mount.h"
#include "fs/notifier/notifier.h"
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

static int print_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("irsafs " IRSAFS_VERSION
                 " - your AWS config as a file that is generated when it is read\n"
                 "\n"
                 "Usage: irsafs VERB [OPTIONS]\n"
                 "\n"
                 "  mount [MOUNTPOINT]   serve config, refresh and status until SIGTERM\n"
                 "  render               fetch once and print the config; needs no mount\n"
                 "  check FILE           validate any AWS config file\n"
                 "  version              versions of irsafs and its libraries\n"
                 "  help                 this text; 'irsafs VERB --help' for the options\n"
                 "\n"
                 "In a Domino pod everything is set in the environment:\n"
                 "\n"
                 "  irsafs mount /var/run/.aws &\n"
                 "  cat /var/run/.aws/config\n"
                 "  touch /var/run/.aws/refresh     after your roles have changed\n"
                 "  cat /var/run/.aws/status        when something looks wrong\n");
    return 0;
}

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

static int check(int argc, char **argv)
{
    return run_client("check", argc, argv);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
} verbs[] = {
    {"mount", irsafs_mount_main},
    {"render", render},
    {"check", check},
    {"worker", irsafs_worker_main},
    {"notifier", irsafs_notifier_main}, /* for `mount` only */
    {"version", print_version},
    {"--version", print_version},
    {"help", print_help},
    {"--help", print_help},
    {"-h", print_help},
};

int main(int argc, char **argv)
{
    struct irsafs_error err;
    irsafs_fd_fill_standard();
    for (size_t i = 0; argc > 1 && i < IRSAFS_COUNT(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    if (argc < 2) {
        (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "no verb: try 'irsafs mount'");
    } else {
        (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "unknown %s '%.64s': see 'irsafs help'",
                               argv[1][0] == '-' ? "flag" : "verb", argv[1]);
    }
    return irsafs_error_report("irsafs", &err);
}
