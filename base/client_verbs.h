/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_CLIENT_VERBS_H
#define IRSAFS_BASE_CLIENT_VERBS_H

#include "base/client_options.h"
#include "base/command.h"
#include "base/daemon_options.h"

/* The command line of irsafs-client; irsafs has the same verbs, hands them on, and tells of them in its
 * own help, manual and completion. */

enum irsafs_client_verb {
    IRSAFS_CLIENT_FETCH,
    IRSAFS_CLIENT_CHECK,
    IRSAFS_CLIENT_STATUS,
    IRSAFS_CLIENT_REFRESH,
    IRSAFS_CLIENT_DOCTOR,
    IRSAFS_CLIENT_COMPLETION,
    IRSAFS_CLIENT_VERSION,
    IRSAFS_CLIENT_HELP,
    IRSAFS_CLIENT_MANUAL, /* hidden: for the build */
    IRSAFS_CLIENT_VERBS,
};
extern const struct irsafs_verb irsafs_client_verbs[IRSAFS_CLIENT_VERBS];
extern const struct irsafs_program irsafs_client_program;

enum { IRSAFS_REPORT_FD_MIN = 3, IRSAFS_REPORT_FD_MAX = 1023 };

/* Everything that a command line can set. */
struct irsafs_client_line {
    struct irsafs_client_settings fetch;
    struct irsafs_daemon_settings daemon;
    struct {
        bool json;
        bool quiet;
    } status;
    struct {
        bool wait;
        int64_t timeout_ms;
    } refresh;
    struct {
        bool json;
        int64_t worker_uid;
    } doctor;
    struct {
        int64_t report_fd; /* -1: none */
        int log_level;
        bool version;
    } own;
};

/* Sets the defaults, and gives the tables of the verb with their settings in *line; their number. */
size_t irsafs_client_line_init(struct irsafs_client_line *line,
                               const struct irsafs_verb *verb,
                               struct irsafs_option_table ret_tables[IRSAFS_VERB_TABLES_MAX]);

#endif
