/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_CLIENT_OPTIONS_H
#define IRSAFS_BASE_CLIENT_OPTIONS_H

#include "base/options.h"

#include <stdint.h>

/* The settings of a fetch: irsafs-client acts on them; `irsafs mount` accepts the same flags, checks
 * their form and hands them on. */
struct irsafs_client_settings {
    const char *endpoint;
    const char *token_url;
    const char *token_file;
    const char *api_key_file;
    const char *run_id;
    const char *labels;
    const char *ca_file;
    bool insecure_skip_tls_verify;
    const char *proxy;
    const char *web_identity_token_file;
    int64_t fetch_timeout_ms;
};

/* The table, with its settings pointing at *settings, which is set to the defaults first. */
struct irsafs_option_table irsafs_client_options(struct irsafs_client_settings *settings);

#endif
