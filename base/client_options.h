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
    const char *sandbox; /* irsafs_sandbox_mode_parse */
};

extern const struct irsafs_option_table irsafs_fetch_options;
/* Of these only what concerns a text that is there: for `check`. The same settings. */
extern const struct irsafs_option_table irsafs_text_options;

/* irsafs_fetch_options, with its settings pointing at *settings, which is set to the defaults first. */
struct irsafs_option_table irsafs_client_options(struct irsafs_client_settings *settings);

/* Checks what the parser of options cannot: the form of URLs, of the run id and of the token path,
 * as far as they are set. table is the one above, after irsafs_options_parse. The message names the
 * flag, never the value (a URL may hold a password).
 * E_BAD_FLAG_VALUE, or E_BAD_VALUE when the value came from the environment. */
enum irsafs_code irsafs_client_settings_check(const struct irsafs_option_table *table,
                                              struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
