/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/options.h"
#include "client/doctor/checks.h"
#include "client/run.h"
#include "client/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    TOKEN_MS = 5500, /* a token URL has 5 s before the token file is taken */
    PROBE_MS = 4000,
    SPARE_MS = 500,  /* for the checks after the last one that waits */
    SKEW_S = 5 * 60, /* more breaks tokens and signatures (AWS allows 5 to 15 minutes) */
    DAYS_14_S = 14 * 24 * 3600,
};

/* ---- as whom */

/* To --worker-uid, as irsafs does for a fetch: the groups of the runtime stay, 0 excepted. */
static int become(uid_t uid)
{
    gid_t groups[1024];
    int n = getgroups((int)IRSAFS_COUNT(groups), groups);
    size_t kept = 0;
    for (int i = 0; i < n; i++) {
        if (groups[i] != 0) {
            groups[kept++] = groups[i];
        }
    }
    if (n < 0 || setgroups(kept, groups) != 0 || setresgid(uid, uid, uid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
        return errno;
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as before: the change of ids may have reset it */
    return 0;
}

void irsafs_doctor_rights(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    struct irsafs_sandbox_report walls;
    struct irsafs_error err = {.message = ""};
    enum irsafs_sandbox_mode mode;
    uid_t uid = (uid_t)d->request->worker_uid;
    bool root = geteuid() == 0;
    int errnum = root && uid != 0 ? become(uid) : 0;
    if (!irsafs_sandbox_mode_parse(d->client.sandbox, &mode)) { /* 'settings' has said so */
        mode = irsafs_sandbox_mode_default();
    }
    if (irsafs_client_confine(&d->client, mode, &walls, &err) != IRSAFS_OK) {
        irsafs_board_error(b, IRSAFS_LEVEL_FAIL, &err);
    } else if (errnum != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, "give the container SETUID, SETGID and KILL",
                          "what follows is checked as root, not as --worker-uid %u: %s", uid,
                          strerrordesc_np(errnum));
    } else if (root) {
        irsafs_board_ok(b, "what follows is checked as %u:%u (--worker-uid)", geteuid(), getegid());
    } else if (b->here && b->way != IRSAFS_WAY_MOUNT) {
        irsafs_board_ok(b, "what follows is checked as %u:%u, as irsafs does it", geteuid(),
                        getegid());
    } else {
        irsafs_board_ok(b, "what follows is checked as %u:%u, irsafs has its --worker-uid",
                        geteuid(), getegid());
    }
}

/* ---- what is sent */

void irsafs_doctor_labels(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    struct irsafs_run run;
    struct irsafs_error err = {.message = ""};
    const char *path = d->client.labels;
    if (irsafs_run_find(&d->client, &run, &err) != IRSAFS_OK) {
        irsafs_board_error(b, IRSAFS_LEVEL_FAIL, &err);
        return;
    }
    if (path != NULL && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
        char reason[IRSAFS_FILE_REASON_SIZE];
        irsafs_file_reason(path, errno, "irsafs-client", reason);
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, irsafs_code_remedy(IRSAFS_E_LABELS),
                          "run %.64s from %s, but no workload type: %.80s: %.80s", run.id, run.from,
                          path, reason);
        return;
    }
    irsafs_board_ok(b, "run %.64s from %s%s%.64s", run.id, run.from,
                    run.workload_type[0] != '\0' ? ", workload type " : "", run.workload_type);
}

static int64_t deadline_in(const struct irsafs_doctor *d, int64_t ms)
{
    int64_t deadline_ms = irsafs_clock_boot_ms() + ms;
    int64_t last_ms = d->deadline_ms - SPARE_MS;
    return deadline_ms < last_ms ? deadline_ms : last_ms;
}

static void judge_token(struct irsafs_doctor *d,
                        const struct irsafs_token_sources *sources,
                        const struct irsafs_token *token)
{
    static const char *const kinds[] = {
        [IRSAFS_TOKEN_NONE] = "nowhere",
        [IRSAFS_TOKEN_URL] = "the token URL",
        [IRSAFS_TOKEN_FILE] = "the token file",
        [IRSAFS_TOKEN_API_KEY] = "the API key",
    };
    const char *from = kinds[token->kind];
    char end[IRSAFS_RFC3339_SIZE] = "";
    int64_t now_unix_s = irsafs_clock_real().tv_sec;
    irsafs_jwt_hint_read(token->secret.data, now_unix_s, &d->token);
    irsafs_clock_rfc3339(d->token.expires_unix_s, end);
    if (d->token.expires_unix_s != 0 && d->token.expires_unix_s <= now_unix_s) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL, irsafs_code_remedy(IRSAFS_E_TOKEN_REFUSED),
                          "from %s: expired on %s (or this clock is ahead)", from, end);
    } else if (token->kind == IRSAFS_TOKEN_FILE && sources->url[0] != '\0') {
        irsafs_board_note(d->board, IRSAFS_LEVEL_WARN, irsafs_code_remedy(IRSAFS_E_TOKEN_URL),
                          "from the token file, because the token URL gives none");
    } else if (d->token.expires_unix_s != 0) {
        irsafs_board_ok(d->board, "from %s, valid until %s", from, end);
    } else {
        irsafs_board_ok(d->board, "from %s, does not say how long it is valid", from);
    }
}

