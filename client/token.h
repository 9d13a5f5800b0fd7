/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_TOKEN_H
#define IRSAFS_CLIENT_TOKEN_H

#include "base/buf.h"
#include "base/client_options.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The credential that we show to the mapping service. */

enum irsafs_token_kind {
    IRSAFS_TOKEN_NONE,
    IRSAFS_TOKEN_URL,
    IRSAFS_TOKEN_FILE,
    IRSAFS_TOKEN_API_KEY,
};

struct irsafs_token {
    struct irsafs_buf secret; /* one line of visible ASCII */
    enum irsafs_token_kind kind;
};

enum { IRSAFS_TOKEN_URL_SIZE = 2100 };

/* Where credentials may come from. What is pointed at belongs to somebody else. */
struct irsafs_token_sources {
    const struct irsafs_client_settings *settings;
    const struct irsafs_buf *api_key; /* empty when there is none */
    char url[IRSAFS_TOKEN_URL_SIZE];  /* "" when there is none */
};

/* The URL is --token-url, else DOMINO_API_PROXY + "/access-token". api_key is the value of
 * DOMINO_USER_API_KEY. E_BAD_VALUE (DOMINO_API_PROXY), E_NO_TOKEN_SOURCE. */
enum irsafs_code irsafs_token_find_sources(const struct irsafs_client_settings *settings,
                                           const struct irsafs_buf *api_key,
                                           struct irsafs_token_sources *ret_sources,
                                           struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Reads the newest credential: from the URL; from the file when there is no URL, when it fails or
 * when it has not answered in 5 s; the API key only when neither is configured. Replaces *token.
 * Blocks until the deadline (irsafs_clock_boot_ms) at most. *ret_refused (always set): nothing
 * listens at the URL. E_TOKEN_URL, E_TOKEN_FILE, E_TOKEN_MALFORMED, E_MEMORY; when URL and file both
 * fail the code is that of the file and the message names both. */
enum irsafs_code irsafs_token_read(const struct irsafs_token_sources *sources,
                                   int64_t deadline_ms,
                                   struct irsafs_token *token,
                                   bool *ret_refused,
                                   struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Takes the value of an environment variable away: appended to value, wiped from the environment of
 * this process, so that neither /proc nor a child shows it. False: too long, or no memory. */
bool irsafs_token_take_variable(const char *name, struct irsafs_buf *value) IRSAFS_MUST_CHECK;

/* "url", "file", "api_key"; NULL for none. */
const char *irsafs_token_kind_name(enum irsafs_token_kind kind);

#endif
