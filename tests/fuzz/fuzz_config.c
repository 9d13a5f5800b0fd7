/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a text as a service may send it. Whatever it is: the outcome is canonical or refused
 * with a code of the contract; every line of it is a line that we write, every role and every name in
 * it stood in the input; and rewriting the outcome changes nothing and drops nothing. */
#include "base/awsconfig/canon.h"
#include "base/awsconfig/config.h"
#include "base/awsconfig/rewrite.h"
#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* Not the default one: then a path that comes from the input cannot pass for ours. */
static const char token_path[] = "/our/own/token";

static bool is_allowed_line(struct irsafs_str line, struct irsafs_str input)
{
    if (!fuzz_is_print(line)) {
        return false;
    }
    if (irsafs_str_starts(line, "role_arn=")) {
        return memmem(input.ptr, input.len, line.ptr + 9, line.len - 9) != NULL;
    }
    return irsafs_str_is(line, "web_identity_token_file = /our/own/token") ||
           irsafs_str_starts(line, "source_profile = ") || irsafs_str_is(line, "[default]") ||
           irsafs_str_starts(line, "[profile ");
}

/* name, as it is or without "@ACCOUNT", stood in a header of the input ('=' and ',' became '-'). */
static bool is_from_input(struct irsafs_str name, struct irsafs_str input)
{
    char header[sizeof("[profile ") + IRSAFS_PROFILE_NAME_MAX + 1];
    struct irsafs_str text = {fuzz_copy(input), input.len};
    bool found = false;
    for (size_t i = 0; i < input.len; i++) {
        char *c = (char *)(uintptr_t)text.ptr + i;
        *c = *c == '=' || *c == ',' ? '-' : *c;
    }
    for (int round = 0; round < 2 && !found; round++) {
        bool whole = irsafs_str_is(name, "default");
        int n = snprintf(header, sizeof(header), "%s%.*s]", whole ? "[" : "[profile ",
                         (int)name.len, name.ptr);
        found = memmem(text.ptr, text.len, header, (size_t)n) != NULL;
        name.len -= name.len > 13 && name.ptr[name.len - 13] == '@' ? 13 : 0;
    }
    free((void *)(uintptr_t)text.ptr);
    return found;
}

static void assert_lines(struct irsafs_str text, struct irsafs_str input, size_t n_profiles)
{
    struct irsafs_str line;
    size_t n_headers = 0;
    if (n_profiles == 0) {
        FUZZ_ASSERT(irsafs_str_is(text, "# irsafs: the mapping service maps no role to you\n"));
        return;
    }
    while (irsafs_str_next_line(&text, &line)) {
        FUZZ_ASSERT(is_allowed_line(line, input));
        n_headers += line.ptr[0] == '[' ? 1 : 0;
        struct irsafs_str name = {line.ptr + 9, line.len - 10};
        FUZZ_ASSERT(!irsafs_str_starts(line, "[profile ") || is_from_input(name, input));
    }
    FUZZ_ASSERT(n_headers == n_profiles);
}

static void assert_idempotent(const struct irsafs_buf *text, const struct irsafs_rewritten *before)
{
    struct irsafs_buf again = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_rewritten result;
    FUZZ_ASSERT(irsafs_config_rewrite((struct irsafs_str){text->data, text->len}, token_path,
                                      &again, &result, NULL) == IRSAFS_OK);
    FUZZ_ASSERT(again.len == text->len && memcmp(again.data, text->data, text->len) == 0);
    FUZZ_ASSERT(result.n_profiles == before->n_profiles);
    FUZZ_ASSERT(result.dropped.total == 0 && result.n_renamed == 0 && result.n_shared == 0);
    irsafs_buf_deinit(&again);
}

static void assert_dropped(const struct irsafs_dropped *d)
{
    FUZZ_ASSERT(d->n_items ==
                (d->total < IRSAFS_DROPPED_ITEMS_MAX ? d->total : IRSAFS_DROPPED_ITEMS_MAX));
    for (size_t i = 0; i < d->n_items; i++) {
        const struct irsafs_dropped_item *item = &d->items[i];
        FUZZ_ASSERT(fuzz_is_clean(item->section, sizeof(item->section)));
        FUZZ_ASSERT(fuzz_is_clean(item->key, sizeof(item->key)));
        FUZZ_ASSERT(strpbrk(item->section, "\"\\") == NULL && strpbrk(item->key, "\"\\") == NULL);
        FUZZ_ASSERT(item->reason != NULL);
    }
}

/* The steps by themselves: what fails leaves its outputs alone. */
static void assert_steps(struct irsafs_str text)
{
    static struct irsafs_dropped dropped;
    struct irsafs_config config;
    struct irsafs_config untouched;
    memset(&config, 0xA5, sizeof(config));
    memcpy(&untouched, &config, sizeof(config));
    dropped = (struct irsafs_dropped){0};
    if (irsafs_config_parse(text, token_path, &config, &dropped, NULL) != IRSAFS_OK) {
        FUZZ_ASSERT(memcmp(&config, &untouched, sizeof(config)) == 0);
        return;
    }
    size_t n_profiles = SIZE_MAX;
    struct irsafs_buf small = IRSAFS_BUF_INIT(80); /* soon too small */
    FUZZ_ASSERT(irsafs_config_resolve(&config, &dropped, NULL) == IRSAFS_OK);
    if (irsafs_config_emit(&config, token_path, &small, &n_profiles, NULL) != IRSAFS_OK) {
        FUZZ_ASSERT(n_profiles == SIZE_MAX);
    }
    FUZZ_ASSERT(small.len <= small.max);
    irsafs_buf_deinit(&small);
    irsafs_config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct irsafs_rewritten result;
    char *exact = fuzz_copy((struct irsafs_str){(const char *)data, size});
    struct irsafs_str text = {exact, size};
    struct irsafs_buf out = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_error err = {.code = IRSAFS_OK};
    size_t offset = 0;
    enum irsafs_code code = irsafs_config_rewrite(text, token_path, &out, &result, &err);
    FUZZ_ASSERT(err.code == code);
    assert_dropped(&result.dropped);
    if (code == IRSAFS_OK) {
        FUZZ_ASSERT(irsafs_canon_check(out.data, out.len, token_path, &offset) == NULL);
        assert_lines((struct irsafs_str){out.data, out.len}, text, result.n_profiles);
        assert_idempotent(&out, &result);
    } else {
        FUZZ_ASSERT(code == IRSAFS_E_NOT_CONFIG || code == IRSAFS_E_NOTHING_VALID ||
                    code == IRSAFS_E_TOO_BIG);
        FUZZ_ASSERT(fuzz_is_clean(err.message, sizeof(err.message)));
    }
    assert_steps(text);
    irsafs_buf_deinit(&out);
    free(exact);
    return 0;
}
