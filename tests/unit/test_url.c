/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "base/client_options.h"
#include "base/url.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* The grammar of URLs, and the check of settings that uses it. */

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool https;
        const char *host;
        unsigned port;
    } rows[] = {
        {"http://a", false, "a", 80},
        {"https://irsa-svc.domino-field/map_iam_roles_to_pod_sa", true, "irsa-svc.domino-field",
         443},
        {"http://127.0.0.1:8899/", false, "127.0.0.1", 8899},
        {"https://[::1]:443/x", true, "::1", 443},
        {"http://[fe80::1]", false, "fe80::1", 80},
        {"http://h:65535?q=@:[]", false, "h", 65535},
        {"http://under_score/", false, "under_score", 80},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        struct irsafs_url url;
        if (!irsafs_url_parse(rows[i].text, &url)) {
            fail_msg("refused: %s", rows[i].text);
        }
        assert_int_equal(url.https, rows[i].https);
        assert_true(irsafs_str_is(url.host, rows[i].host));
        assert_int_equal(url.port, rows[i].port);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "http://",
        "https:///path",
        "HTTP://h/",
        "ftp://h/",
        "file:///etc/passwd",
        "//h/",
        "h:80",
        "http:/h",
        "http://user@h/",
        "http://user:password@h/",
        "http://h#f",
        "http://h/#f",
        "http://h/a b",
        "http://h/a\nb",
        "http://h\\@evil/",
        "http://h/\\x",
        "http://h:",
        "http://h:0/",
        "http://h:65536/",
        "http://h:655360/",
        "http://h:8a/",
        "http://h:-1/",
        "http://[::1",
        "http://[::1x/",
        "http://::1/",
        "http://[h]/",
        "http://[]/",
        "http://h\xc3\xa9/",
        " http://h/",
        "http://h%41/",
    };
    for (size_t i = 0; i < IRSAFS_COUNT(texts); i++) {
        struct irsafs_url url = {.https = true, .host = {NULL, 77}};
        if (irsafs_url_parse(texts[i], &url)) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_int_equal(url.host.len, 77);
    }
}

static void check(int argc, char **argv, enum irsafs_code expected, const char *part)
{
    struct irsafs_client_settings settings;
    struct irsafs_option_table table = irsafs_client_options(&settings);
    struct irsafs_error err = {.message = ""};
    int n_words = 0;
    bool help = false;
    assert_int_equal(irsafs_options_parse(&table, 1, argc, argv, &n_words, &help, &err), IRSAFS_OK);
    assert_int_equal(irsafs_client_settings_check(&table, &err), expected);
    if (strstr(err.message, part) == NULL || strstr(err.message, "hunter2") != NULL) {
        fail_msg("%s", err.message);
    }
}

static void test_settings(void **state)
{
    (void)state;
    char name[] = "x", good[] = "--endpoint=http://h/", bad[] = "--endpoint=http://u:hunter2@h/";
    char proxy[] = "--proxy=https://h/", run[] = "--run-id=-x";
    char path[] = "--web-identity-token-file=token", quote[] = "--web-identity-token-file=/a'b";
    check(2, (char *[]){name, good, NULL}, IRSAFS_OK, "");
    check(2, (char *[]){name, bad, NULL}, IRSAFS_E_BAD_FLAG_VALUE, "--endpoint");
    check(2, (char *[]){name, proxy, NULL}, IRSAFS_E_BAD_FLAG_VALUE, "--proxy");
    check(2, (char *[]){name, run, NULL}, IRSAFS_E_BAD_FLAG_VALUE, "--run-id");
    check(2, (char *[]){name, path, NULL}, IRSAFS_E_BAD_FLAG_VALUE, "--web-identity-token-file");
    check(2, (char *[]){name, quote, NULL}, IRSAFS_E_BAD_FLAG_VALUE, "--web-identity-token-file");
}

/* The same value is the fault of whoever gave it: exit code 2 for a flag, 3 for the environment. */
static void test_environment(void **state)
{
    (void)state;
    char name[] = "x", flag[] = "--endpoint=http://h/";
    assert_int_equal(setenv("DOMINO_IRSA_ENDPOINT", "ftp://u:hunter2@h/", 1), 0);
    check(1, (char *[]){name, NULL}, IRSAFS_E_BAD_VALUE, "DOMINO_IRSA_ENDPOINT");
    check(2, (char *[]){name, flag, NULL}, IRSAFS_OK, "");
    assert_int_equal(unsetenv("DOMINO_IRSA_ENDPOINT"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
