/* SPDX-License-Identifier: Apache-2.0 */
/* base/: options, durations, buffers, errors, and a log that never blocks. */
#include "base/buf.h"
#include "base/client_options.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- options */

struct settings {
    int64_t time_ms, number, mode;
    bool flag;
    const char *text;
    int level;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct irsafs_option options[] = {
    {.name = "time",
     .env = "T_TIME",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(time_ms),
     .max = 60000},
    {.name = "number",
     .env = "T_NUMBER T_OLD",
     .type = IRSAFS_OPT_UINT,
     .offset = FIELD(number),
     .max = 9},
    {.name = "mode", .type = IRSAFS_OPT_MODE, .offset = FIELD(mode)},
    {.name = "flag", .env = "T_FLAG", .type = IRSAFS_OPT_FLAG, .offset = FIELD(flag)},
    {.name = "text", .type = IRSAFS_OPT_STRING, .offset = FIELD(text)},
    {.name = "level", .env = "T_LEVEL ?T_SHARED", .type = IRSAFS_OPT_LEVEL, .offset = FIELD(level)},
};

static struct settings parsed;
static struct irsafs_given given;
static char *words[16];
static int n_words;
static bool help;
static struct irsafs_error err;

/* Parses "a b c" as a command line. */
static enum irsafs_code parse(const char *line)
{
    static char copy[256];
    struct irsafs_option_table table = {.title = "T",
                                        .options = options,
                                        .n_options = IRSAFS_COUNT(options),
                                        .settings = &parsed,
                                        .given = &given};
    int argc = 0;
    char *at = copy;
    (void)snprintf(copy, sizeof(copy), "program %s", line);
    for (char *word; (word = strsep(&at, " ")) != NULL;) {
        words[argc++] = word;
    }
    parsed = (struct settings){0};
    given.n = 0;
    help = false;
    n_words = -1;
    err.message[0] = '\0';
    return irsafs_options_parse(&table, 1, argc, words, &n_words, &help, &err);
}

static void test_flags(void **arg)
{
    (void)arg;
    assert_int_equal(parse("a --time 5s --number=7 b --mode 0444 --flag --text=x --level WARN"), 0);
    assert_int_equal(n_words, 2);
    assert_string_equal(words[1], "a");
    assert_string_equal(words[2], "b");
    assert_int_equal(parsed.time_ms, 5000);
    assert_int_equal(parsed.number, 7);
    assert_int_equal(parsed.mode, 0444);
    assert_true(parsed.flag);
    assert_string_equal(parsed.text, "x");
    assert_int_equal(parsed.level, IRSAFS_LOG_WARN);
    assert_int_equal(given.n, 9); /* as they stood, to be handed on */
    assert_string_equal(given.words[0], "--time");
    assert_string_equal(given.words[1], "5s");
    assert_int_equal(parse("--flag=off -- --time x"), 0);
    assert_false(parsed.flag);
    assert_int_equal(n_words, 2);
    assert_int_equal(parse("--bad --help"), IRSAFS_E_USAGE);
    assert_int_equal(parse("--help --bad"), 0);
    assert_true(help);
}

static void test_bad_flags(void **arg)
{
    (void)arg;
    static const struct {
        const char *line;
        enum irsafs_code code;
    } cases[] = {
        {"--nope", IRSAFS_E_USAGE},
        {"-t", IRSAFS_E_USAGE},
        {"--", IRSAFS_OK},
        {"--tim 5s", IRSAFS_E_USAGE},
        {"--time", IRSAFS_E_USAGE},
        {"--time=", IRSAFS_E_BAD_FLAG_VALUE},
        {"--time 5", IRSAFS_E_BAD_FLAG_VALUE},
        {"--time -5s", IRSAFS_E_BAD_FLAG_VALUE},
        {"--time 2h", IRSAFS_E_BAD_FLAG_VALUE},
        {"--number 10", IRSAFS_E_BAD_FLAG_VALUE},
        {"--number 1x", IRSAFS_E_BAD_FLAG_VALUE},
        {"--number 99999999999999999999", IRSAFS_E_BAD_FLAG_VALUE},
        {"--mode 888", IRSAFS_E_BAD_FLAG_VALUE},
        {"--mode 1777", IRSAFS_E_BAD_FLAG_VALUE},
        {"--flag=maybe", IRSAFS_E_BAD_FLAG_VALUE},
        {"--text=", IRSAFS_E_BAD_FLAG_VALUE},
        {"--level loud", IRSAFS_E_BAD_FLAG_VALUE},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(cases); i++) {
        assert_int_equal(parse(cases[i].line), cases[i].code);
    }
}

static void test_environment(void **arg)
{
    (void)arg;
    (void)setenv("T_OLD", "3", 1);
    assert_int_equal(parse(""), 0);
    assert_int_equal(parsed.number, 3);
    (void)setenv("T_NUMBER", "4", 1);
    assert_int_equal(parse(""), 0);
    assert_int_equal(parsed.number, 4); /* the first name that is set */
    assert_int_equal(parse("--number 5"), 0);
    assert_int_equal(parsed.number, 5);
    (void)setenv("T_NUMBER", "many", 1);
    assert_int_equal(parse(""), IRSAFS_E_BAD_VALUE);
    assert_non_null(strstr(err.message, "T_NUMBER=many"));
    assert_int_equal(parse("--number 5"), 0); /* not asked for its environment then */
    (void)setenv("T_NUMBER", "", 1);
    assert_int_equal(parse(""), 0);
    assert_int_equal(parsed.number, 3); /* empty is not set */
    (void)setenv("T_SHARED", "TRACE", 1);
    assert_int_equal(parse(""), 0); /* others own that name: ignored with a warning */
    (void)setenv("T_LEVEL", "TRACE", 1);
    assert_int_equal(parse(""), IRSAFS_E_BAD_VALUE);
    (void)unsetenv("T_LEVEL");
    (void)unsetenv("T_SHARED");
    (void)unsetenv("T_NUMBER");
    (void)unsetenv("T_OLD");
}

static void test_durations(void **arg)
{
    (void)arg;
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } cases[] = {
        {"0s", 0},   {"500ms", 500}, {"2s", 2000}, {"15m", 900000}, {"24h", 86400000},
        {"", -1},    {"s", -1},      {"5", -1},    {"1.5s", -1},    {" 1s", -1},
        {"1s ", -1}, {"+1s", -1},    {"1d", -1},   {"1S", -1},      {"9223372036854775807h", -1},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(cases); i++) {
        int64_t ms = -1;
        assert_int_equal(irsafs_duration_parse(cases[i].text, &ms), cases[i].ms >= 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

/* ---- errors */

static void test_codes(void **arg)
{
    (void)arg;
    assert_int_equal(irsafs_code_exit_status(IRSAFS_OK), 0);
    assert_int_equal(irsafs_code_exit_status(IRSAFS_E_MEMORY), 75);
    assert_int_equal(irsafs_code_exit_status(IRSAFS_E_SERVED), 10);
    assert_int_equal(irsafs_code_exit_status(IRSAFS_E_USAGE), 2);
    assert_int_equal(irsafs_code_exit_status(IRSAFS_E_NO_FUSE), 9);
    assert_int_equal(irsafs_code_from_number(503), IRSAFS_E_CONNECT);
    assert_int_equal(irsafs_code_from_number(0), IRSAFS_E_CLIENT_DIED);
    assert_int_equal(irsafs_code_from_number(599), IRSAFS_E_CLIENT_DIED);
    assert_int_equal(irsafs_code_from_number(-1), IRSAFS_E_CLIENT_DIED);
}

static void test_messages_are_clean_and_bounded(void **arg)
{
    (void)arg;
    char big[1000];
    memset(big, '\x1b', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(irsafs_error_set(&err, IRSAFS_E_USAGE, "a\n%s", big), IRSAFS_E_USAGE);
    assert_int_equal(strlen(err.message), IRSAFS_MESSAGE_MAX - 1);
    assert_int_equal(strspn(err.message, "a?"), IRSAFS_MESSAGE_MAX - 1);
    assert_int_equal(irsafs_error_set(NULL, IRSAFS_E_USAGE, "nobody listens"), IRSAFS_E_USAGE);
}

/* ---- buffers, files, time */

static void test_buffer_has_a_ceiling(void **arg)
{
    (void)arg;
    struct irsafs_buf buf = IRSAFS_BUF_INIT(1000);
    for (int i = 0; i < 10; i++) {
        assert_true(
            irsafs_buf_puts(&buf, "0123456789012345678901234567890123456789"
                                  "012345678901234567890123456789012345678901234567890123456789"));
    }
    assert_int_equal(buf.len, 1000);
    assert_false(irsafs_buf_puts(&buf, "x"));
    assert_int_equal(buf.len, 1000);
    assert_int_equal(strlen(buf.data), 1000);
    irsafs_buf_deinit(&buf);
    assert_null(buf.data);
}

static void test_only_regular_files_are_read(void **arg)
{
    (void)arg;
    char folder[] = "/tmp/irsafs-unit-XXXXXX";
    char path[64];
    struct irsafs_buf buf = IRSAFS_BUF_INIT(16);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(irsafs_file_read(folder, &buf), EINVAL);
    assert_int_equal(irsafs_file_read("/dev/zero", &buf), EINVAL);
    (void)snprintf(path, sizeof(path), "%s/x", folder);
    assert_int_equal(irsafs_file_read(path, &buf), ENOENT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(irsafs_file_read(path, &buf), EINVAL); /* and does not wait for a writer */
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(irsafs_write_all(fd, "0123456789abcdef", 16));
    assert_int_equal(irsafs_file_read(path, &buf), 0);
    assert_string_equal(buf.data, "0123456789abcdef");
    irsafs_buf_reset(&buf);
    assert_true(irsafs_write_all(fd, "x", 1));
    assert_int_equal(irsafs_file_read(path, &buf), EFBIG);
    assert_int_equal(irsafs_fd_close(fd), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    irsafs_buf_deinit(&buf);
}

static void test_rfc3339(void **arg)
{
    (void)arg;
    char text[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    irsafs_clock_rfc3339(1767225600, text);
    assert_string_equal(text, "2026-01-01T00:00:00Z");
    irsafs_clock_rfc3339(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    irsafs_clock_rfc3339(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void test_rfc3339_is_read_strictly(void **arg)
{
    (void)arg;
    static const char *const bad[] = {
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00.5Z",
        "2026-1-1T0:0:0Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "12026-01-01T00:00:00Z",
        "1767225600",
    };
    int64_t unix_s = 7;
    for (size_t i = 0; i < IRSAFS_COUNT(bad); i++) {
        assert_false(irsafs_clock_parse_rfc3339(bad[i], &unix_s));
        assert_int_equal(unix_s, 7); /* untouched */
    }
    assert_true(irsafs_clock_parse_rfc3339("2026-01-01T00:00:00Z", &unix_s));
    assert_int_equal(unix_s, 1767225600);
    assert_true(irsafs_clock_parse_rfc3339("9999-12-31T23:59:59Z", &unix_s));
    assert_int_equal(unix_s, 253402300799);
}

/* ---- the log */

static void test_log_never_blocks(void **arg)
{
    (void)arg;
    int ends[2];
    char page[4096];
    int saved = dup(STDERR_FILENO);
    memset(page, 'x', sizeof(page));
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], page, sizeof(page)) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* a blocking pipe, full */
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    irsafs_log(IRSAFS_LOG_WARN, "lost", IRSAFS_LOG_NUMBER("n", 1)); /* would hang here */
    irsafs_log(IRSAFS_LOG_WARN, "lost");
    while (read(ends[0], page, sizeof(page)) > 0) {
    }
    irsafs_log(IRSAFS_LOG_WARN, "kept", IRSAFS_LOG_TEXT("value", "a\nb"));
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = read(ends[0], page, sizeof(page) - 1);
    assert_true(n > 0);
    page[n] = '\0';
    assert_non_null(strstr(page, "Z WARN kept value=a?b\n"));
    assert_non_null(strstr(page, "Z WARN log_lines_lost lines=2\n"));
    assert_null(strstr(page, " lost"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_bad_flags),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_messages_are_clean_and_bounded),
        cmocka_unit_test(test_buffer_has_a_ceiling),
        cmocka_unit_test(test_only_regular_files_are_read),
        cmocka_unit_test(test_rfc3339),
        cmocka_unit_test(test_rfc3339_is_read_strictly),
        cmocka_unit_test(test_log_never_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
