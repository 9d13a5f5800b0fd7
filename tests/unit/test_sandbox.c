/* SPDX-License-Identifier: Apache-2.0 */
/* base/sandbox: the words of --sandbox, and what each mode makes of a wall that cannot be had. */
#include "base/client_options.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void test_modes(void **arg)
{
    (void)arg;
    static const enum irsafs_sandbox_mode modes[] = {IRSAFS_SANDBOX_OFF, IRSAFS_SANDBOX_BEST_EFFORT,
                                                     IRSAFS_SANDBOX_REQUIRED};
    static const char *const bad[] = {NULL, "", "on", "Off", "best", "best-effort ", "required1"};
    for (size_t i = 0; i < IRSAFS_COUNT(modes); i++) {
        enum irsafs_sandbox_mode mode = modes[(i + 1) % IRSAFS_COUNT(modes)];
        assert_true(irsafs_sandbox_mode_parse(irsafs_sandbox_mode_name(modes[i]), &mode));
        assert_int_equal(mode, modes[i]);
    }
    for (size_t i = 0; i < IRSAFS_COUNT(bad); i++) {
        enum irsafs_sandbox_mode mode = IRSAFS_SANDBOX_REQUIRED;
        assert_false(irsafs_sandbox_mode_parse(bad[i], &mode));
        assert_int_equal(mode, IRSAFS_SANDBOX_REQUIRED); /* untouched */
    }
}

static void test_setting(void **arg)
{
    (void)arg;
    struct irsafs_client_settings settings;
    struct irsafs_option_table table = irsafs_client_options(&settings);
    struct irsafs_error err = {.message = ""};
    assert_string_equal(settings.sandbox, irsafs_sandbox_mode_name(irsafs_sandbox_mode_default()));
    assert_int_equal(irsafs_client_settings_check(&table, &err), IRSAFS_OK);
    char client[] = "client";
    char flag[] = "--sandbox=strict";
    char *words[] = {client, flag, NULL};
    int n_words;
    bool help;
    assert_int_equal(irsafs_options_parse(&table, 1, 2, words, &n_words, &help, &err),
                     IRSAFS_E_BAD_FLAG_VALUE);
    assert_non_null(strstr(err.message, "'strict' is not required, best-effort or off"));
}

static void test_names(void **arg)
{
    (void)arg;
    const char *names[IRSAFS_SANDBOX_NAMES_MAX];
    struct irsafs_sandbox_report report = {0};
    assert_int_equal(irsafs_sandbox_names(&report, names), 0);
    report.seccomp = true;
    report.uid = true;
    assert_int_equal(irsafs_sandbox_names(&report, names), 2);
    assert_string_equal(names[0], "uid");
    assert_string_equal(names[1], "seccomp");
    report = (struct irsafs_sandbox_report){true, true, true, true, true};
    assert_int_equal(irsafs_sandbox_names(&report, names), IRSAFS_SANDBOX_NAMES_MAX);
    assert_string_equal(names[4], "landlock");
}

static void test_what_is_missing(void **arg)
{
    (void)arg;
    struct irsafs_error err = {.message = ""};
    bool took = false;
    assert_int_equal(irsafs_sandbox_note(IRSAFS_SANDBOX_REQUIRED, "x", 0, &took, &err), IRSAFS_OK);
    assert_true(took);
    assert_int_equal(irsafs_sandbox_note(IRSAFS_SANDBOX_BEST_EFFORT, "x", ENOSYS, &took, &err),
                     IRSAFS_OK);
    assert_false(took);
    assert_string_equal(err.message, "");
    assert_int_equal(irsafs_sandbox_note(IRSAFS_SANDBOX_REQUIRED, "x", ENOSYS, &took, &err),
                     IRSAFS_E_SANDBOX);
    assert_string_equal(err.message, "x: Function not implemented");
    assert_int_equal(irsafs_code_exit_status(IRSAFS_E_SANDBOX), 9);
    assert_int_equal(irsafs_sandbox_note(IRSAFS_SANDBOX_BEST_EFFORT, "x", ENOMEM, &took, &err),
                     IRSAFS_E_MEMORY);
    assert_false(took);
}

static void test_reason(void **arg)
{
    (void)arg;
    char reason[IRSAFS_FILE_REASON_SIZE];
    irsafs_file_reason("/etc", EINVAL, "p", reason);
    assert_string_equal(reason, "not a regular file");
    irsafs_file_reason("/nowhere", ENOENT, "p", reason);
    assert_string_equal(reason, "No such file or directory");
    irsafs_file_reason("/nowhere", EACCES, "p", reason); /* gone since */
    assert_string_equal(reason, "Permission denied");
    irsafs_file_reason("/etc/passwd", EACCES, "p", reason); /* readable, and yet refused */
    assert_non_null(strstr(reason, "by the sandbox"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),  cmocka_unit_test(test_setting),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
