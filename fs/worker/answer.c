/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/answer.h"

#include "base/ascii.h"
#include "base/awsconfig/canon.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/report.h"
#include "fs/shared/handed.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DROPPED_WORD_MAX = 200 };

/* Copies a string of the report, cleaned and cut; "" when it is none. */
static void copy_word(const json_t *value, char *ret_word, size_t size)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t len = strnlen(text, size - 1);
    memcpy(ret_word, text, len);
    ret_word[len] = '\0';
    irsafs_ascii_clean(ret_word, len);
}

static int set_word(json_t *object, const char *key, const json_t *value)
{
    char word[DROPPED_WORD_MAX];
    copy_word(value, word, sizeof(word));
    return json_object_set_new(object, key,
                               json_is_string(value) ? json_string(word) : json_null());
}

/* 0 for what is no time of ours. */
static int64_t read_time(const json_t *value)
{
    int64_t unix_s = 0;
    bool known =
        json_is_string(value) && irsafs_clock_parse_rfc3339(json_string_value(value), &unix_s);
    return known && unix_s > 0 ? unix_s : 0;
}

static uint64_t read_count(const json_t *value)
{
    json_int_t n = json_integer_value(value);
    return n > 0 && n <= IRSAFS_TEXT_MAX ? (uint64_t)n : 0; /* a text cannot hold more lines */
}

/* As many items as fit. */
static void write_dropped(json_t *dropped, char ret_text[IRSAFS_DROPPED_MAX])
{
    json_t *items = json_object_get(dropped, "items");
    size_t len = json_dumpb(dropped, ret_text, IRSAFS_DROPPED_MAX - 1, JSON_COMPACT);
    while (len > IRSAFS_DROPPED_MAX - 1 && json_array_size(items) > 0) {
        (void)json_array_remove(items, json_array_size(items) - 1);
        len = json_dumpb(dropped, ret_text, IRSAFS_DROPPED_MAX - 1, JSON_COMPACT);
    }
    ret_text[len < IRSAFS_DROPPED_MAX ? len : 0] = '\0';
}

static json_t *copy_dropped(const json_t *dropped)
{
    const json_t *total = json_object_get(dropped, "total");
    const json_t *items = json_object_get(dropped, "items");
    json_t *copies = json_array();
    for (size_t i = 0; i < json_array_size(items) && i < IRSAFS_DROPPED_ITEMS_MAX; i++) {
        const json_t *item = json_array_get(items, i);
        json_t *copy = json_object();
        (void)set_word(copy, "section", json_object_get(item, "section"));
        (void)set_word(copy, "key", json_object_get(item, "key"));
        (void)set_word(copy, "reason", json_object_get(item, "reason"));
        (void)json_array_append_new(copies, copy);
    }
    return json_pack("{s:I, s:o}", "total",
                     json_is_integer(total) ? json_integer_value(total) : (json_int_t)0, "items",
                     copies);
}

/* ["a", "b"] as "a b". */
static void read_sandbox(const json_t *words, char *ret_text, size_t size)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < json_array_size(words) && len < size; i++) {
        char word[32];
        copy_word(json_array_get(words, i), word, sizeof(word));
        int n = snprintf(ret_text + len, size - len, "%s%s", i > 0 ? " " : "", word);
        len += n > 0 ? (size_t)n : 0;
    }
}

static void read_facts(const json_t *report, struct irsafs_client_facts *facts)
{
    const json_t *token = json_object_get(report, "token");
    const json_t *endpoint = json_object_get(report, "endpoint");
    const struct {
        const json_t *value;
        char *word;
        size_t size;
    } words[] = {
        {json_object_get(report, "run_id"), facts->run_id, sizeof(facts->run_id)},
        {json_object_get(report, "workload_type"), facts->workload_type,
         sizeof(facts->workload_type)},
        {json_object_get(token, "source"), facts->token_source, sizeof(facts->token_source)},
        {json_object_get(token, "expires_at"), facts->token_expires_at,
         sizeof(facts->token_expires_at)},
        {json_object_get(endpoint, "scheme"), facts->endpoint_scheme,
         sizeof(facts->endpoint_scheme)},
        {json_object_get(endpoint, "host"), facts->endpoint_host, sizeof(facts->endpoint_host)},
        {json_object_get(endpoint, "tls"), facts->endpoint_tls, sizeof(facts->endpoint_tls)},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(words); i++) {
        copy_word(words[i].value, words[i].word, words[i].size);
    }
    facts->token_expires_s = read_time(json_object_get(token, "expires_at"));
    facts->cert_expires_s = read_time(json_object_get(endpoint, "cert_expires_at"));
    facts->n_dropped = read_count(json_object_get(json_object_get(report, "dropped"), "total"));
    read_sandbox(json_object_get(report, "sandbox"), facts->sandbox, sizeof(facts->sandbox));
    json_t *dropped = copy_dropped(json_object_get(report, "dropped"));
    write_dropped(dropped, facts->dropped);
    json_decref(dropped);
}

