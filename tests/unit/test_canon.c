/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "base/awsconfig/canon.h"
#include "base/awsconfig/words.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What canon accepts and, with the offset, what it refuses. */

#define TOKEN_PATH          "/run/token"
#define ARN                 "arn:aws:iam::111122223333:role/r"
#define SRC(name)           "[profile " name "]\nweb_identity_token_file = " TOKEN_PATH "\nrole_arn=" ARN "\n"
#define ASSET(name, source) "[profile " name "]\nsource_profile = " source "\nrole_arn=" ARN "\n"
#define PAIR                ASSET("a", "src_a") SRC("src_a")
#define C6                  "# 1\n# 2\n# 3\n# 4\n# 5\n# 6\n"
#define X10                 "xxxxxxxxxx"
#define X50                 X10 X10 X10 X10 X10
#define X200                X50 X50 X50 X50

static const char *check(const char *text, size_t *ret_offset)
{
    return irsafs_canon_check(text, strlen(text), TOKEN_PATH, ret_offset);
}

static void test_accepts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "# nothing here\n",
        "# \n",
        C6 PAIR,
        "# " X50 X50 X50 X10 X10 X10 X10 "12345678\n", /* 200 characters */
        PAIR,
        SRC("src_a") ASSET("a", "src_a"),
        SRC("only"),
        SRC("Z9_-./%@:+"),
        "[default]\nsource_profile = s\nrole_arn = " ARN "\n" SRC("s"),
        "[default]\nweb_identity_token_file=" TOKEN_PATH "\nrole_arn=" ARN
        "\n" ASSET("a", "default"),
        ASSET("DEFAULT", "s") SRC("s"),
        ASSET("a", "s") ASSET("b", "s") SRC("s"),
        SRC("r@111122223333"),
    };
    for (size_t i = 0; i < IRSAFS_COUNT(texts); i++) {
        size_t offset = 12345;
        const char *reason = check(texts[i], &offset);
        if (reason != NULL) {
            fail_msg("text %zu refused at %zu: %s", i, offset, reason);
        }
        assert_int_equal(offset, 12345); /* untouched */
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *good; /* prefix: its length is the offset expected */
        const char *bad;
    } rows[] = {
        /* lines */
        {"", "\n"},
        {PAIR, "\n"},
        {PAIR, "# comment\n"},
        {"# a\n", "#b\n"},
        {"# a\n", "#\n"},
        {"# a\n", "; b\n"},
        {"# a\n", " # b\n"},
        {"# a\n", "# \t\n"},
        {"", "# caf\xc3\xa9\n"},
        {"", "# " X200 "\n"},
        {C6, "# 7\n"},
        {"", "# a"},
        {PAIR, "[profile x]"},
        {"", "\xef\xbb\xbf" PAIR},
        {"", "[profile a]\r\nrole_arn=" ARN "\n"},
        /* headers */
        {PAIR, "[profile a]\n"},
        {PAIR, "[profile src_a]\n"},
        {"", "[profile default]\n"},
        {"", "[profile __proto__]\n"},
        {"", "[DEFAULT]\n"},
        {"", "[profile ]\n"},
        {"", "[profile  a]\n"},
        {"", "[profile a ]\n"},
        {"", "[profile a] \n"},
        {"", "[profile a]]\n"},
        {"", "[profile\ta]\n"},
        {"", "[profile \"a\"]\n"},
        {"", "[profile a=b]\n"},
        {"", "[profile r\xc3\xb4le]\n"},
        {"", "[profile a\n"},
        {"", "[\n"},
        {"", "[]\n"},
        {"", "[services s]\n"},
        {"", "[a]\n"},
        {"", "[profile " X50 X50 X10 X10 "123456789]\n"},
        /* pairs */
        {"", "role_arn=" ARN "\n"},
        {"[profile a]\n", "region = us-east-1\n"},
        {"[profile a]\n", "credential_process = /bin/evil\n"},
        {"[profile a]\n", "ROLE_ARN = " ARN "\n"},
        {"[profile a]\n", " role_arn = " ARN "\n"},
        {"[profile a]\n", "role_arn =" ARN "\n"},
        {"[profile a]\n", "role_arn= " ARN "\n"},
        {"[profile a]\n", "role_arn  = " ARN "\n"},
        {"[profile a]\n", "role_arn: " ARN "\n"},
        {"[profile a]\n", "role_arn\n"},
        {"[profile a]\n", "role_arn=\n"},
        {"[profile a]\n", "role_arnx=" ARN "\n"},
        {"[profile a]\n", "role_arn = " ARN " # c\n"},
        {"[profile a]\n", "role_arn = \"" ARN "\"\n"},
        {"[profile a]\n", "role_arn = arn:aws:iam::1:role/r\n"},
        {"[profile a]\n", "web_identity_token_file = /home/u/.ssh/id_rsa\n"},
        {"[profile a]\n", "web_identity_token_file = " TOKEN_PATH "x\n"},
        {"[profile a]\n", "web_identity_token_file = /run/toke\n"},
        {"[profile a]\nrole_arn=" ARN "\n", "role_arn=" ARN "\n"},
        {"[profile a]\n", "source_profile=" X200 X200 X200 X200 X200 X200 "\n"},
        /* sections: the offset is their end */
        {"[profile a]\n", ""},
        {"[profile a]\n", SRC("b")},
        {"[profile a]\nrole_arn=" ARN "\n", SRC("b")},
        {"[profile a]\nsource_profile=b\n", SRC("b")},
        {"[profile a]\nweb_identity_token_file=" TOKEN_PATH "\n", ""},
        {"[profile a]\nrole_arn=" ARN "\nsource_profile=b\nweb_identity_token_file=" TOKEN_PATH
         "\n",
         SRC("b")},
        /* references */
        {"[profile a]\n", "source_profile = gone\nrole_arn=" ARN "\n"},
        {"[profile a]\n", "source_profile = a\nrole_arn=" ARN "\n"},
        {ASSET("a", "src_a") SRC("src_a") "[profile b]\n",
         "source_profile = a\nrole_arn=" ARN "\n"},
        {SRC("src_a") "[profile a]\n", "source_profile = src_\nrole_arn=" ARN "\n"},
        {SRC("src_a") "[profile a]\n", "source_profile = src_aa\nrole_arn=" ARN "\n"},
        {SRC("src_a") "[profile a]\n", "source_profile = SRC_A\nrole_arn=" ARN "\n"},
        {SRC("s") "[profile a]\n", "source_profile = " X200 "\nrole_arn=" ARN "\n"},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        char text[4096];
        (void)snprintf(text, sizeof(text), "%s%s", rows[i].good, rows[i].bad);
        size_t offset = SIZE_MAX;
        if (check(text, &offset) == NULL) {
            fail_msg("row %zu accepted: %s", i, rows[i].bad);
        }
        if (offset != strlen(rows[i].good)) {
            fail_msg("row %zu: offset %zu, expected %zu", i, offset, strlen(rows[i].good));
        }
    }
}

