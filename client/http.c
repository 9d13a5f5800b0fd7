/* SPDX-License-Identifier: Apache-2.0 */
#include "client/http.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/url.h"
#include "client/http_head.h"
#include "version.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

static const char system_ca_file[] = "/etc/ssl/certs/ca-certificates.crt";

/* One transfer, as its callbacks see it. */
struct transfer {
    const struct irsafs_http_request *request;
    struct irsafs_url url;
    char host[256];
    CURL *curl;
    struct curl_slist *headers;
    struct irsafs_buf *body;
    char reason[CURL_ERROR_SIZE];
    char certificate[80]; /* why it was refused; "" when it was not */
    int64_t certificate_expires_unix_s;
    struct irsafs_http_head head;
    struct irsafs_http_peer *peer; /* NULL, or who wants to know */
    /* why a callback stopped the transfer */
    bool enough; /* the status says it all */
    enum irsafs_code refused;
    const char *refused_why;
};

static void transfer_deinit(struct transfer *t)
{
    for (struct curl_slist *h = t->headers; h != NULL; h = h->next) {
        explicit_bzero(h->data, strlen(h->data)); /* one of them is the credential */
    }
    curl_slist_free_all(t->headers);
    curl_easy_cleanup(t->curl);
}

static bool refuse(struct transfer *t, enum irsafs_code code, const char *why)
{
    t->refused = code;
    t->refused_why = why;
    return false;
}

static bool take_header(struct transfer *t, struct irsafs_str line)
{
    const char *why = NULL;
    switch (irsafs_http_head_take(&t->head, line, &why)) {
    case IRSAFS_HTTP_GO_ON:
        return true;
    case IRSAFS_HTTP_ENOUGH:
        t->enough = true;
        return false;
    case IRSAFS_HTTP_REFUSED:
        break;
    }
    return refuse(t, IRSAFS_E_BAD_HTTP, why);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type of the callback is libcurl's */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    (void)size; /* always 1 */
    return take_header(arg, (struct irsafs_str){data, n}) ? n : 0;
}

/* The ceiling is counted here: what libcurl offers for it does not stop a chunked body. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    (void)size;
    if (t->body->len + n > t->body->max) {
        (void)refuse(t, IRSAFS_E_TOO_BIG, "an answer over the size limit");
        return 0;
    }
    if (!irsafs_buf_append(t->body, data, n)) {
        (void)refuse(t, IRSAFS_E_MEMORY, "no memory for the answer");
        return 0;
    }
    return n;
}

/* Why a certificate is refused: in OpenSSL's words, but a validity that has ended or not begun with the
 * day, which tells the reader whether certificate or clock is wrong. */
static void note_refusal(struct transfer *t, X509_STORE_CTX *ctx)
{
    const X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    bool expired = error == X509_V_ERR_CERT_HAS_EXPIRED;
    bool early = error == X509_V_ERR_CERT_NOT_YET_VALID;
    struct tm day;
    if ((expired || early) && cert != NULL &&
        ASN1_TIME_to_tm(expired ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert), &day) ==
            1) {
        (void)snprintf(t->certificate, sizeof(t->certificate), "%scertificate %s %04d-%02d-%02d%s",
                       X509_STORE_CTX_get_error_depth(ctx) > 0 ? "CA " : "",
                       expired ? "expired" : "not valid before", day.tm_year + 1900, day.tm_mon + 1,
                       day.tm_mday, expired ? "" : " (local clock?)");
    } else {
        (void)snprintf(t->certificate, sizeof(t->certificate), "%s",
                       X509_verify_cert_error_string(error));
    }
}

static void note_expiry(struct transfer *t, X509_STORE_CTX *ctx)
{
    const X509 *own = X509_STORE_CTX_get0_cert(ctx);
    struct tm end;
    if (own != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(own), &end) == 1) {
        t->certificate_expires_unix_s = timegm(&end);
    }
}

/* OpenSSL comes here also when nothing is verified. */
static int on_verify(X509_STORE_CTX *ctx, void *arg)
{
    struct transfer *t = arg;
    note_expiry(t, ctx);
    int ok = t->request->insecure ? 1 : X509_verify_cert(ctx);
    if (ok != 1) {
        note_refusal(t, ctx);
    }
    const X509 *cert = X509_STORE_CTX_get0_cert(ctx);
    if (t->peer != NULL && cert != NULL) {
        irsafs_certificate_read(cert, &t->peer->certificate);
    }
    return ok;
}

/* libcurl itself would take the common name of a certificate without subject alternative names. With
 * the name set here OpenSSL decides during the handshake, before any byte of ours is sent. */
static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg)
{
    struct transfer *t = arg;
    (void)curl;
    SSL_CTX_set_cert_verify_callback(ssl_ctx, on_verify, t);
    if (t->request->insecure) {
        return CURLE_OK;
    }
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, t->host, address) == 1 || inet_pton(AF_INET6, t->host, address) == 1;
    int ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, t->host)
                        : X509_VERIFY_PARAM_set1_host(param, t->host, 0);
    return ok == 1 ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

