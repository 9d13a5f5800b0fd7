/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/canon.h"

#include "base/ascii.h"
#include "base/awsconfig/hash.h"
#include "base/awsconfig/words.h"
#include "base/limits.h"

#include <string.h>

/* A slot packs where a section's name stands: offset << 9 | length << 1 | has a token path. No name
 * is at offset 0, so 0 is an empty slot; half of the slots stay empty. */
enum { SLOT_BITS = 14, SLOTS = 1 << SLOT_BITS };
_Static_assert(SLOTS >= 2 * IRSAFS_SECTIONS_MAX, "the table would fill up");
_Static_assert(IRSAFS_TEXT_MAX <= 1 << 23 && IRSAFS_PROFILE_NAME_MAX < 256, "a slot has 32 bits");

enum { ROLE = 1, SOURCE = 2, TOKEN = 4 };
static const char *const keys[] = {"role_arn", "source_profile", "web_identity_token_file"};

struct checker {
    const char *text;
    const char *token_path;
    unsigned n_sections, n_comments;
    unsigned seen;  /* keys of this section: ROLE | SOURCE | TOKEN */
    uint32_t *slot; /* of this section; NULL before the first */
    uint64_t hash_key;
    uint32_t slots[SLOTS];
};

/* The slot of this name, or the empty one where it would go. */
static uint32_t *find(struct checker *c, const char *name, size_t len)
{
    uint32_t i = irsafs_hash(c->hash_key, name, len) >> (32 - SLOT_BITS);
    while (c->slots[i] != 0 && ((c->slots[i] >> 1 & 0xFF) != len ||
                                memcmp(c->text + (c->slots[i] >> 9), name, len) != 0)) {
        i = (i + 1) % SLOTS;
    }
    return &c->slots[i];
}

static const char *check_comment(struct checker *c, const char *line, size_t len)
{
    if (c->slot != NULL || ++c->n_comments > IRSAFS_COMMENT_LINES_MAX) {
        return "comment below a section header, or too many comments";
    }
    bool good = len >= 2 && len <= IRSAFS_COMMENT_LINE_MAX && line[1] == ' ';
    for (size_t i = 0; good && i < len; i++) {
        good = irsafs_is_print(line[i]);
    }
    return good ? NULL : "comment too long, without '# ' or not printable ASCII";
}

static const char *check_header(struct checker *c, const char *line, size_t len)
{
    static const char intro[] = "[profile ";
    const size_t intro_len = sizeof(intro) - 1;
    bool is_default = len == 9 && memcmp(line, "[default]", 9) == 0;
    bool is_profile =
        len > intro_len && memcmp(line, intro, intro_len) == 0 && line[len - 1] == ']';
    const char *name = is_default ? line + 1 : line + intro_len;
    size_t name_len = is_default ? 7 : len - intro_len - 1;
    if (!is_default && (!is_profile || !irsafs_is_profile_name(name, name_len))) {
        return "section header of another form, or name not allowed";
    }
    if (++c->n_sections > IRSAFS_SECTIONS_MAX) {
        return "too many sections";
    }
    c->slot = find(c, name, name_len);
    if (*c->slot != 0) {
        return "section name used twice";
    }
    *c->slot = (uint32_t)((size_t)(name - c->text) << 9 | name_len << 1);
    c->seen = 0;
    return NULL;
}

/* Splits a pair; 0 when it is not one of the allowed keys with one of the two separators. */
static unsigned split(const char *line, size_t len, const char **ret_value, size_t *ret_len)
{
    for (unsigned i = 0; i < IRSAFS_COUNT(keys); i++) {
        size_t n = strlen(keys[i]);
        size_t gap = len > n && line[n] == '=' ? 1 : 3;
        if (len >= n + gap && memcmp(line, keys[i], n) == 0 &&
            (gap == 1 || memcmp(line + n, " = ", 3) == 0)) {
            *ret_value = line + n + gap;
            *ret_len = len - n - gap;
            return 1U << i;
        }
    }
    return 0;
}

static const char *check_pair(struct checker *c, const char *line, size_t len)
{
    const char *value = NULL;
    size_t value_len = 0;
    unsigned key = split(line, len, &value, &value_len);
    if (c->slot == NULL || key == 0 || !irsafs_is_config_value(value, value_len)) {
        return "line that is not an allowed key = value";
    }
    if ((c->seen & key) != 0) {
        return "key twice in a section";
    }
    c->seen |= key;
    const char *account = NULL;
    if (key == ROLE && !irsafs_role_arn_account(value, value_len, &account)) {
        return "role_arn that is not the ARN of a role";
    }
    if (key == TOKEN) {
        *c->slot |= 1;
        if (value_len != strlen(c->token_path) || memcmp(value, c->token_path, value_len) != 0) {
            return "web_identity_token_file that is not ours";
        }
    }
    return NULL;
}

static const char *check_section_end(struct checker *c)
{
    bool whole = c->slot == NULL || c->seen == (ROLE | SOURCE) || c->seen == (ROLE | TOKEN);
    return whole ? NULL : "section above without role_arn and one source of credentials";
}

static const char *check_line(struct checker *c, const char *line, size_t len)
{
    if (line[0] == '[') {
        const char *reason = check_section_end(c);
        return reason != NULL ? reason : check_header(c, line, len);
    }
    return line[0] == '#' ? check_comment(c, line, len) : check_pair(c, line, len);
}

/* Second walk, when every section is known: a source must be a section with a token path, so a
 * chain has two links and there is no cycle. */
static const char *check_reference(struct checker *c, const char *line, size_t len)
{
    const char *name = NULL;
    size_t name_len = 0;
    bool dangling = split(line, len, &name, &name_len) == SOURCE &&
                    (name_len > IRSAFS_PROFILE_NAME_MAX || (*find(c, name, name_len) & 1) == 0);
    return dangling ? "source_profile that names no section with a token" : NULL;
}

typedef const char *check_fn(struct checker *c, const char *line, size_t len);

static const char *walk(struct checker *c, size_t len, check_fn *check, size_t *at)
{
    for (*at = 0; *at < len;) {
        const char *line = c->text + *at;
        const char *end = memchr(line, '\n', len - *at);
        const char *reason =
            end == NULL ? "last line without end" : check(c, line, (size_t)(end - line));
        if (reason != NULL) {
            return reason;
        }
        *at += (size_t)(end - line) + 1;
    }
    return NULL;
}

const char *
irsafs_canon_check(const char *text, size_t len, const char *token_path, size_t *ret_offset)
{
    struct checker c = {.text = text, .token_path = token_path, .hash_key = irsafs_hash_key()};
    size_t at = 0;
    const char *reason = len > IRSAFS_TEXT_MAX ? "text too large" : walk(&c, len, check_line, &at);
    reason = reason != NULL ? reason : check_section_end(&c);
    reason = reason != NULL ? reason : walk(&c, len, check_reference, &at);
    if (reason != NULL) {
        *ret_offset = at;
    }
    return reason;
}