void irsafs_doctor_token(struct irsafs_doctor *d)
{
    struct irsafs_error err = {.message = ""};
    struct irsafs_token_sources sources;
    struct irsafs_token token = {.kind = IRSAFS_TOKEN_NONE};
    bool refused = false;
    enum irsafs_code code = irsafs_http_start(&err);
    if (code == IRSAFS_OK) {
        code = irsafs_token_find_sources(&d->client, d->request->api_key, &sources, &err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_token_read(&sources, deadline_in(d, TOKEN_MS), &token, &refused, &err);
    }
    if (code == IRSAFS_OK) {
        judge_token(d, &sources, &token);
    } else {
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &err);
    }
    irsafs_buf_deinit(&token.secret);
}

/* ---- the way to the service */

void irsafs_doctor_endpoint(struct irsafs_doctor *d)
{
    struct irsafs_error err = {.message = ""};
    if (d->client.endpoint == NULL || !irsafs_url_parse(d->client.endpoint, &d->endpoint)) {
        (void)irsafs_error_set(&err, IRSAFS_E_NO_ENDPOINT, "no endpoint is set");
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &err);
        return;
    }
    (void)snprintf(d->host, sizeof(d->host), "%.*s", (int)d->endpoint.host.len,
                   d->endpoint.host.ptr);
    /* The grammar of URLs knows no user and no password. */
    int authority = (int)strcspn(d->endpoint.host.ptr, "/?");
    irsafs_board_ok(d->board, "%.*s%s",
                    (int)(d->endpoint.host.ptr - d->client.endpoint) + authority,
                    d->client.endpoint,
                    d->client.proxy != NULL ? ", through a proxy: next are the proxy's" : "");
}

static enum irsafs_code probe(struct irsafs_doctor *d, const char *url, struct irsafs_error *err)
{
    const struct irsafs_http_request request = {
        .url = url,
        .proxy = d->client.proxy,
        .ca_file = d->client.ca_file,
        .insecure = d->client.insecure_skip_tls_verify,
        .deadline_ms = deadline_in(d, PROBE_MS),
    };
    enum irsafs_code code = irsafs_http_start(err);
    return code == IRSAFS_OK ? irsafs_http_probe(&request, &d->peer, err) : code;
}

/* One connection without TLS, which the next check looks at as well. */
void irsafs_doctor_dns(struct irsafs_doctor *d)
{
    char url[512];
    struct irsafs_error timeout = {.message = ""};
    unsigned char address[16];
    const char *authority = strstr(d->client.endpoint, "://") + 3;
    const char *rest = d->endpoint.host.ptr + d->endpoint.host.len;
    rest += *rest == ']' ? 1 : 0;
    (void)snprintf(url, sizeof(url), "http://%.*s%s", (int)strcspn(authority, "/?"), authority,
                   d->endpoint.https && *rest != ':' ? ":443" : "");
    d->probed = probe(d, url, &d->probe_error);
    if (d->probed == IRSAFS_OK || d->peer.resolved) {
        bool literal =
            inet_pton(AF_INET, d->host, address) == 1 || inet_pton(AF_INET6, d->host, address) == 1;
        irsafs_board_ok(d->board, "%.180s %s", d->host,
                        literal ? "is an address" : "has an address");
    } else if (d->probed == IRSAFS_E_TIMEOUT) {
        (void)irsafs_error_set(&timeout, IRSAFS_E_DNS, "no name server says where %.100s is",
                               d->host);
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &timeout);
    } else {
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &d->probe_error);
    }
}

void irsafs_doctor_tcp(struct irsafs_doctor *d)
{
    struct irsafs_error timeout = {.message = ""};
    if (d->probed == IRSAFS_OK) {
        irsafs_board_ok(d->board, "connected to %s", d->peer.address);
    } else if (d->probed == IRSAFS_E_TIMEOUT) {
        (void)irsafs_error_set(&timeout, IRSAFS_E_CONNECT,
                               "connection to %.100s port %u: no answer", d->host,
                               d->endpoint.port);
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &timeout);
    } else {
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &d->probe_error);
    }
}

