/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a text. canon accepts it exactly when the grammar of canon.h, written down here once
 * more and slowly, accepts it; and whatever it accepts the rewriter keeps as it is. */
#include "base/ascii.h"
#include "base/awsconfig/canon.h"
#include "base/awsconfig/rewrite.h"
#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static const char token_path[] = IRSAFS_DEFAULT_TOKEN_PATH;

enum { SECTIONS_MAX = 1024 };

struct section {
    struct irsafs_str name, role, source, token;
};

struct model {
    struct section sections[SECTIONS_MAX];
    size_t n_sections, n_comments;
};

static bool consists_of(struct irsafs_str text, const char *more)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!irsafs_is_alnum(text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr(more, text.ptr[i]) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool strip(struct irsafs_str *text, const char *prefix, const char *suffix)
{
    size_t before = strlen(prefix);
    size_t after = strlen(suffix);
    if (text->len < before + after || memcmp(text->ptr, prefix, before) != 0 ||
        memcmp(text->ptr + text->len - after, suffix, after) != 0) {
        return false;
    }
    text->ptr += before;
    text->len -= before + after;
    return true;
}

static bool is_header(struct irsafs_str line, struct irsafs_str *ret_name)
{
    *ret_name = line;
    if (irsafs_str_is(line, "[default]")) {
        return strip(ret_name, "[", "]");
    }
    return strip(ret_name, "[profile ", "]") && ret_name->len >= 1 &&
           ret_name->len <= IRSAFS_PROFILE_NAME_MAX && consists_of(*ret_name, "_-./%@:+") &&
           !irsafs_str_is(*ret_name, "default") && !irsafs_str_is(*ret_name, "__proto__");
}

static bool is_pair(struct irsafs_str line, const char *key, struct irsafs_str *ret_value)
{
    *ret_value = line;
    if (!strip(ret_value, key, "") ||
        (!strip(ret_value, " = ", "") && !strip(ret_value, "=", ""))) {
        return false;
    }
    return ret_value->len >= 1 && ret_value->len <= IRSAFS_VALUE_MAX &&
           consists_of(*ret_value, "!$%&()*+,-./:<=>?@^_`{|}~");
}

static bool is_role(struct irsafs_str arn)
{
    static const char *const partitions[] = {"aws",     "aws-cn",    "aws-us-gov", "aws-eusc",
                                             "aws-iso", "aws-iso-b", "aws-iso-e",  "aws-iso-f"};
    for (size_t i = 0; i < IRSAFS_COUNT(partitions); i++) {
        struct irsafs_str rest = arn;
        if (!strip(&rest, "arn:", "") || !strip(&rest, partitions[i], "") ||
            !strip(&rest, ":iam::", "") || rest.len < 12) {
            continue;
        }
        bool digits = true;
        for (size_t k = 0; k < 12; k++) {
            digits = digits && irsafs_is_digit(rest.ptr[k]);
        }
        rest.ptr += 12;
        rest.len -= 12;
        if (!digits || !strip(&rest, ":role/", "")) {
            return false;
        }
        size_t name = 0;
        while (name < rest.len && rest.ptr[rest.len - 1 - name] != '/') {
            name++;
        }
        return name >= 1 && name <= 64 &&
               consists_of((struct irsafs_str){rest.ptr + rest.len - name, name}, "_+=,.@-");
    }
    return false;
}

static const struct section *named(const struct model *m, struct irsafs_str name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (irsafs_str_equal(m->sections[i].name, name)) {
            return &m->sections[i];
        }
    }
    return NULL;
}

static bool take_line(struct model *m, struct irsafs_str line)
{
    struct section *s = m->n_sections > 0 ? &m->sections[m->n_sections - 1] : NULL;
    struct irsafs_str found;
    if (line.len > 0 && line.ptr[0] == '#') {
        return s == NULL && ++m->n_comments <= IRSAFS_COMMENT_LINES_MAX &&
               irsafs_str_starts(line, "# ") && line.len <= IRSAFS_COMMENT_LINE_MAX &&
               fuzz_is_print(line);
    }
    if (is_header(line, &found)) {
        m->sections[m->n_sections].name = found;
        return named(m, found, m->n_sections++) == NULL;
    }
    if (s == NULL) {
        return false;
    }
    struct irsafs_str *value = is_pair(line, "role_arn", &found)                  ? &s->role
                               : is_pair(line, "source_profile", &found)          ? &s->source
                               : is_pair(line, "web_identity_token_file", &found) ? &s->token
                                                                                  : NULL;
    if (value == NULL || value->len > 0) {
        return false;
    }
    *value = found;
    return true;
}

static bool is_whole(const struct model *m, const struct section *s)
{
    const struct section *source = named(m, s->source, m->n_sections);
    bool ours = s->token.len == 0 || irsafs_str_is(s->token, token_path);
    bool leads_on = s->source.len == 0 || (source != NULL && source->token.len > 0);
    return is_role(s->role) && (s->source.len > 0) != (s->token.len > 0) && ours && leads_on;
}

static bool model_accepts(struct model *m, struct irsafs_str text)
{
    while (text.len > 0) {
        const char *lf = memchr(text.ptr, '\n', text.len);
        if (lf == NULL || !take_line(m, (struct irsafs_str){text.ptr, (size_t)(lf - text.ptr)})) {
            return false;
        }
        text.len -= (size_t)(lf + 1 - text.ptr);
        text.ptr = lf + 1;
    }
    for (size_t i = 0; i < m->n_sections; i++) {
        if (!is_whole(m, &m->sections[i])) {
            return false;
        }
    }
    return true;
}

static void assert_kept(struct irsafs_str text, size_t n_sections)
{
    struct irsafs_buf out = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_rewritten result;
    FUZZ_ASSERT(irsafs_config_rewrite(text, token_path, &out, &result, NULL) == IRSAFS_OK);
    FUZZ_ASSERT(result.n_profiles == n_sections);
    FUZZ_ASSERT(result.dropped.total == 0 && result.n_renamed == 0 && result.n_shared == 0);
    irsafs_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model m;
    struct irsafs_str text = {(const char *)data, size};
    size_t headers = 0;
    for (size_t i = 0; i < size; i++) {
        headers += data[i] == '[' ? 1 : 0;
    }
    if (headers >= SECTIONS_MAX) {
        return -1;
    }
    char *exact = fuzz_copy(text);
    text.ptr = exact;
    memset(&m, 0, sizeof(m));
    size_t offset = SIZE_MAX;
    const char *reason = irsafs_canon_check(exact, size, token_path, &offset);
    FUZZ_ASSERT((reason == NULL) == model_accepts(&m, text));
    if (reason == NULL) {
        FUZZ_ASSERT(offset == SIZE_MAX);
        assert_kept(text, m.n_sections);
    } else {
        FUZZ_ASSERT(offset <= size);
    }
    free(exact);
    return 0;
}
