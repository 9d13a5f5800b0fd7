/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_ANSWER_H
#define IRSAFS_FS_SUPER_ANSWER_H

#include "base/attr.h"
#include "fs/core/core.h"

#include <jansson.h>
#include <stdbool.h>

/* What a client that has ended left behind, read as the work of a stranger: the text is good only
 * if canon accepts it, the report only where types and sizes are those of base/report.h. */

/* The part of the report that `status` shows. A field that is not known is "". */
struct irsafs_client_facts {
    char run_id[64];
    char workload_type[64];
    char token_source[16];
    char token_expires_at[32];
    char endpoint_scheme[8];
    char endpoint_host[256];
    char endpoint_tls[16];
    json_t *dropped; /* {"total": n, "items": [{"section","key","reason"}]}, or NULL; owned */
};

void irsafs_client_facts_deinit(struct irsafs_client_facts *facts);

struct irsafs_answer_settings {
    const char *client;     /* path, for messages */
    const char *token_path; /* the only web_identity_token_file that a text may hold */
    int64_t fetch_timeout_ms;
};

/* wait_status: of waitpid; killed: by us, for being late. The memfds are read from their begin.
 * *ret_landing always says something: a text, or an error. *ret_facts is updated as far as the
 * report could be read. Its text is the caller's. */
void irsafs_answer_read(const struct irsafs_answer_settings *settings,
                        int wait_status,
                        bool killed,
                        int text_fd,
                        int report_fd,
                        struct irsafs_landing *ret_landing,
                        struct irsafs_client_facts *facts);

#endif