void irsafs_doctor_tls(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    const struct irsafs_certificate *cert = &d->peer.certificate;
    char end[IRSAFS_RFC3339_SIZE];
    struct irsafs_error err = {.message = ""};
    enum irsafs_code code = d->endpoint.https ? probe(d, d->client.endpoint, &err) : IRSAFS_OK;
    irsafs_clock_rfc3339(cert->expires_unix_s, end);
    end[10] = '\0'; /* the day */
    if (code != IRSAFS_OK) {
        irsafs_board_error(b, IRSAFS_LEVEL_FAIL, &err);
        if (cert->expires_unix_s != 0) {
            irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                              "compare with the host of the endpoint and --ca-file",
                              "certificate of %.40s, by %.40s, until %s, for: %.80s", cert->subject,
                              cert->issuer, end, cert->names);
        }
    } else if (!d->endpoint.https) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, "take the https URL of the service, if it has one",
                          "none (http): anybody on the way can read the token");
    } else if (d->client.insecure_skip_tls_verify) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          "give the service's CA with --ca-file in place of "
                          "--insecure-skip-tls-verify",
                          "not verified: anybody on the way can read the token (%.60s)",
                          cert->subject);
    } else if (cert->expires_unix_s != 0 &&
               cert->expires_unix_s - irsafs_clock_real().tv_sec < DAYS_14_S) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, "renew the service's certificate",
                          "verified, but the certificate of %.60s ends on %s", cert->subject, end);
    } else {
        irsafs_board_ok(b, "verified: %.60s, by %.60s, until %s", cert->subject, cert->issuer, end);
    }
}

/* ---- the answer */

/* Whether the text has this profile; the text is canonical. */
static bool has_profile(const struct irsafs_buf *text, const char *name)
{
    char header[IRSAFS_PROFILE_NAME_MAX + 16];
    if (strlen(name) > IRSAFS_PROFILE_NAME_MAX) {
        return false;
    }
    int n = strcmp(name, "default") == 0 ? snprintf(header, sizeof(header), "[default]\n")
                                         : snprintf(header, sizeof(header), "[profile %s]\n", name);
    return text->len > 0 && memmem(text->data, text->len, header, (size_t)n) != NULL;
}

static void judge_text(struct irsafs_doctor *d)
{
    const struct irsafs_rewritten *r = &d->fetch.rewritten;
    const char *profile = irsafs_env("AWS_PROFILE");
    d->board->profile_missing = profile != NULL && !has_profile(&d->fetch.text, profile);
    if (r->n_profiles == 0) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_WARN,
                          "ask the administrator to map a role to an organization that you are in",
                          "the mapping service maps no role to this user");
    } else if (r->dropped.total > 0) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_WARN,
                          "'irsafs-client > FILE' names what was refused",
                          "%zu profiles, %zu things refused", r->n_profiles, r->dropped.total);
    } else {
        irsafs_board_ok(d->board, "%zu profile(s)", r->n_profiles);
    }
}

void irsafs_doctor_mapping(struct irsafs_doctor *d)
{
    struct irsafs_client_settings settings = d->client;
    int64_t left_ms = d->deadline_ms - SPARE_MS - irsafs_clock_boot_ms();
    bool shortened = settings.fetch_timeout_ms > left_ms;
    if (shortened) {
        settings.fetch_timeout_ms = left_ms;
    }
    irsafs_fetch(&settings, d->request->api_key, &d->fetch);
    d->fetched_unix_s = irsafs_clock_real().tv_sec;
    enum irsafs_code code = d->fetch.error.code;
    if (code == IRSAFS_OK) {
        judge_text(d);
    } else {
        /* A fetch may take longer than we do; then it is slow, which need not be wrong. */
        irsafs_board_error(
            d->board, shortened && code == IRSAFS_E_TIMEOUT ? IRSAFS_LEVEL_WARN : IRSAFS_LEVEL_FAIL,
            &d->fetch.error);
    }
}

void irsafs_doctor_clock(struct irsafs_doctor *d)
{
    static const char remedy[] =
        "correct the clock of the node (NTP): tokens and signatures depend on it";
    int64_t date = d->fetch.hints.date_unix_s;
    int64_t issued = d->token.issued_unix_s > d->token.not_before_unix_s
                         ? d->token.issued_unix_s
                         : d->token.not_before_unix_s;
    int64_t ahead_s = date != 0 ? d->fetched_unix_s - date : 0;
    int64_t token_ahead_s = issued != 0 ? irsafs_clock_real().tv_sec - issued : 0;
    if (ahead_s > SKEW_S || ahead_s < -SKEW_S) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL, remedy, "%lld s %s the service's",
                          (long long)(ahead_s > 0 ? ahead_s : -ahead_s),
                          ahead_s > 0 ? "ahead of" : "behind");
    } else if (token_ahead_s < -SKEW_S) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL, remedy,
                          "%lld s behind the one that issued the token", (long long)-token_ahead_s);
    } else if (date != 0) {
        irsafs_board_ok(d->board, "agrees with the service's");
    } else if (issued != 0) {
        irsafs_board_ok(d->board, "the token was not issued in the future");
    } else {
        irsafs_board_note(d->board, IRSAFS_LEVEL_NOT_TRIED, "",
                          "neither service nor token says what time it is");
    }
}
