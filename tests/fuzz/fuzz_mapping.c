/* SPDX-License-Identifier: Apache-2.0 */
/* The input is an answer of the mapping service, head and body, as a whole fetch meets it: libcurl's
 * transfer is replaced, everything around it is ours. A text comes out exactly when the answer is a
 * 200 with one announced end and a config that ends with a line; any other status has the code of its
 * class; and the daemon reads from the report what the client wrote into it. */
#define CURL_DISABLE_TYPECHECK
#include "base/ascii.h"
#include "base/awsconfig/canon.h"
#include "base/limits.h"
#include "client/fetch.h"
#include "client/report.h"
#include "fs/worker/answer.h"
#include "tests/fuzz/fuzz.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

enum { TOKEN_FILE, TEXT_FILE, REPORT_FILE };

/* ---- the transfer (the linker's --wrap leads here) */

CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __real_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_perform(CURL *curl);

static struct wire {
    struct irsafs_str answer;
    unsigned n_requests;
    curl_write_callback on_header, on_body;
    void *header_data, *body_data;
} wire;

CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    va_list args;
    CURLcode result = CURLE_OK;
    va_start(args, option);
    if (option == CURLOPT_HEADERFUNCTION) {
        wire.on_header = va_arg(args, curl_write_callback);
    } else if (option == CURLOPT_WRITEFUNCTION) {
        wire.on_body = va_arg(args, curl_write_callback);
    } else if (option == CURLOPT_HEADERDATA) {
        wire.header_data = va_arg(args, void *);
    } else if (option == CURLOPT_WRITEDATA) {
        wire.body_data = va_arg(args, void *);
    } else if ((int)option < CURLOPTTYPE_OBJECTPOINT) {
        result = __real_curl_easy_setopt(curl, option, va_arg(args, long));
    } else if ((int)option < CURLOPTTYPE_FUNCTIONPOINT) {
        result = __real_curl_easy_setopt(curl, option, va_arg(args, void *));
    } else {
        result = __real_curl_easy_setopt(curl, option, va_arg(args, curl_write_callback));
    }
    va_end(args);
    return result;
}

static bool give(curl_write_callback callback, struct irsafs_str bytes, void *data)
{
    char *copy = fuzz_copy(bytes);
    bool taken = callback(copy, 1, bytes.len, data) == bytes.len;
    free(copy);
    return taken;
}

static bool next_line(struct irsafs_str *text, struct irsafs_str *ret_line)
{
    const char *lf = text->len > 0 ? memchr(text->ptr, '\n', text->len) : NULL;
    if (lf == NULL) {
        return false;
    }
    *ret_line = (struct irsafs_str){text->ptr, (size_t)(lf + 1 - text->ptr)};
    text->ptr += ret_line->len;
    text->len -= ret_line->len;
    return true;
}

static struct irsafs_str without_end(struct irsafs_str line)
{
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) {
        line.len--;
    }
    return line;
}