static void test_refuses_nul(void **state)
{
    (void)state;
    size_t offset;
    static const char in_comment[] = "# a\0b\n";
    static const char in_name[] = "[profile a\0]\n";
    static const char in_value[] = "[profile a]\nrole_arn=arn:aws:iam::111122223333:role/\0\n";
    assert_non_null(irsafs_canon_check(in_comment, sizeof(in_comment) - 1, TOKEN_PATH, &offset));
    assert_non_null(irsafs_canon_check(in_name, sizeof(in_name) - 1, TOKEN_PATH, &offset));
    assert_non_null(irsafs_canon_check(in_value, sizeof(in_value) - 1, TOKEN_PATH, &offset));
}

static void sections(struct irsafs_buf *buf, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char section[256];
        (void)snprintf(section, sizeof(section), SRC("p%u"), i);
        assert_true(irsafs_buf_puts(buf, section));
    }
}

static void test_ceilings(void **state)
{
    (void)state;
    size_t offset;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf buf = IRSAFS_BUF_INIT(2 << 20);
    sections(&buf, IRSAFS_SECTIONS_MAX);
    int64_t begin_ms = irsafs_clock_boot_ms();
    assert_null(irsafs_canon_check(buf.data, buf.len, TOKEN_PATH, &offset));
    /* a few ms; a quadratic check would need more than a second */
    assert_in_range(irsafs_clock_boot_ms() - begin_ms, 0, 500);
    assert_true(irsafs_buf_puts(&buf, SRC("one_more")));
    assert_string_equal(irsafs_canon_check(buf.data, buf.len, TOKEN_PATH, &offset),
                        "too many sections");
    assert_null(irsafs_canon_check("", 0, TOKEN_PATH, &offset));
    while (buf.len <= IRSAFS_TEXT_MAX) {
        assert_true(irsafs_buf_puts(&buf, SRC("x")));
    }
    assert_string_equal(irsafs_canon_check(buf.data, IRSAFS_TEXT_MAX + 1, TOKEN_PATH, &offset),
                        "text too large");
}

static void test_role_arn(void **state)
{
    (void)state;
    static const struct {
        const char *arn;
        bool good;
    } rows[] = {
        {"arn:aws:iam::123456789012:role/x", true},
        {"arn:aws-cn:iam::123456789012:role/x", true},
        {"arn:aws-us-gov:iam::123456789012:role/x", true},
        {"arn:aws-iso:iam::123456789012:role/x", true},
        {"arn:aws-iso-b:iam::123456789012:role/x", true},
        {"arn:aws-iso-e:iam::123456789012:role/x", true},
        {"arn:aws-iso-f:iam::123456789012:role/x", true},
        {"arn:aws-eusc:iam::123456789012:role/x", true},
        {"arn:aws:iam::123456789012:role/team/a/x", true},
        {"arn:aws:iam::123456789012:role/a=b,c+d@e.f-g_h", true},
        {"arn:aws:iam::123456789012:role/" X50 X10 "1234", true},
        {"arn:aws:iam::123456789012:role/" X50 X10 "12345", false},
        {"arn:aws:iam::123456789012:role/", false},
        {"arn:aws:iam::123456789012:role/a/", false},
        {"arn:aws:iam::123456789012:user/x", false},
        {"arn:aws:iam::123456789012:role", false},
        {"arn:aws:iam::12345678901:role/x", false},
        {"arn:aws:iam::1234567890123:role/x", false},
        {"arn:aws:iam:us-east-1:123456789012:role/x", false},
        {"arn:aws:sts::123456789012:assumed-role/x/y", false},
        {"arn:aws-xx:iam::123456789012:role/x", false},
        {"arn:awsx:iam::123456789012:role/x", false},
        {"ARN:aws:iam::123456789012:role/x", false},
        {"arn:aws:iam::123456789012:role/x y", false},
        {"arn:aws:iam::123456789012:role/a#b", false},
        {"arn:aws:iam::123456789012:role/a[b]/x", false},
        {"arn:aws:iam::123456789012:role/%(x)s", false},
        {"arn:aws:iam::12345678901x:role/x", false},
        {"", false},
        {"arn:aws:iam::", false},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        const char *account = NULL;
        if (irsafs_role_arn_account(rows[i].arn, strlen(rows[i].arn), &account) != rows[i].good) {
            fail_msg("%s", rows[i].arn);
        }
        if (rows[i].good) {
            assert_memory_equal(account, "123456789012", 12);
        } else {
            assert_null(account);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),     cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_nul), cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_role_arn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