/* For the calls that fail only on lack of memory or a libcurl that is not ours. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (curl_easy_setopt(t->curl, (option), (value)) != CURLE_OK) {                            \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool set_tls(struct transfer *t)
{
    const struct irsafs_http_request *r = t->request;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, r->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, r->insecure ? 0L : 2L);
    SET(CURLOPT_CAINFO, r->ca_file != NULL ? r->ca_file : system_ca_file);
    SET(CURLOPT_CAPATH, NULL); /* else the system's CAs count beside CAINFO */
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(CURLOPT_SSL_CTX_DATA, t);
    return true;
}

static bool set_limits(struct transfer *t, int64_t left_ms)
{
    SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)left_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs */
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_ERRORBUFFER, t->reason);
    return true;
}

static bool set_protocol(struct transfer *t)
{
    const struct irsafs_http_request *r = t->request;
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_USERAGENT, "irsafs-client/" IRSAFS_VERSION);
    SET(CURLOPT_PROXY, r->proxy != NULL ? r->proxy : ""); /* "": also none from the environment */
    SET(CURLOPT_NOPROXY, r->proxy != NULL ? "" : "*");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (r->json != NULL) {
        SET(CURLOPT_POSTFIELDS, r->json);
    }
    return true;
}

static bool add_header(struct transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more != NULL) {
        t->headers = more;
    }
    return more != NULL;
}

static bool set_headers(struct transfer *t)
{
    const struct irsafs_http_request *r = t->request;
    bool ok = add_header(t, "Expect:") && add_header(t, "Proxy-Connection:"); /* leave them out */
    if (r->json != NULL) {
        ok = ok && add_header(t, "Content-Type: application/json");
    }
    if (r->credential != NULL) {
        ok = ok && add_header(t, r->credential);
    }
    if (ok) {
        SET(CURLOPT_HTTPHEADER, t->headers);
    }
    return ok;
}

/* Why TLS failed, never in the peer's words. libcurl passes OpenSSL's on: "error:0A00010B:SSL
 * routines::wrong version number". */
static const char *tls_reason(const struct transfer *t)
{
    const char *words = strstr(t->reason, "error:");
    if (t->certificate[0] != '\0') {
        return t->certificate;
    }
    return words != NULL ? strrchr(words, ':') + 1 : "handshake failed";
}

static enum irsafs_code tls_failure(const struct transfer *t, struct irsafs_error *err)
{
    return irsafs_error_set(err, IRSAFS_E_TLS, "TLS with %.80s: %.90s", t->host, tls_reason(t));
}

static enum irsafs_code ca_failure(const struct transfer *t, struct irsafs_error *err)
{
    const char *file = t->request->ca_file;
    if (file != NULL && access(file, F_OK | R_OK) != 0 && errno == EACCES) {
        char reason[IRSAFS_FILE_REASON_SIZE];
        irsafs_file_reason(file, EACCES, "irsafs-client", reason);
        return irsafs_error_set(err, IRSAFS_E_CA_FILE, "CA file %.100s: %s", file, reason);
    }
    if (file != NULL) {
        return irsafs_error_set(err, IRSAFS_E_CA_FILE,
                                "CA file %.100s is missing or holds no certificate", file);
    }
    return irsafs_error_set(err, IRSAFS_E_TLS, "no CA bundle at %s", system_ca_file);
}

static enum irsafs_code
connect_failure(const struct transfer *t, bool *refused, struct irsafs_error *err)
{
    long errnum = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &errnum);
    *refused = errnum == ECONNREFUSED;
    const char *reason = errnum > 0 ? strerrordesc_np((int)errnum) : "no way there";
    if (t->request->proxy != NULL) {
        return irsafs_error_set(err, IRSAFS_E_CONNECT, "connection to the proxy: %s", reason);
    }
    return irsafs_error_set(err, IRSAFS_E_CONNECT, "connection to %.100s port %u: %s", t->host,
                            t->url.port, reason);
}

/* libcurl's code in our words. The groups follow what a user can do about them; codes of protocols
 * that we do not speak end in the last line. */
