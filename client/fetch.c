/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fetch.h"

#include "base/clock.h"
#include "base/limits.h"
#include "client/echo.h"
#include "client/http.h"
#include "client/jwt_hint.h"

/* The fetch in progress. */
struct job {
    const struct irsafs_client_settings *settings;
    struct irsafs_token_sources sources;
    struct irsafs_token token;
    int64_t deadline_ms;
    struct irsafs_fetch *fetch;
};

void irsafs_fetch_init(struct irsafs_fetch *fetch)
{
    *fetch = (struct irsafs_fetch){
        .text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX),
        .hints = {.retry_after_ms = -1},
    };
}

void irsafs_fetch_deinit(struct irsafs_fetch *fetch)
{
    irsafs_buf_deinit(&fetch->text);
}

static void job_deinit(struct job *job)
{
    irsafs_buf_deinit(&job->token.secret);
}

/* Whose token this is: the subject of a JWT, or the API key. An opaque token changes with every
 * rotation and so says nothing about the user: then the run alone counts. */
static enum irsafs_code note_token(struct job *job, const struct irsafs_jwt_hint *hint)
{
    struct irsafs_fetch *f = job->fetch;
    struct irsafs_str user = {hint->sub, strlen(hint->sub)};
    if (job->token.kind == IRSAFS_TOKEN_API_KEY) {
        user = (struct irsafs_str){job->token.secret.data, job->token.secret.len};
    }
    f->token_kind = job->token.kind;
    f->token_expires_unix_s = hint->expires_unix_s;
    if (!irsafs_identity(user, (struct irsafs_str){f->run.id, strlen(f->run.id)}, f->identity)) {
        return irsafs_error_set(&f->error, IRSAFS_E_MEMORY, "OpenSSL gives no SHA-256");
    }
    return IRSAFS_OK;
}

static enum irsafs_code read_token(struct job *job)
{
    struct irsafs_fetch *f = job->fetch;
    struct irsafs_jwt_hint hint = {.sub = ""};
    int64_t now_unix_s = irsafs_clock_real().tv_sec;
    enum irsafs_code code = IRSAFS_OK;
    for (int attempt = 0; attempt < 2 && code == IRSAFS_OK; attempt++) {
        code = irsafs_token_read(&job->sources, job->deadline_ms, &job->token,
                                 &f->hints.connect_refused, &f->error);
        if (code == IRSAFS_OK) {
            irsafs_jwt_hint_read(job->token.secret.data, now_unix_s, &hint);
        }
        if (hint.expires_unix_s == 0 || hint.expires_unix_s > now_unix_s) {
            break; /* else it says that it has expired: a newer one may be there by now */
        }
    }
    return code == IRSAFS_OK ? note_token(job, &hint) : code;
}

static enum irsafs_code post(struct job *job, struct irsafs_buf *body)
{
    struct irsafs_fetch *f = job->fetch;
    const struct irsafs_mapping_request request = {
        .settings = job->settings,
        .run = &f->run,
        .token = &job->token,
        .deadline_ms = job->deadline_ms,
    };
    for (int attempt = 0;; attempt++) {
        enum irsafs_code code = read_token(job);
        if (code == IRSAFS_OK) {
            code = irsafs_mapping_post(&request, body, &f->hints, &f->error);
        }
        if (code == IRSAFS_OK || !f->hints.again || attempt > 0) {
            return code;
        }
    }
}

static enum irsafs_code prepare(struct job *job, const struct irsafs_buf *api_key)
{
    const struct irsafs_client_settings *s = job->settings;
    struct irsafs_fetch *f = job->fetch;
    f->insecure = s->insecure_skip_tls_verify;
    if (s->endpoint == NULL) {
        return irsafs_error_set(&f->error, IRSAFS_E_NO_ENDPOINT, "no endpoint is set");
    }
    if (!irsafs_url_parse(s->endpoint, &f->endpoint)) {
        return irsafs_error_set(&f->error, IRSAFS_E_BAD_VALUE, "endpoint is not a plain URL");
    }
    enum irsafs_code code = irsafs_run_find(s, &f->run, &f->error);
    return code != IRSAFS_OK ? code
                             : irsafs_token_find_sources(s, api_key, &job->sources, &f->error);
}

static enum irsafs_code validate(struct job *job, const struct irsafs_buf *body)
{
    struct irsafs_fetch *f = job->fetch;
    struct irsafs_str text = {body->data, body->len};
    if (irsafs_echoes((struct irsafs_str){job->token.secret.data, job->token.secret.len}, text)) {
        return irsafs_error_set(&f->error, IRSAFS_E_NOT_CONFIG, "the answer repeats the token");
    }
    enum irsafs_code code = irsafs_config_rewrite(text, job->settings->web_identity_token_file,
                                                  &f->text, &f->rewritten, &f->error);
    /* A Content-Length that is too small cuts a text without anybody noticing, and half a role name
     * is a role name. */
    if (code == IRSAFS_OK && body->len > 0 && body->data[body->len - 1] != '\n') {
        return irsafs_error_set(&f->error, IRSAFS_E_CUT, "the answer ends in the middle of a line");
    }
    return code;
}

void irsafs_fetch(const struct irsafs_client_settings *settings,
                  const struct irsafs_buf *api_key,
                  struct irsafs_fetch *fetch)
{
    IRSAFS_CLEANUP(job_deinit) struct job job = {.settings = settings, .fetch = fetch};
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf body = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    job.deadline_ms = irsafs_clock_boot_ms() + settings->fetch_timeout_ms;
    enum irsafs_code code = prepare(&job, api_key);
    if (code == IRSAFS_OK) {
        code = irsafs_http_start(&fetch->error);
    }
    if (code == IRSAFS_OK) {
        code = post(&job, &body);
    }
    if (code == IRSAFS_OK) {
        code = validate(&job, &body);
    }
    fetch->error.code = code;
}