static bool is_interim(long status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* What the head says, read once more and apart from client/http_head.c. */
struct head {
    long status; /* -1: a status line that libcurl would not pass on */
    unsigned n_ends, n_bad;
    size_t n_lines, n_bytes;
    bool whole;
    struct irsafs_str body;
};

static void note(struct head *head, struct irsafs_str line)
{
    char text[128];
    size_t len = line.len < sizeof(text) - 1 ? line.len : sizeof(text) - 1;
    memcpy(text, line.ptr, len);
    text[len] = '\0';
    if (strncasecmp(text, "Content-Length:", 15) == 0) {
        head->n_ends++;
    }
    struct irsafs_str value = {NULL, 0};
    if (strncasecmp(text, "Transfer-Encoding:", 18) == 0) {
        value = irsafs_str_trim((struct irsafs_str){line.ptr + 18, line.len - 18});
        bool chunked = value.len == 7 && strncasecmp(value.ptr, "chunked", 7) == 0;
        head->n_ends += chunked ? 1 : 0;
        head->n_bad += chunked ? 0 : 1;
    }
    if (strncasecmp(text, "Content-Encoding:", 17) == 0) {
        value = irsafs_str_trim((struct irsafs_str){line.ptr + 17, line.len - 17});
        head->n_bad += value.len == 8 && strncasecmp(value.ptr, "identity", 8) == 0 ? 0 : 1;
    }
}

/* "HTTP/1.1 200 ...": exactly three digits after the first blank. */
static long status_of(struct irsafs_str line)
{
    const char *blank = memchr(line.ptr, ' ', line.len);
    size_t after = blank != NULL ? line.len - (size_t)(blank + 1 - line.ptr) : 0;
    if (after < 3 || (after > 3 && blank[4] != ' ') || blank[1] < '1' || blank[1] > '9' ||
        !irsafs_is_digit(blank[2]) || !irsafs_is_digit(blank[3])) {
        return -1;
    }
    return (blank[1] - '0') * 100 + (blank[2] - '0') * 10 + (blank[3] - '0');
}

static struct head read_head(struct irsafs_str text)
{
    struct head head = {.status = 0};
    struct irsafs_str raw;
    while (next_line(&text, &raw)) {
        struct irsafs_str line = without_end(raw);
        head.n_lines++;
        head.n_bytes += raw.len;
        if (line.len > 0 && head.status == 0 && irsafs_str_starts(line, "HTTP/")) {
            head.status = status_of(line);
        } else if (line.len > 0) {
            note(&head, line);
        } else if (is_interim(head.status)) {
            head = (struct head){.n_lines = head.n_lines, .n_bytes = head.n_bytes};
        } else {
            head.whole = true;
            break;
        }
    }
    head.body = text;
    return head;
}

CURLcode __wrap_curl_easy_perform(CURL *curl)
{
    (void)curl;
    struct irsafs_str rest = wire.answer;
    struct head head = read_head(rest);
    struct irsafs_str line;
    wire.n_requests++;
    for (size_t i = 0; i < head.n_lines && next_line(&rest, &line); i++) {
        if (!give(wire.on_header, line, wire.header_data)) {
            return CURLE_WRITE_ERROR;
        }
    }
    if (!head.whole) {
        return CURLE_RECV_ERROR;
    }
    while (rest.len > 0) { /* in pieces whose ends fall anywhere */
        struct irsafs_str piece = {rest.ptr, rest.len < 97 ? rest.len : 97};
        if (!give(wire.on_body, piece, wire.body_data)) {
            return CURLE_WRITE_ERROR;
        }
        rest.ptr += piece.len;
        rest.len -= piece.len;
    }
    return CURLE_OK;
}

/* ---- the properties */

static enum irsafs_code code_of(long status)
{
    switch (status) {
    case 401:
        return IRSAFS_E_TOKEN_REFUSED;
    case 403:
        return IRSAFS_E_DENIED;
    case 404:
        return IRSAFS_E_NO_RUN;
    case 429:
        return IRSAFS_E_BUSY;
    default:
        return status >= 600   ? IRSAFS_E_BAD_HTTP
               : status >= 500 ? IRSAFS_E_SERVICE
               : status >= 400 ? IRSAFS_E_REFUSED
               : status >= 300 ? IRSAFS_E_REDIRECT
                               : IRSAFS_E_BAD_HTTP;
    }
}

static void assert_text(const struct irsafs_fetch *f, const struct head *head)
{
    size_t offset = 0;
    struct irsafs_str body = head->body;
    FUZZ_ASSERT(head->whole && head->status == 200 && head->n_ends == 1 && head->n_bad == 0);
    FUZZ_ASSERT(body.len == 0 || body.ptr[body.len - 1] == '\n');
    FUZZ_ASSERT(f->text.len > 0);
    FUZZ_ASSERT(irsafs_canon_check(f->text.data, f->text.len, IRSAFS_DEFAULT_TOKEN_PATH, &offset) ==
                NULL);
}

static void assert_refusal(const struct irsafs_fetch *f, const struct head *head)
{
    enum irsafs_code code = f->error.code;
    struct irsafs_str body = head->body;
    bool small = head->n_lines <= 128 && head->n_bytes <= IRSAFS_RESPONSE_HEADERS_MAX;
    FUZZ_ASSERT(fuzz_is_clean(f->error.message, sizeof(f->error.message)));
    if (!small) {
        FUZZ_ASSERT(code == IRSAFS_E_BAD_HTTP);
    } else if (!head->whole) {
        FUZZ_ASSERT(code == IRSAFS_E_BROKEN);
    } else if (head->status != 200) {
        FUZZ_ASSERT(code == code_of(head->status));
        FUZZ_ASSERT(wire.n_requests == (head->status == 401 || head->status == 403 ? 2 : 1));
    } else if (head->n_ends != 1 || head->n_bad > 0) {
        FUZZ_ASSERT(code == IRSAFS_E_BAD_HTTP);
    } else {
        FUZZ_ASSERT(code == IRSAFS_E_NOT_CONFIG || code == IRSAFS_E_NOTHING_VALID ||
                    code == IRSAFS_E_TOO_BIG || code == IRSAFS_E_CUT);
        FUZZ_ASSERT(code != IRSAFS_E_CUT || body.ptr[body.len - 1] != '\n');
    }
}

/* Both sides of base/report.h. */
static void assert_understood(struct irsafs_fetch *f)
{
    static char report[IRSAFS_REPORT_MAX];
    const struct irsafs_answer_settings settings = {
        .client = "/c", .token_path = IRSAFS_DEFAULT_TOKEN_PATH, .fetch_timeout_ms = 1000};
    struct irsafs_client_facts facts = {.run_id = ""};
    struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_landing landing;
    bool good = f->error.code == IRSAFS_OK;
    size_t len = good ? f->text.len : 0;
    (void)fuzz_file(TEXT_FILE, (struct irsafs_str){f->text.data, len});
    size_t report_len = irsafs_report_render(f, report);
    FUZZ_ASSERT(report_len >= 1 && report_len <= sizeof(report));
    (void)fuzz_file(REPORT_FILE, (struct irsafs_str){report, report_len});
    irsafs_answer_read(&settings, irsafs_code_exit_status(f->error.code) << 8, false,
                       fuzz_file_fd(TEXT_FILE), fuzz_file_fd(REPORT_FILE), &text, &landing, &facts);
    FUZZ_ASSERT(landing.error.code == f->error.code);
    FUZZ_ASSERT(good || strcmp(landing.error.message, f->error.message) == 0);
    FUZZ_ASSERT(good == (landing.text != NULL));
    FUZZ_ASSERT(!good || (landing.text_len == len && memcmp(landing.text, f->text.data, len) == 0 &&
                          landing.profiles == f->rewritten.n_profiles));
    FUZZ_ASSERT(strcmp(landing.identity, f->identity) == 0);
    FUZZ_ASSERT(strcmp(facts.run_id, f->run.id) == 0);
    json_t *dropped = json_loads(facts.dropped, 0, NULL);
    FUZZ_ASSERT((size_t)json_integer_value(json_object_get(dropped, "total")) ==
                f->rewritten.dropped.total);
    json_decref(dropped);
    irsafs_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct irsafs_fetch fetch;
    static const char token[] = "opaque-token";
    const struct irsafs_client_settings settings = {
        .endpoint = "https://mapping.example/map_iam_roles_to_pod_sa",
        .token_file = fuzz_file(TOKEN_FILE, (struct irsafs_str){token, sizeof(token) - 1}),
        .run_id = "5f0c1d2e",
        .web_identity_token_file = IRSAFS_DEFAULT_TOKEN_PATH,
        .fetch_timeout_ms = 60000,
    };
    const struct irsafs_buf no_key = {0};
    wire = (struct wire){.answer = {(const char *)data, size}};
    struct head head = read_head(wire.answer);
    if (head.status < 100) {
        return -1; /* libcurl does not pass that on */
    }
    irsafs_fetch_init(&fetch);
    irsafs_fetch(&settings, &no_key, &fetch);
    if (fetch.error.code == IRSAFS_OK) {
        assert_text(&fetch, &head);
    } else {
        assert_refusal(&fetch, &head);
    }
    assert_understood(&fetch);
    irsafs_fetch_deinit(&fetch);
    return 0;
}
