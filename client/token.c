/* SPDX-License-Identifier: Apache-2.0 */
#include "client/token.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/options.h"
#include "base/url.h"
#include "client/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { URL_WAIT_MS = 5000 }; /* after that the file is used, when there is one */
enum { BLANKS_MAX = 64 };    /* around a token; trimmed */

const char *irsafs_token_kind_name(enum irsafs_token_kind kind)
{
    static const char *const names[] = {
        [IRSAFS_TOKEN_NONE] = NULL,
        [IRSAFS_TOKEN_URL] = "url",
        [IRSAFS_TOKEN_FILE] = "file",
        [IRSAFS_TOKEN_API_KEY] = "api_key",
    };
    return names[kind];
}

bool irsafs_token_take_variable(const char *name, struct irsafs_buf *value)
{
    size_t n = strlen(name);
    bool ok = true;
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, name, n) == 0 && (*variable)[n] == '=') {
            char *bytes = *variable + n + 1;
            ok = value->len > 0 || irsafs_buf_puts(value, bytes);
            explicit_bzero(bytes, strlen(bytes));
        }
    }
    (void)unsetenv(name);
    return ok;
}

static enum irsafs_code find_url(const struct irsafs_client_settings *settings,
                                 char ret_url[IRSAFS_TOKEN_URL_SIZE],
                                 struct irsafs_error *err)
{
    const char *base = settings->token_url;
    const char *path = "";
    if (base == NULL) {
        base = irsafs_env("DOMINO_API_PROXY");
        path = "/access-token";
    }
    struct irsafs_url url;
    if (base != NULL && !irsafs_url_parse(base, &url)) {
        return irsafs_error_set(err, IRSAFS_E_BAD_VALUE,
                                "DOMINO_API_PROXY is not a plain http or https URL");
    }
    size_t len = base != NULL ? strlen(base) : 0;
    while (path[0] != '\0' && len > 0 && base[len - 1] == '/') {
        len--;
    }
    (void)snprintf(ret_url, IRSAFS_TOKEN_URL_SIZE, "%.*s%s", (int)len, base != NULL ? base : "",
                   len > 0 ? path : "");
    return IRSAFS_OK;
}

enum irsafs_code irsafs_token_find_sources(const struct irsafs_client_settings *settings,
                                           const struct irsafs_buf *api_key,
                                           struct irsafs_token_sources *ret_sources,
                                           struct irsafs_error *err)
{
    struct irsafs_token_sources sources = {.settings = settings, .api_key = api_key};
    enum irsafs_code code = find_url(settings, sources.url, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    if (sources.url[0] == '\0' && settings->token_file == NULL && settings->api_key_file == NULL &&
        api_key->len == 0) {
        return irsafs_error_set(err, IRSAFS_E_NO_TOKEN_SOURCE,
                                "no token URL, token file or API key is set");
    }
    *ret_sources = sources;
    return IRSAFS_OK;
}

/* What would end the header line or show that this is no token but a page or a JSON document. */
static bool is_token_char(char c)
{
    return irsafs_is_visible(c) && strchr("\"'\\<>{}", c) == NULL;
}

/* Trims in place and checks. where is for the message. */
static enum irsafs_code
check_token(struct irsafs_buf *secret, const char *where, struct irsafs_error *err)
{
    size_t begin = 0;
    size_t end = secret->len;
    while (end > 0 && strchr(" \t\r\n", secret->data[end - 1]) != NULL && secret->data[end - 1]) {
        end--;
    }
    while (begin < end && strchr(" \t\r\n", secret->data[begin]) != NULL && secret->data[begin]) {
        begin++;
    }
    if (begin == end || end - begin > IRSAFS_TOKEN_MAX) {
        return irsafs_error_set(err, IRSAFS_E_TOKEN_MALFORMED, "%s gave %s", where,
                                begin == end ? "an empty token" : "more than a token may be");
    }
    for (size_t i = begin; i < end; i++) {
        if (!is_token_char(secret->data[i])) {
            return irsafs_error_set(err, IRSAFS_E_TOKEN_MALFORMED,
                                    "%s gave something that is not one line with a bare token",
                                    where);
        }
    }
    memmove(secret->data, secret->data + begin, end - begin);
    explicit_bzero(secret->data + (end - begin), secret->len - (end - begin));
    secret->len = end - begin;
    return IRSAFS_OK;
}

static enum irsafs_code read_url(const struct irsafs_token_sources *sources,
                                 int64_t deadline_ms,
                                 struct irsafs_buf *secret,
                                 bool *ret_refused,
                                 struct irsafs_error *err)
{
    const struct irsafs_http_request request = {
        .url = sources->url,
        .ca_file = sources->settings->ca_file,
        .insecure = sources->settings->insecure_skip_tls_verify,
        .deadline_ms = deadline_ms,
    };
    struct irsafs_http_answer answer = {0};
    struct irsafs_error cause = {.message = ""};
    enum irsafs_code code = irsafs_http_send(&request, secret, &answer, ret_refused, &cause);
    if (code == IRSAFS_E_TOO_BIG) {
        return irsafs_error_set(err, IRSAFS_E_TOKEN_MALFORMED,
                                "the token URL gave more than a token may be");
    }
    if (code == IRSAFS_OK && answer.status == 200) {
        return check_token(secret, "the token URL", err);
    }
    if (code == IRSAFS_OK) {
        return irsafs_error_set(err, IRSAFS_E_TOKEN_URL, "the token URL answered with status %ld",
                                answer.status);
    }
    return irsafs_error_set(err, IRSAFS_E_TOKEN_URL, "token URL: %.160s", cause.message);
}

static enum irsafs_code
read_file(const char *path, const char *what, struct irsafs_buf *secret, struct irsafs_error *err)
{
    int errnum = irsafs_file_read(path, secret);
    if (errnum == EFBIG) {
        return irsafs_error_set(err, IRSAFS_E_TOKEN_MALFORMED,
                                "%s %.100s is larger than a token may be", what, path);
    }
    if (errnum != 0) {
        char reason[IRSAFS_FILE_REASON_SIZE];
        irsafs_file_reason(path, errnum, "irsafs-client", reason);
        return irsafs_error_set(err, IRSAFS_E_TOKEN_FILE, "%s %.100s: %s", what, path, reason);
    }
    return check_token(secret, what, err);
}

static enum irsafs_code read_api_key(const struct irsafs_token_sources *s,
                                     struct irsafs_buf *secret,
                                     struct irsafs_error *err)
{
    if (s->settings->api_key_file != NULL) {
        return read_file(s->settings->api_key_file, "API key file", secret, err);
    }
    if (!irsafs_buf_append(secret, s->api_key->data, s->api_key->len)) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the API key");
    }
    return check_token(secret, "DOMINO_USER_API_KEY", err);
}

