/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_FETCH_H
#define IRSAFS_CLIENT_FETCH_H

#include "base/awsconfig/rewrite.h"
#include "base/buf.h"
#include "base/client_options.h"
#include "base/error.h"
#include "base/sandbox.h"
#include "base/url.h"
#include "client/identity.h"
#include "client/mapping.h"
#include "client/run.h"
#include "client/token.h"

/* All that is known about a fetch, however far it came. Filled by irsafs_fetch, read by report; sandbox is
 * its caller's. */
struct irsafs_fetch {
    struct irsafs_error error; /* code IRSAFS_OK: text is good */
    struct irsafs_buf text;    /* canonical config */
    struct irsafs_rewritten rewritten;
    struct irsafs_run run;      /* id "" while not known */
    struct irsafs_url endpoint; /* host.len 0 while not known; views into the settings */
    bool insecure;
    enum irsafs_token_kind token_kind;
    int64_t token_expires_unix_s;        /* 0: not known */
    char identity[IRSAFS_IDENTITY_SIZE]; /* "" while not known */
    struct irsafs_mapping_hints hints;
    struct irsafs_sandbox_report sandbox;
};

void irsafs_fetch_init(struct irsafs_fetch *fetch);
void irsafs_fetch_deinit(struct irsafs_fetch *fetch);

/* One whole fetch: run id, token, POST, validation. Blocks for settings->fetch_timeout_ms at most.
 * A token that the service refuses (401, 403) or that says that it has expired is read once more.
 * settings have passed irsafs_client_settings_check and outlive *fetch; api_key is the value of
 * DOMINO_USER_API_KEY, empty when there is none. *fetch is initialised; how it ended is in
 * fetch->error: any code of the error catalogue up to 8xx. */
void irsafs_fetch(const struct irsafs_client_settings *settings,
                  const struct irsafs_buf *api_key,
                  struct irsafs_fetch *fetch);

#endif
