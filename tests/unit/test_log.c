/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_line: the form of a line in each format, whatever the values hold. */
#include "base/log_line.h"
#include "tests/unit/unit.h"

#include <jansson.h>
#include <string.h>

enum { JSON_FLAGS = JSON_REJECT_DUPLICATES };

static char line[IRSAFS_LOG_LINE_MAX + 1];

static const char *render(enum irsafs_log_format format, const struct irsafs_log_field *fields)
{
    const struct irsafs_log_event event = {.level = IRSAFS_LOG_WARN,
                                           .name = "something",
                                           .at = {.tv_sec = 1767225600, .tv_nsec = 7999999},
                                           .fields = fields};
    size_t len = irsafs_log_line(format, &event, line);
    assert_true(len <= IRSAFS_LOG_LINE_MAX);
    assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
    for (size_t i = 0; i + 1 < len; i++) {
        assert_in_range(line[i], 0x20, 0x7E);
    }
    line[len] = '\0';
    return line;
}

#define FIELDS(...) ((const struct irsafs_log_field[]){__VA_ARGS__, {.name = NULL}})

static const struct irsafs_log_field *all_kinds(void)
{
    static const struct irsafs_log_field fields[] = {
        IRSAFS_LOG_CODE("code", 3),
        IRSAFS_LOG_TEXT("plain", "http://127.0.0.1:80/a?b,c"),
        IRSAFS_LOG_TEXT("words", "two words"),
        IRSAFS_LOG_TEXT("odd", "a\"b\\c=\n\x80"),
        IRSAFS_LOG_TEXT("none", NULL),
        IRSAFS_LOG_NUMBER("number", INT64_MIN),
        {.name = NULL},
    };
    return fields;
}

static void test_text(void **arg)
{
    (void)arg;
    assert_string_equal(render(IRSAFS_LOG_AS_TEXT, FIELDS({.name = NULL})),
                        "2026-01-01T00:00:00.007Z WARN something\n");
    assert_string_equal(render(IRSAFS_LOG_AS_TEXT, all_kinds()),
                        "2026-01-01T00:00:00.007Z WARN something code=IRSAFS-E003 "
                        "plain=http://127.0.0.1:80/a?b,c words=\"two words\" "
                        "odd=\"a\\\"b\\\\c=??\" none=\"\" number=-9223372036854775808\n");
}

static void test_python(void **arg)
{
    (void)arg;
    assert_string_equal(render(IRSAFS_LOG_AS_PYTHON, FIELDS(IRSAFS_LOG_NUMBER("n", 1))),
                        "2026-01-01 00:00:00,007 - irsafs - WARNING - something n=1\n");
}

static void test_json(void **arg)
{
    (void)arg;
    assert_string_equal(render(IRSAFS_LOG_AS_JSON, FIELDS({.name = NULL})),
                        "{\"ts\":\"2026-01-01T00:00:00.007Z\",\"level\":\"warn\","
                        "\"event\":\"something\"}\n");
    json_t *object = json_loads(render(IRSAFS_LOG_AS_JSON, all_kinds()), JSON_FLAGS, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "code")), "IRSAFS-E003");
    assert_string_equal(json_string_value(json_object_get(object, "odd")), "a\"b\\c=??");
    assert_string_equal(json_string_value(json_object_get(object, "none")), "");
    assert_true(json_integer_value(json_object_get(object, "number")) == INT64_MIN);
    json_decref(object);
}

/* Of every length, of every byte: so that each place where a line can be cut is met. */
static void test_cut_lines_are_whole(void **arg)
{
    static const char bytes[] = "x\"\\\n ";
    static char value[2 * IRSAFS_LOG_LINE_MAX];
    (void)arg;
    for (const char *byte = bytes; *byte != '\0'; byte++) {
        for (size_t len = 0; len < sizeof(value); len++) {
            memset(value, *byte, len);
            value[len] = '\0';
            const struct irsafs_log_field *fields =
                FIELDS(IRSAFS_LOG_TEXT("a", value), IRSAFS_LOG_TEXT("b", value),
                       IRSAFS_LOG_TEXT("c", value), IRSAFS_LOG_NUMBER("d", 1));
            json_t *object = json_loads(render(IRSAFS_LOG_AS_JSON, fields), JSON_FLAGS, NULL);
            assert_non_null(object);
            const char *a = json_string_value(json_object_get(object, "a"));
            size_t shown = strlen(a);
            assert_true(shown == len || strcmp(a + shown - 3, "...") == 0);
            assert_true(shown <= IRSAFS_LOG_VALUE_MAX);
            json_decref(object);
            const char *text = render(IRSAFS_LOG_AS_TEXT, fields);
            size_t quotes = 0;
            for (const char *c = text; *c != '\0'; c++) {
                quotes += *c == '"' ? 1 : 0;
                c += *c == '\\' ? 1 : 0; /* what is escaped does not count */
            }
            assert_int_equal(quotes % 2, 0);
        }
    }
}

static void test_names(void **arg)
{
    enum irsafs_log_level level;
    enum irsafs_log_format format;
    (void)arg;
    assert_true(irsafs_log_level_parse("WARNING", &level));
    assert_string_equal(irsafs_log_level_name(level), "warn");
    assert_false(irsafs_log_level_parse("loud", &level) || irsafs_log_level_parse(NULL, &level));
    assert_true(irsafs_log_format_parse("JSON", &format));
    assert_string_equal(irsafs_log_format_name(format), "json");
    assert_false(irsafs_log_format_parse("", &format) || irsafs_log_format_parse(NULL, &format));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),  cmocka_unit_test(test_python),
        cmocka_unit_test(test_json),  cmocka_unit_test(test_cut_lines_are_whole),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