static enum irsafs_code read_url_or_file(const struct irsafs_token_sources *sources,
                                         int64_t deadline_ms,
                                         struct irsafs_token *token,
                                         bool *ret_refused,
                                         struct irsafs_error *err)
{
    const char *file = sources->settings->token_file;
    int64_t url_deadline_ms = irsafs_clock_boot_ms() + URL_WAIT_MS;
    if (file == NULL || url_deadline_ms > deadline_ms) {
        url_deadline_ms = deadline_ms;
    }
    struct irsafs_error url_err = {.message = ""};
    token->kind = IRSAFS_TOKEN_URL;
    enum irsafs_code code =
        read_url(sources, url_deadline_ms, &token->secret, ret_refused, &url_err);
    if (code == IRSAFS_OK) {
        return code;
    }
    if (file == NULL) {
        return irsafs_error_set(err, code, "%s", url_err.message);
    }
    struct irsafs_error file_err = {.message = ""};
    irsafs_buf_reset(&token->secret);
    token->kind = IRSAFS_TOKEN_FILE;
    code = read_file(file, "token file", &token->secret, &file_err);
    if (code == IRSAFS_OK) {
        *ret_refused = false;
        return code;
    }
    return irsafs_error_set(err, code, "%.125s; %.64s", file_err.message, url_err.message);
}

enum irsafs_code irsafs_token_read(const struct irsafs_token_sources *sources,
                                   int64_t deadline_ms,
                                   struct irsafs_token *token,
                                   bool *ret_refused,
                                   struct irsafs_error *err)
{
    enum irsafs_code code;
    *ret_refused = false;
    irsafs_buf_deinit(&token->secret);
    token->secret = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX + BLANKS_MAX);
    if (sources->url[0] != '\0') {
        code = read_url_or_file(sources, deadline_ms, token, ret_refused, err);
    } else if (sources->settings->token_file != NULL) {
        token->kind = IRSAFS_TOKEN_FILE;
        code = read_file(sources->settings->token_file, "token file", &token->secret, err);
    } else {
        token->kind = IRSAFS_TOKEN_API_KEY;
        code = read_api_key(sources, &token->secret, err);
    }
    if (code != IRSAFS_OK) {
        irsafs_buf_reset(&token->secret);
        token->kind = IRSAFS_TOKEN_NONE;
    }
    return code;
}
