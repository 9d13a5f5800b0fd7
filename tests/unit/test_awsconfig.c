/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "base/awsconfig/canon.h"
#include "base/awsconfig/rewrite.h"
#include "base/file.h"
#include "base/limits.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any text -> canonical text. The corpus tests/data/ini-cases has an input (NAME.ini) and what must
 * become of it (NAME.expect): a line of counters, what was dropped, "---" and the text. With the
 * argument --print NAME.ini the program prints what it makes of a file, to be read before it is
 * committed. */

static const char token_path[] = IRSAFS_DEFAULT_TOKEN_PATH;

struct outcome {
    enum irsafs_code code;
    struct irsafs_rewritten result;
    struct irsafs_buf text;
    struct irsafs_error err;
};

static void outcome_deinit(struct outcome *o)
{
    irsafs_buf_deinit(&o->text);
}

static void rewrite(struct irsafs_str in, struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){.text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX)};
    ret_outcome->code = irsafs_config_rewrite(in, token_path, &ret_outcome->text,
                                              &ret_outcome->result, &ret_outcome->err);
}

static struct irsafs_str view(const struct irsafs_buf *buf)
{
    return (struct irsafs_str){buf->data, buf->len};
}

static void load(const char *folder, const char *name, struct irsafs_buf *buf)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    *buf = IRSAFS_BUF_INIT(4 << 20);
    if (irsafs_file_read(path, buf) != 0) {
        fail_msg("cannot read %s", path);
    }
}

/* The outcome as NAME.expect says it. */
static void describe(const struct outcome *o, struct irsafs_buf *ret_text)
{
    char line[512];
    const struct irsafs_rewritten *r = &o->result;
    *ret_text = IRSAFS_BUF_INIT(4 << 20);
    (void)snprintf(line, sizeof(line),
                   "code=%d profiles=%zu dropped=%zu renamed=%zu shared=%zu cr=%zu bom=%d\n",
                   (int)o->code, r->n_profiles, r->dropped.total, r->n_renamed, r->n_shared,
                   r->n_cr, (int)r->had_bom);
    assert_true(irsafs_buf_puts(ret_text, line));
    for (size_t i = 0; i < r->dropped.n_items; i++) {
        const struct irsafs_dropped_item *item = &r->dropped.items[i];
        (void)snprintf(line, sizeof(line), "[%s]%s%s: %s\n", item->section,
                       item->key[0] != '\0' ? " " : "", item->key, item->reason);
        assert_true(irsafs_buf_puts(ret_text, line));
    }
    assert_true(irsafs_buf_puts(ret_text, "---\n"));
    if (o->code == IRSAFS_OK) {
        assert_true(irsafs_buf_append(ret_text, o->text.data, o->text.len));
    }
}

/* Whatever went in: what comes out is canonical, and going in again it stays as it is. */
static void assert_canonical(const struct outcome *o, const char *name)
{
    size_t offset = 0;
    const char *reason = irsafs_canon_check(o->text.data, o->text.len, token_path, &offset);
    if (reason != NULL) {
        fail_msg("%s: output not canonical at %zu: %s", name, offset, reason);
    }
    IRSAFS_CLEANUP(outcome_deinit) struct outcome again;
    rewrite(view(&o->text), &again);
    assert_int_equal(again.code, IRSAFS_OK);
    if (!irsafs_str_equal(view(&again.text), view(&o->text)) || again.result.dropped.total > 0 ||
        again.result.n_renamed + again.result.n_shared > 0) {
        fail_msg("%s: the output does not stay as it is:\n%s", name, again.text.data);
    }
}

static void check_case(const char *folder, const char *name)
{
    char expect_name[256];
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = {0};
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf expect = {0};
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf got = {0};
    IRSAFS_CLEANUP(outcome_deinit) struct outcome o;
    load(folder, name, &in);
    (void)snprintf(expect_name, sizeof(expect_name), "%.*s.expect", (int)(strlen(name) - 4), name);
    load(folder, expect_name, &expect);
    rewrite(view(&in), &o);
    describe(&o, &got);
    if (!irsafs_str_equal(view(&got), view(&expect))) {
        fail_msg("%s:\n%s\nexpected:\n%s", name, got.data, expect.data);
    }
    if (o.code == IRSAFS_OK) {
        assert_canonical(&o, name);
    }
}

