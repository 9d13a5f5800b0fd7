/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/awsconfig/config.h"
#include "base/awsconfig/words.h"

#include <stdlib.h>

/* Room that a name may need when it is renamed to NAME@ACCOUNT. */
enum { RENAMED_EXTRA = 1 + IRSAFS_ACCOUNT_LEN };

struct parser {
    struct irsafs_config config;
    struct irsafs_section *section; /* whose header we are under; NULL before the first */
    struct irsafs_dropped *dropped;
    const char *token_path;
    size_t line_number;
};

static const struct irsafs_str no_key;

void irsafs_config_deinit(struct irsafs_config *config)
{
    free(config->sections);
    free(config->names);
    *config = (struct irsafs_config){0};
}

void irsafs_config_drop(struct irsafs_section *section,
                        struct irsafs_dropped *dropped,
                        struct irsafs_str key,
                        const char *reason)
{
    section->kept = false;
    irsafs_dropped_add(dropped, section->name, key, reason);
}

static void drop(struct parser *p, struct irsafs_str key, const char *reason)
{
    irsafs_config_drop(p->section, p->dropped, key, reason);
}

static bool is_print(struct irsafs_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!irsafs_is_print(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* A role name may hold '=' and ',', a profile name may not: both become '-', here and wherever the
 * profile is referred to. False when that does not make it a profile name. */
static bool take_name(struct parser *p, struct irsafs_str raw, struct irsafs_str *ret_name)
{
    char *copy = p->config.names + p->config.names_len;
    bool changed = false;
    if (raw.len > IRSAFS_PROFILE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < raw.len; i++) {
        bool bad = raw.ptr[i] == '=' || raw.ptr[i] == ',';
        copy[i] = (char)(bad ? '-' : raw.ptr[i]);
        changed = changed || bad;
    }
    if (!irsafs_is_profile_name(copy, raw.len)) {
        return false;
    }
    if (changed) {
        p->config.names_len += raw.len;
        *ret_name = (struct irsafs_str){copy, raw.len};
    } else {
        *ret_name = raw;
    }
    return true;
}

static void end_section(struct parser *p)
{
    const struct irsafs_section *s = p->section;
    if (s == NULL || !s->kept) {
        return;
    }
    if (s->role_arn.len == 0) {
        drop(p, no_key, "without role_arn");
    } else if (s->has_token && s->source.len > 0) {
        drop(p, no_key, "source_profile beside web_identity_token_file");
    } else if (!s->has_token && s->source.len == 0) {
        drop(p, no_key, "without source_profile or web_identity_token_file");
    }
}

static void begin_section(struct parser *p, struct irsafs_str line)
{
    p->section = &p->config.sections[p->config.n_sections++];
    bool closed = line.ptr[line.len - 1] == ']';
    struct irsafs_str inner = {line.ptr + 1, line.len - (closed ? 2 : 1)};
    *p->section = (struct irsafs_section){.name = inner, .kept = true};
    if (!closed) {
        drop(p, no_key, "header without ']' at its end");
    } else if (irsafs_str_is(inner, "default")) {
        p->section->is_default = true;
    } else if (!irsafs_str_starts(inner, "profile ")) {
        drop(p, no_key, "not a profile");
    } else {
        struct irsafs_str raw = {inner.ptr + 8, inner.len - 8};
        p->section->name = raw;
        if (!take_name(p, raw, &p->section->name)) {
            drop(p, no_key, "profile name not allowed");
        }
        p->config.n_renamed += p->section->name.ptr != raw.ptr ? 1 : 0;
    }
}

static const char *take_role_arn(struct parser *p, struct irsafs_str value)
{
    if (p->section->role_arn.len > 0) {
        return "twice in this section";
    }
    p->section->account.len = IRSAFS_ACCOUNT_LEN;
    if (!irsafs_role_arn_account(value.ptr, value.len, &p->section->account.ptr)) {
        return "not the ARN of an IAM role";
    }
    p->section->role_arn = value;
    return NULL;
}

static const char *take_source_profile(struct parser *p, struct irsafs_str value)
{
    if (p->section->source.len > 0) {
        return "twice in this section";
    }
    if (irsafs_str_is(value, "default")) {
        p->section->source = value;
        return NULL;
    }
    return take_name(p, value, &p->section->source) ? NULL : "not a profile name";
}

/* The value is never taken from the service: it could name any file that the user may read, and the
 * SDK would send that file away. */
static const char *take_token_file(struct parser *p, struct irsafs_str value)
{
    if (p->section->has_token) {
        return "twice in this section";
    }
    p->section->has_token = true;
    if (!irsafs_str_is(value, p->token_path) && !irsafs_str_is(value, IRSAFS_DEFAULT_TOKEN_PATH)) {
        irsafs_dropped_add(p->dropped, p->section->name,
                           (struct irsafs_str){"web_identity_token_file", 23},
                           "value replaced by our own path");
    }
    return NULL;
}

/* The allow-list. What else an SDK understands can run programs, send tokens elsewhere or swap the
 * identity, so a key is added here only with a check of its value. */
static const struct allowed {
    const char *key;
    const char *(*take)(struct parser *p, struct irsafs_str value); /* NULL, or why not */
} allowed[] = {
    {"role_arn", take_role_arn},
    {"source_profile", take_source_profile},
    {"web_identity_token_file", take_token_file},
};

static void take_pair(struct parser *p, struct irsafs_str key, struct irsafs_str value)
{
    for (size_t i = 0; i < IRSAFS_COUNT(allowed); i++) {
        if (irsafs_str_is(key, allowed[i].key)) {
            const char *reason = "value not allowed";
            if (irsafs_is_config_value(value.ptr, value.len)) {
                reason = allowed[i].take(p, value);
            }
            if (reason != NULL) {
                drop(p, key, reason);
            }
            return;
        }
    }
    irsafs_dropped_add(p->dropped, p->section->name, key, "key not allowed");
}

/* A line below a header that is neither blank nor a comment at column 0. */
static void parse_pair(struct parser *p, struct irsafs_str line)
{
    const char *equals = memchr(line.ptr, '=', line.len);
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        drop(p, no_key, "indented line: parsers do not agree what it means");
    } else if (!is_print(line)) {
        drop(p, no_key, "a byte that is not printable ASCII");
    } else if (equals == NULL || equals == line.ptr) {
        drop(p, no_key, "a line that is not KEY = VALUE");
    } else {
        struct irsafs_str key = {line.ptr, (size_t)(equals - line.ptr)};
        struct irsafs_str value = {equals + 1, line.len - key.len - 1};
        take_pair(p, irsafs_str_trim(key), irsafs_str_trim(value));
    }
}

static bool parse_line(struct parser *p, struct irsafs_str line)
{
    struct irsafs_str trimmed = irsafs_str_trim(line);
    if (line.len > 0 && line.ptr[0] == '[') {
        end_section(p);
        begin_section(p, trimmed);
        return true;
    }
    if (trimmed.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';') {
        return true;
    }
    if (p->section == NULL) {
        return trimmed.ptr[0] == '#' || trimmed.ptr[0] == ';';
    }
    if (p->section->kept) {
        parse_pair(p, line);
    }
    return true;
}

static size_t count_headers(struct irsafs_str text)
{
    size_t n = 0;
    struct irsafs_str line;
    while (irsafs_str_next_line(&text, &line)) {
        n += line.len > 0 && line.ptr[0] == '[' ? 1 : 0;
    }
    return n;
}

static enum irsafs_code
allocate(struct irsafs_config *config, struct irsafs_str text, struct irsafs_error *err)
{
    size_t n = count_headers(text);
    if (n > IRSAFS_SECTIONS_MAX) {
        return irsafs_error_set(err, IRSAFS_E_TOO_BIG, "%zu sections, the limit is %d", n,
                                IRSAFS_SECTIONS_MAX);
    }
    /* Every byte of a name is a byte of the text; each name may be rewritten twice. */
    config->names_cap = 2 * text.len + n * RENAMED_EXTRA + IRSAFS_PROFILE_NAME_MAX;
    config->sections = calloc(n + 1, sizeof(config->sections[0]));
    config->names = malloc(config->names_cap);
    if (config->sections == NULL || config->names == NULL) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for %zu sections", n);
    }
    return IRSAFS_OK;
}

