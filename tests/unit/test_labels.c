/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "client/labels.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* The labels file as kubelet writes it, and what is not that. */

static struct irsafs_str view(const char *text)
{
    return (struct irsafs_str){text, strlen(text)};
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *value; /* of the label "want"; NULL: not present */
    } rows[] = {
        {"", NULL},
        {"other=\"x\"", NULL},
        {"want=\"run-1\"", "run-1"},
        {"want=\"run-1\"\n", "run-1"},
        {"a=\"1\"\nwant=\"2\"\nz=\"3\"", "2"},
        {"want=\"\"", ""},
        {"want=\"a=b\"", "a=b"},
        {"want2=\"x\"\nwan=\"y\"", NULL},
        {"want=\"a\\\"b\\\\c\"", "a\"b\\c"},
        {"want=\"\\a\\b\\f\\n\\r\\t\\v\\'\"", "\a\b\f\n\r\t\v'"},
        {"want=\"\\x41\\u0042\\U00000043\"", "ABC"},
        {"want=\"\\u00e9\\u20ac\\U0001F600\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"want=\"\xc3\xa9\"", "\xc3\xa9"},
        {"other=\"\\\"want=\\\"\"\nwant=\"2\"", "2"},
        {"other=\"same\"\nother=\"same\"\nwant=\"2\"", "2"},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        struct irsafs_label label = {.key = "want"};
        if (irsafs_labels_parse(view(rows[i].text), &label, 1, NULL) != IRSAFS_OK) {
            fail_msg("row %zu refused: %s", i, rows[i].text);
        }
        if (label.present != (rows[i].value != NULL) ||
            strcmp(label.value, rows[i].value != NULL ? rows[i].value : "") != 0) {
            fail_msg("row %zu: %s", i, label.value);
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "want",
        "want=",
        "want=run-1",
        "want=\"run-63d1",
        "want=\"",
        "want=\"a\\\"",
        "want=\"a\"b\"",
        "want=\"a\" ",
        "want=\"a\"\r\n",
        "want=\"a\"\n\nother=\"b\"",
        "=\"a\"",
        "want=\"a\tb\"",
        "want=\"\\q\"",
        "want=\"\\x4\"",
        "want=\"\\x4g\"",
        "want=\"\\u12\"",
        "want=\"\\ud800\"",
        "want=\"\\U00110000\"",
        "want=\"a\"\nwant=\"b\"",
        "want=\"nul\\x00\"",
        "\xef\xbb\xbfwant",
    };
    for (size_t i = 0; i < IRSAFS_COUNT(texts); i++) {
        struct irsafs_label label = {.key = "want", .value = "as before"};
        struct irsafs_error err;
        if (irsafs_labels_parse(view(texts[i]), &label, 1, &err) != IRSAFS_E_LABELS) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_string_equal(label.value, "as before");
        assert_false(label.present);
        assert_non_null(strstr(err.message, "line "));
    }
}

static void test_several_and_long(void **state)
{
    (void)state;
    char text[1024];
    (void)snprintf(text, sizeof(text), "a=\"1\"\nlong=\"%0300d\"\nb=\"2\"", 0);
    struct irsafs_label labels[] = {{.key = "b"}, {.key = "missing"}, {.key = "a"}};
    assert_int_equal(irsafs_labels_parse(view(text), labels, 3, NULL), IRSAFS_OK);
    assert_string_equal(labels[0].value, "2");
    assert_false(labels[1].present);
    assert_string_equal(labels[2].value, "1");
    struct irsafs_label wanted = {.key = "long"};
    assert_int_equal(irsafs_labels_parse(view(text), &wanted, 1, NULL), IRSAFS_E_LABELS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_several_and_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
