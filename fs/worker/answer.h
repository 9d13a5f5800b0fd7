/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_ANSWER_H
#define IRSAFS_FS_WORKER_ANSWER_H

#include "base/attr.h"
#include "base/buf.h"
#include "fs/core/core.h"
#include "fs/shared/facts.h"

#include <stdbool.h>

/* What a client that has ended left behind, read as the work of a stranger: the text is good only
 * if canon accepts it, the report only where types and sizes are those of base/report.h. */

struct irsafs_answer_settings {
    const char *client;     /* path, for messages */
    const char *token_path; /* the only web_identity_token_file that a text may hold */
    int64_t fetch_timeout_ms;
};

/* wait_status: of waitpid; killed: by us, for being late. The memfds are read from their begin.
 * *ret_landing always says something: a text (which lies in *text, the caller's, with a ceiling of
 * IRSAFS_TEXT_MAX), or an error. *facts is updated as far as the report could be read. */
void irsafs_answer_read(const struct irsafs_answer_settings *settings,
                        int wait_status,
                        bool killed,
                        int text_fd,
                        int report_fd,
                        struct irsafs_buf *text,
                        struct irsafs_landing *ret_landing,
                        struct irsafs_client_facts *facts);

#endif