static void test_corpus(void **state)
{
    (void)state;
    static const char folder[] = IRSAFS_TESTS_DATA "/ini-cases";
    size_t n_cases = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".ini") == 0) {
            check_case(folder, entry->d_name);
            n_cases++;
        }
    }
    (void)closedir(dir);
    assert_in_range(n_cases, 100, 1000);
}

static void test_golden(void **state)
{
    (void)state;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = {0};
    IRSAFS_CLEANUP(outcome_deinit) struct outcome o;
    load(IRSAFS_TESTS_DATA, "golden-config.ini", &in);
    assert_int_equal(in.len, 961);
    rewrite(view(&in), &o);
    assert_int_equal(o.code, IRSAFS_OK);
    assert_int_equal(o.result.n_profiles, 6);
    assert_int_equal(o.result.dropped.total, 0);
    assert_int_equal(o.text.len, in.len);
    assert_memory_equal(o.text.data, in.data, in.len);
}

static void test_own_token_path(void **state)
{
    (void)state;
    static const char in[] = "[profile a]\nweb_identity_token_file = " IRSAFS_DEFAULT_TOKEN_PATH
                             "\nrole_arn=arn:aws:iam::123456789012:role/a\n";
    struct irsafs_rewritten result;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf out = IRSAFS_BUF_INIT(1000);
    assert_int_equal(irsafs_config_rewrite((struct irsafs_str){in, strlen(in)}, "/own/token", &out,
                                           &result, NULL),
                     IRSAFS_OK);
    assert_int_equal(result.dropped.total, 0);
    assert_string_equal(out.data, "[profile a]\nweb_identity_token_file = /own/token\n"
                                  "role_arn=arn:aws:iam::123456789012:role/a\n");
}

/* count times the section of a direct profile; the numbers of names run modulo n_names. */
static void repeat(struct irsafs_buf *buf, const char *fmt_prefix, unsigned count, unsigned n_names)
{
    for (unsigned i = 0; i < count; i++) {
        char section[256];
        (void)snprintf(section, sizeof(section),
                       "[profile %s%u]\nweb_identity_token_file=/t\nrole_arn=arn:aws:iam::%012u:"
                       "role/r\n",
                       fmt_prefix, i % n_names, i);
        assert_true(irsafs_buf_puts(buf, section));
    }
}

static void test_section_ceiling(void **state)
{
    (void)state;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(2 << 20);
    for (unsigned i = 0; i < IRSAFS_SECTIONS_MAX; i++) {
        assert_true(irsafs_buf_puts(&in, "[x]\n"));
    }
    IRSAFS_CLEANUP(outcome_deinit) struct outcome most;
    rewrite(view(&in), &most);
    assert_int_equal(most.code, IRSAFS_E_NOTHING_VALID);
    assert_int_equal(most.result.dropped.total, IRSAFS_SECTIONS_MAX);
    assert_int_equal(most.result.dropped.n_items, IRSAFS_DROPPED_ITEMS_MAX);
    assert_true(irsafs_buf_puts(&in, "[x]"));
    IRSAFS_CLEANUP(outcome_deinit) struct outcome more;
    rewrite(view(&in), &more);
    assert_int_equal(more.code, IRSAFS_E_TOO_BIG);
}

static void test_size_ceiling(void **state)
{
    (void)state;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(2 << 20);
    while (in.len < IRSAFS_TEXT_MAX) {
        assert_true(irsafs_buf_puts(&in, "#"));
    }
    IRSAFS_CLEANUP(outcome_deinit) struct outcome most;
    rewrite(view(&in), &most);
    assert_int_equal(most.code, IRSAFS_OK);
    assert_true(irsafs_buf_puts(&in, "\n"));
    IRSAFS_CLEANUP(outcome_deinit) struct outcome more;
    rewrite(view(&in), &more);
    assert_int_equal(more.code, IRSAFS_E_TOO_BIG);
}