static enum irsafs_code
translate(const struct transfer *t, CURLcode result, bool *refused, struct irsafs_error *err)
{
    const char *host = t->host;
    if (t->refused != IRSAFS_OK) {
        return irsafs_error_set(err, t->refused, "%.100s sent %s", host, t->refused_why);
    }
    switch ((int)result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return irsafs_error_set(err, IRSAFS_E_DNS, "no address for %.100s", host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return irsafs_error_set(err, IRSAFS_E_DNS, "no address for the proxy");
    case CURLE_COULDNT_CONNECT:
        return connect_failure(t, refused, err);
    case CURLE_OPERATION_TIMEDOUT:
        return irsafs_error_set(err, IRSAFS_E_TIMEOUT, "no complete answer from %.100s in time",
                                host);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return tls_failure(t, err);
    case CURLE_SSL_CACERT_BADFILE:
        return ca_failure(t, err);
    case CURLE_PARTIAL_FILE:
        return irsafs_error_set(err, IRSAFS_E_CUT, "%.100s closed before the end of the answer",
                                host);
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: our own URLs are http or https */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return irsafs_error_set(err, IRSAFS_E_BAD_HTTP, "%.100s does not speak HTTP/1", host);
    case CURLE_OUT_OF_MEMORY:
        /* also libcurl's word for a header line of more than 100 kB */
        return t->head.n_lines > 0
                   ? irsafs_error_set(err, IRSAFS_E_BAD_HTTP, "%.100s sent a huge header", host)
                   : irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for a request");
    default:
        return irsafs_error_set(err, IRSAFS_E_BROKEN, "connection to %.80s broke: %.60s", host,
                                curl_easy_strerror(result));
    }
}

static bool prepare(struct transfer *t, int64_t left_ms)
{
    t->curl = curl_easy_init();
    return t->curl != NULL && set_protocol(t) && set_tls(t) && set_limits(t, left_ms) &&
           set_headers(t);
}

/* Seconds or a date, which libcurl parses: 0 for nonsense, less for what has passed. Saturates. -1: the
 * service did not ask. */
static int64_t retry_after_ms(const struct transfer *t)
{
    curl_off_t seconds = 0;
    struct curl_header *header;
    if (curl_easy_header(t->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK) {
        return -1;
    }
    if (seconds < 0) {
        return 0;
    }
    return seconds > INT64_MAX / 1000 ? INT64_MAX : (int64_t)seconds * 1000;
}

static int64_t date_unix_s(const struct transfer *t)
{
    struct curl_header *header;
    if (curl_easy_header(t->curl, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return 0;
    }
    time_t date = curl_getdate(header->value, NULL);
    return date > 0 ? date : 0;
}

/* OpenSSL 3.0 crashes later when its default context could not be made, and curl does not look. */
enum irsafs_code irsafs_http_start(struct irsafs_error *err)
{
    if (OSSL_LIB_CTX_get0_global_default() == NULL ||
        curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for TLS");
    }
    return IRSAFS_OK;
}

static enum irsafs_code begin(struct transfer *t, struct irsafs_error *err)
{
    if (!irsafs_url_parse(t->request->url, &t->url)) {
        return irsafs_error_set(err, IRSAFS_E_BAD_VALUE, "not a plain http or https URL");
    }
    memcpy(t->host, t->url.host.ptr, t->url.host.len);
    int64_t left_ms = t->request->deadline_ms - irsafs_clock_boot_ms();
    if (left_ms <= 0) {
        return irsafs_error_set(err, IRSAFS_E_TIMEOUT, "no time left to ask %.100s", t->host);
    }
    return prepare(t, left_ms) ? IRSAFS_OK
                               : irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for a request");
}

enum irsafs_code irsafs_http_send(const struct irsafs_http_request *request,
                                  struct irsafs_buf *body,
                                  struct irsafs_http_answer *ret_answer,
                                  bool *ret_refused,
                                  struct irsafs_error *err)
{
    IRSAFS_CLEANUP(transfer_deinit)
    struct transfer t = {
        .request = request, .body = body, .head = {.any_status = request->any_status}};
    *ret_refused = false;
    *ret_answer = (struct irsafs_http_answer){.retry_after_ms = -1};
    enum irsafs_code code = begin(&t, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    CURLcode result = curl_easy_perform(t.curl);
    ret_answer->certificate_expires_unix_s = t.certificate_expires_unix_s;
    if (result != CURLE_OK && !t.enough) {
        return translate(&t, result, ret_refused, err);
    }
    ret_answer->status = t.head.status;
    ret_answer->retry_after_ms = retry_after_ms(&t);
    ret_answer->date_unix_s = date_unix_s(&t);
    return IRSAFS_OK;
}

enum irsafs_code irsafs_http_probe(const struct irsafs_http_request *request,
                                   struct irsafs_http_peer *ret_peer,
                                   struct irsafs_error *err)
{
    IRSAFS_CLEANUP(transfer_deinit) struct transfer t = {.request = request, .peer = ret_peer};
    *ret_peer = (struct irsafs_http_peer){.resolved = false};
    enum irsafs_code code = begin(&t, err);
    if (code != IRSAFS_OK) {
        return code;
    }
    if (curl_easy_setopt(t.curl, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for a request");
    }
    CURLcode result = curl_easy_perform(t.curl);
    curl_off_t resolved = 0;
    char *address = NULL;
    (void)curl_easy_getinfo(t.curl, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    (void)curl_easy_getinfo(t.curl, CURLINFO_PRIMARY_IP, &address);
    ret_peer->resolved = resolved > 0;
    if (address != NULL && result == CURLE_OK) {
        (void)snprintf(ret_peer->address, sizeof(ret_peer->address), "%s", address);
    }
    bool refused = false;
    return result == CURLE_OK ? IRSAFS_OK : translate(&t, result, &refused, err);
}

void irsafs_http_print_versions(FILE *out)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    (void)fprintf(out, "libcurl %s\n", info->version);
    const char *slash = strchr(info->ssl_version, '/');
    (void)fprintf(out, "OpenSSL %s\n", slash != NULL ? slash + 1 : info->ssl_version);
}
