/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_DOCTOR_DOCTOR_H
#define IRSAFS_CLIENT_DOCTOR_DOCTOR_H

#include "base/buf.h"
#include "base/client_options.h"
#include "base/daemon_options.h"

/* `irsafs-client doctor`: walks from /dev/fuse to the AWS variables, says what it finds and what to do. */

struct irsafs_doctor_request {
    const struct irsafs_option_table
        *client_table;                           /* after irsafs_options_parse; not checked yet */
    const struct irsafs_client_settings *client; /* those of client_table */
    const struct irsafs_daemon_settings *daemon; /* not checked yet */
    int64_t worker_uid; /* as root: check as this user what irsafs does as it; 0: as root */
    const struct irsafs_buf *api_key; /* value of DOMINO_USER_API_KEY, empty when there is none */
    bool json;
};

/* Prints the findings to stdout. Asks the mapping service once, as a fetch does. Ends within 30 s whatever
 * hangs. What a fetch does is done in a child, as the user and behind the walls of a fetch; nothing printed
 * holds a secret or anything but printable ASCII. Returns the exit status: 0, 1 (something is FAIL), 75. */
int irsafs_doctor(const struct irsafs_doctor_request *request);

#endif