/* A text within the ceilings may outgrow them when our token path is longer than theirs. */
static void test_output_ceiling(void **state)
{
    (void)state;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    repeat(&in, "p", 8192, 8192);
    IRSAFS_CLEANUP(outcome_deinit) struct outcome o;
    rewrite(view(&in), &o);
    assert_int_equal(o.code, IRSAFS_E_TOO_BIG);
}

/* The most that 8192 sections can ask for: all of one name, each to be renamed. */
static void test_most_renames(void **state)
{
    (void)state;
    static const unsigned n_names[] = {1, 4, 8192};
    for (size_t i = 0; i < IRSAFS_COUNT(n_names); i++) {
        IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
        repeat(&in, "p", 8192, n_names[i]);
        struct irsafs_rewritten result;
        IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf out = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
        assert_int_equal(irsafs_config_rewrite(view(&in), "/t", &out, &result, NULL), IRSAFS_OK);
        assert_int_equal(result.n_profiles, 8192);
        assert_int_equal(result.n_renamed, 8192 - n_names[i]);
    }
}

/* Texts made of pieces that matter to the grammar, in any order: never a crash, never an output that
 * is not canonical. The same texts in every run. */
static void test_random_texts(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "[profile a]\n",
        "[profile src_a]\n",
        "[profile b]\n",
        "[default]\n",
        "[profile a=b]\n",
        "[DEFAULT]\n",
        "[",
        "]",
        "\n",
        " ",
        "\t",
        "\r",
        "=",
        "#",
        "x",
        "\xff",
        "",
        "source_profile = src_a\n",
        "source_profile=a\n",
        "source_profile = src_src_a\n",
        "source_profile=default\n",
        "[profile src_src_a]\n",
        "web_identity_token_file = /x\n",
        "web_identity_token_file=" IRSAFS_DEFAULT_TOKEN_PATH "\n",
        "role_arn=arn:aws:iam::111111111111:role/a\n",
        "role_arn = arn:aws:iam::222222222222:role/a\n",
        "role_arn=arn:aws:iam::111111111111:role/b\n",
        "region = x\n",
        "[profile a@222222222222]\n",
    };
    uint32_t seed = 12345;
    size_t n_good = 0;
    for (int round = 0; round < 20000; round++) {
        IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(1 << 16);
        seed = seed * 1664525 + 1013904223;
        unsigned n_pieces = seed >> 16 & 31;
        for (unsigned i = 0; i < n_pieces; i++) {
            seed = seed * 1664525 + 1013904223;
            assert_true(irsafs_buf_puts(&in, pieces[(seed >> 16) % IRSAFS_COUNT(pieces)]));
        }
        IRSAFS_CLEANUP(outcome_deinit) struct outcome o;
        rewrite(view(&in), &o);
        assert_int_not_equal(o.code, IRSAFS_E_NOT_CANONICAL);
        if (o.code == IRSAFS_OK) {
            assert_canonical(&o, in.len > 0 ? in.data : "");
            n_good += o.result.n_profiles > 0 ? 1 : 0;
        }
    }
    assert_in_range(n_good, 100, 20000); /* else the pieces test nothing */
}

static int print_case(const char *path)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf in = IRSAFS_BUF_INIT(4 << 20);
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf got = {0};
    IRSAFS_CLEANUP(outcome_deinit) struct outcome o;
    if (irsafs_file_read(path, &in) != 0) {
        return 1;
    }
    rewrite(view(&in), &o);
    describe(&o, &got);
    return fwrite(got.data, 1, got.len, stdout) == got.len ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        return print_case(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),         cmocka_unit_test(test_golden),
        cmocka_unit_test(test_own_token_path), cmocka_unit_test(test_section_ceiling),
        cmocka_unit_test(test_size_ceiling),   cmocka_unit_test(test_output_ceiling),
        cmocka_unit_test(test_most_renames),   cmocka_unit_test(test_random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
