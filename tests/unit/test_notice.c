/* SPDX-License-Identifier: Apache-2.0 */
/* The comment lines on top of a text that is not fresh. */
#include "base/awsconfig/canon.h"
#include "fs/core/notice.h"
#include "tests/unit/unit.h"

#include <string.h>

static void test_lines_are_canonical_whatever_is_in_them(void **arg)
{
    (void)arg;
    char path[500];
    char text[IRSAFS_NOTICE_MAX];
    struct irsafs_error reason;
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[7] = '\n'; /* a mount point may have any name */
    path[8] = '\xff';
    path[sizeof(path) - 1] = '\0';
    for (size_t len = 0; len < IRSAFS_MESSAGE_MAX + 20; len++) {
        char message[IRSAFS_MESSAGE_MAX + 20];
        memset(message, '[', len);
        message[len] = '\0';
        (void)irsafs_error_set(&reason, IRSAFS_E_SERVICE, "%s", message);
        for (int have_text = 0; have_text < 2; have_text++) {
            struct irsafs_notice notice = {.have_text = have_text != 0,
                                           .mountpoint = path,
                                           .since_s = INT64_MAX,
                                           .fetched_s = INT64_MIN,
                                           .reason = &reason};
            size_t offset;
            size_t n = irsafs_notice_render(&notice, text);
            assert_true(n < sizeof(text));
            assert_int_equal(strlen(text), n);
            assert_null(irsafs_canon_check(text, n, "/t", &offset));
        }
    }
}

static void test_words(void **arg)
{
    (void)arg;
    char text[IRSAFS_NOTICE_MAX];
    struct irsafs_error reason;
    (void)irsafs_error_set(&reason, IRSAFS_E_CONNECT, "nothing listens on irsa-svc");
    struct irsafs_notice notice = {.have_text = true,
                                   .mountpoint = "/var/run/.aws",
                                   .since_s = 1767225600,
                                   .fetched_s = 0,
                                   .reason = &reason};
    (void)irsafs_notice_render(&notice, text);
    assert_non_null(strstr(text, "# irsafs: STALE since 2026-01-01T00:00:00Z."));
    assert_non_null(strstr(text, "1970-01-01T00:00:00Z"));
    assert_non_null(strstr(text, "# Cause: nothing listens on irsa-svc (IRSAFS-E503)\n"));
    assert_non_null(strstr(text, irsafs_code_remedy(IRSAFS_E_CONNECT)));
    assert_non_null(strstr(text, "touch /var/run/.aws/refresh\n"));
    assert_non_null(strstr(text, "cat /var/run/.aws/status\n"));
    notice.have_text = false;
    (void)irsafs_notice_render(&notice, text);
    assert_non_null(strstr(text, "# irsafs: NO PROFILES since 2026-01-01T00:00:00Z."));
    assert_null(strstr(text, "STALE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_canonical_whatever_is_in_them),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
