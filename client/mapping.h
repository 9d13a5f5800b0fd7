/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_MAPPING_H
#define IRSAFS_CLIENT_MAPPING_H

#include "base/buf.h"
#include "base/client_options.h"
#include "base/error.h"
#include "client/run.h"
#include "client/token.h"

#include <stdbool.h>
#include <stdint.h>

/* What the mapping service wants us to know beside the text. */
struct irsafs_mapping_hints {
    int64_t retry_after_ms; /* -1: it did not say */
    int64_t date_unix_s;    /* 0: it did not say */
    bool connect_refused;
    bool again;                         /* 401 or 403: a newer token may help */
    int64_t certificate_expires_unix_s; /* 0: not known */
};

struct irsafs_mapping_request {
    const struct irsafs_client_settings *settings;
    const struct irsafs_run *run;
    const struct irsafs_token *token;
    int64_t deadline_ms; /* irsafs_clock_boot_ms */
};

/* One POST for this run with this token; blocks until the deadline at most. The service's answer,
 * still unread, is appended to body when the status is 200. *hints is set in every case.
 * Codes of irsafs_http_send, and by status: E_TOKEN_REFUSED 401, E_DENIED 403, E_NO_RUN 404, E_BUSY
 * 429, E_REFUSED other 4xx, E_SERVICE 5xx, E_REDIRECT 3xx, E_BAD_HTTP anything else. */
enum irsafs_code irsafs_mapping_post(const struct irsafs_mapping_request *request,
                                     struct irsafs_buf *body,
                                     struct irsafs_mapping_hints *hints,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
