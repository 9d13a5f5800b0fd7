/* SPDX-License-Identifier: Apache-2.0 */
#include "client/mapping.h"

#include "base/limits.h"
#include "client/http.h"

#include <stdio.h>

/* The two fields have been checked: they hold nothing that JSON would escape. */
static void make_json(const struct irsafs_run *run, char ret_json[256])
{
    if (run->workload_type[0] != '\0') {
        (void)snprintf(ret_json, 256, "{\"run_id\":\"%s\",\"irsa_workload_type\":\"%s\"}", run->id,
                       run->workload_type);
    } else {
        (void)snprintf(ret_json, 256, "{\"run_id\":\"%s\"}", run->id);
    }
}

static bool make_credential(const struct irsafs_token *token, struct irsafs_buf *line)
{
    const char *name =
        token->kind == IRSAFS_TOKEN_API_KEY ? "X-Domino-Api-Key: " : "Authorization: Bearer ";
    return irsafs_buf_puts(line, name) &&
           irsafs_buf_append(line, token->secret.data, token->secret.len);
}

/* The status in words; a body that is not a config never gets into a message. */
static enum irsafs_code judge(long status, struct irsafs_error *err)
{
    static const struct {
        long first, last;
        enum irsafs_code code;
        const char *what;
    } rows[] = {
        {401, 401, IRSAFS_E_TOKEN_REFUSED, "does not accept the token"},
        {403, 403, IRSAFS_E_DENIED, "denies this user"},
        {404, 404, IRSAFS_E_NO_RUN, "knows no such run of this user"},
        {429, 429, IRSAFS_E_BUSY, "has too many requests"},
        {300, 399, IRSAFS_E_REDIRECT, "wants us to go elsewhere"},
        {400, 499, IRSAFS_E_REFUSED, "refuses the request"},
        {500, 599, IRSAFS_E_SERVICE, "failed"},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        if (status >= rows[i].first && status <= rows[i].last) {
            return irsafs_error_set(err, rows[i].code, "the mapping service %s (status %ld)",
                                    rows[i].what, status);
        }
    }
    return irsafs_error_set(err, IRSAFS_E_BAD_HTTP, "the mapping service answered with status %ld",
                            status);
}

enum irsafs_code irsafs_mapping_post(const struct irsafs_mapping_request *request,
                                     struct irsafs_buf *body,
                                     struct irsafs_mapping_hints *hints,
                                     struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit)
    struct irsafs_buf credential = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX + 64);
    const struct irsafs_client_settings *settings = request->settings;
    char json[256];
    *hints = (struct irsafs_mapping_hints){.retry_after_ms = -1};
    make_json(request->run, json);
    if (!make_credential(request->token, &credential)) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the token");
    }
    const struct irsafs_http_request http = {
        .url = settings->endpoint,
        .json = json,
        .credential = credential.data,
        .proxy = settings->proxy,
        .ca_file = settings->ca_file,
        .insecure = settings->insecure_skip_tls_verify,
        .deadline_ms = request->deadline_ms,
    };
    struct irsafs_http_answer answer;
    enum irsafs_code code = irsafs_http_send(&http, body, &answer, &hints->connect_refused, err);
    hints->certificate_expires_unix_s = answer.certificate_expires_unix_s;
    hints->date_unix_s = answer.date_unix_s;
    if (code != IRSAFS_OK || answer.status == 200) {
        return code;
    }
    hints->retry_after_ms = answer.retry_after_ms;
    hints->again = answer.status == 401 || answer.status == 403;
    return judge(answer.status, err);
}