/* All bytes of a memfd that its writer is done with; false with errno. */
static bool read_memfd(int fd, struct irsafs_buf *to)
{
    char piece[16384];
    ssize_t n;
    while ((n = pread(fd, piece, sizeof(piece), (off_t)to->len)) != 0) {
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0 && !irsafs_buf_append(to, piece, (size_t)n)) {
            errno = to->len + (size_t)n > to->max ? EFBIG : ENOMEM;
            return false;
        }
    }
    return true;
}

/* *ret_garbled: there are bytes, but no report. */
static json_t *read_report(int fd, bool *ret_garbled)
{
    struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_REPORT_MAX);
    bool whole = read_memfd(fd, &text);
    *ret_garbled = !whole || text.len > 0;
    json_t *report =
        whole ? json_loadb(text.data != NULL ? text.data : "", text.len, 0, NULL) : NULL;
    irsafs_buf_deinit(&text);
    if (report != NULL && !json_is_object(report)) {
        json_decref(report);
        report = NULL;
    }
    *ret_garbled = *ret_garbled && report == NULL;
    return report;
}

static void read_error(const json_t *report, struct irsafs_error *ret_error)
{
    const json_t *message = json_object_get(report, "message");
    enum irsafs_code code =
        irsafs_code_from_number((long)json_integer_value(json_object_get(report, "code")));
    (void)irsafs_error_set(ret_error, code, "%s",
                           json_is_string(message) ? json_string_value(message)
                                                   : "the client gave no reason");
}

static void read_text(const struct irsafs_answer_settings *settings,
                      int text_fd,
                      struct irsafs_buf *text,
                      struct irsafs_landing *ret)
{
    size_t offset = 0;
    if (!read_memfd(text_fd, text)) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_IO, "read the client's text: %s",
                               strerrordesc_np(errno));
        return;
    }
    const char *refusal =
        text->len == 0 ? "empty"
                       : irsafs_canon_check(text->data, text->len, settings->token_path, &offset);
    if (refusal != NULL) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_NOT_CANONICAL,
                               "the client's text is refused at byte %zu: %s", offset, refusal);
        return;
    }
    ret->text = text->data;
    ret->text_len = text->len;
}

static void judge(const struct irsafs_answer_settings *settings,
                  int wait_status,
                  bool killed,
                  const json_t *report,
                  struct irsafs_landing *ret)
{
    bool exited = WIFEXITED(wait_status);
    int status = exited ? WEXITSTATUS(wait_status) : -1;
    if (killed) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_TIMEOUT, "no answer within %lld ms",
                               (long long)settings->fetch_timeout_ms);
    } else if (status == 127 && report == NULL) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_CLIENT_START, "%.120s cannot be executed",
                               settings->client);
    } else if (status == IRSAFS_STATUS_NOT_CONFINED && report == NULL) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_SANDBOX,
                               "the client cannot run as another user without privileges");
    } else if (!exited) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_CLIENT_DIED,
                               "the client was ended by signal %d", WTERMSIG(wait_status));
    } else if (status != 0 && report != NULL) {
        read_error(report, &ret->error);
    } else if (status != 0) {
        (void)irsafs_error_set(&ret->error, IRSAFS_E_CLIENT_DIED,
                               "the client ended with status %d and no report", status);
    }
}

void irsafs_answer_read(const struct irsafs_answer_settings *settings,
                        int wait_status,
                        bool killed,
                        int text_fd,
                        int report_fd,
                        struct irsafs_buf *text,
                        struct irsafs_landing *ret_landing,
                        struct irsafs_client_facts *facts)
{
    bool garbled;
    json_t *report = read_report(report_fd, &garbled);
    const json_t *retry_after = json_object_get(report, "retry_after_ms");
    const json_t *profiles = json_object_get(report, "profiles");
    struct irsafs_landing landing = {
        .retry_after_ms = json_is_integer(retry_after) ? json_integer_value(retry_after) : -1,
        .connect_refused = json_is_true(json_object_get(report, "connect_refused")),
    };
    copy_word(json_object_get(report, "identity"), landing.identity, sizeof(landing.identity));
    judge(settings, wait_status, killed, report, &landing);
    if (landing.error.code == IRSAFS_OK && garbled) {
        (void)irsafs_error_set(&landing.error, IRSAFS_E_CLIENT_DIED,
                               "the client's report cannot be read");
    }
    if (landing.error.code == IRSAFS_OK) {
        read_text(settings, text_fd, text, &landing);
        landing.profiles = json_is_integer(profiles) ? (uint32_t)json_integer_value(profiles) : 0;
    }
    if (report != NULL) {
        read_facts(report, facts);
    }
    json_decref(report);
    *ret_landing = landing;
}
