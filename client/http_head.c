/* SPDX-License-Identifier: Apache-2.0 */
#include "client/http_head.h"

#include "base/ascii.h"
#include "base/limits.h"

#include <strings.h>

enum { LINES_MAX = 128 };

/* Whether line is the header NAME; then *ret_value is its value. */
static bool is_header(struct irsafs_str line, const char *name, struct irsafs_str *ret_value)
{
    size_t n = strlen(name);
    if (line.len <= n || strncasecmp(line.ptr, name, n) != 0 || line.ptr[n] != ':') {
        return false;
    }
    *ret_value = irsafs_str_trim((struct irsafs_str){line.ptr + n + 1, line.len - n - 1});
    return true;
}

static bool is_word(struct irsafs_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.ptr, word, value.len) == 0;
}

static void note(struct irsafs_http_head *head, struct irsafs_str line)
{
    struct irsafs_str value;
    if (is_header(line, "Content-Length", &value)) {
        head->n_lengths++;
    } else if (is_header(line, "Transfer-Encoding", &value)) {
        bool chunked = is_word(value, "chunked");
        head->n_chunked += chunked ? 1 : 0;
        head->n_other_codings += chunked ? 0 : 1;
    } else if (is_header(line, "Content-Encoding", &value)) {
        head->encoded = head->encoded || !is_word(value, "identity");
    }
}

/* "HTTP/1.1 200 OK" -> 200; 0 when there is no number. */
static long parse_status(struct irsafs_str line)
{
    const char *blank = memchr(line.ptr, ' ', line.len);
    long status = 0;
    for (size_t i = 1; blank != NULL && i <= 3 && blank + i < line.ptr + line.len; i++) {
        status = irsafs_is_digit(blank[i]) ? status * 10 + (blank[i] - '0') : 0;
    }
    return status;
}

static enum irsafs_http_verdict refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return IRSAFS_HTTP_REFUSED;
}

/* A body whose end nobody announces looks whole when it is cut, and one with two ends has none. */
static enum irsafs_http_verdict end_of_head(struct irsafs_http_head *head, const char **ret_why)
{
    if (head->status >= 100 && head->status < 200 && head->status != 101) {
        *head = (struct irsafs_http_head){
            .n_lines = head->n_lines, .n_bytes = head->n_bytes, .any_status = head->any_status};
        return IRSAFS_HTTP_GO_ON; /* an interim answer: the real one follows */
    }
    head->done = true;
    if (head->status != 200 && !head->any_status) {
        return IRSAFS_HTTP_ENOUGH;
    }
    if (head->encoded) {
        return refuse(ret_why, "a compressed body, which nobody asked for");
    }
    if (head->n_other_codings > 0 || head->n_lengths + head->n_chunked > 1) {
        return refuse(ret_why, "contradictory framing");
    }
    if (head->n_lengths + head->n_chunked == 0) {
        return refuse(ret_why, "neither Content-Length nor chunked encoding");
    }
    return IRSAFS_HTTP_GO_ON;
}

enum irsafs_http_verdict
irsafs_http_head_take(struct irsafs_http_head *head, struct irsafs_str line, const char **ret_why)
{
    head->n_lines++;
    head->n_bytes += line.len;
    if (head->n_bytes > IRSAFS_RESPONSE_HEADERS_MAX || head->n_lines > LINES_MAX) {
        return refuse(ret_why, "too many or too large headers");
    }
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) {
        line.len--;
    }
    if (head->done) {
        return IRSAFS_HTTP_GO_ON;
    }
    if (line.len == 0) {
        return end_of_head(head, ret_why);
    }
    if (head->status == 0 && irsafs_str_starts(line, "HTTP/")) {
        head->status = parse_status(line);
    } else {
        note(head, line);
    }
    return IRSAFS_HTTP_GO_ON;
}