static enum irsafs_code
parse_all(struct parser *p, struct irsafs_str text, struct irsafs_error *err)
{
    struct irsafs_str line;
    while (irsafs_str_next_line(&text, &line)) {
        p->line_number++;
        p->config.n_cr += (size_t)(text.ptr - line.ptr) == line.len + 2 ? 1 : 0;
        if (!parse_line(p, line)) {
            return irsafs_error_set(err, IRSAFS_E_NOT_CONFIG,
                                    "line %zu of the text is not part of an AWS config",
                                    p->line_number);
        }
    }
    end_section(p);
    return IRSAFS_OK;
}

enum irsafs_code irsafs_config_parse(struct irsafs_str text,
                                     const char *token_path,
                                     struct irsafs_config *ret_config,
                                     struct irsafs_dropped *dropped,
                                     struct irsafs_error *err)
{
    struct parser p = {.dropped = dropped, .token_path = token_path};
    if (text.len > IRSAFS_TEXT_MAX) {
        return irsafs_error_set(err, IRSAFS_E_TOO_BIG, "%zu bytes, the limit is %d", text.len,
                                IRSAFS_TEXT_MAX);
    }
    if (irsafs_str_starts(text, "\xEF\xBB\xBF")) {
        p.config.had_bom = true;
        text.ptr += 3;
        text.len -= 3;
    }
    enum irsafs_code code = allocate(&p.config, text, err);
    if (code == IRSAFS_OK) {
        code = parse_all(&p, text, err);
    }
    if (code != IRSAFS_OK) {
        irsafs_config_deinit(&p.config);
        return code;
    }
    *ret_config = p.config;
    return IRSAFS_OK;
}
