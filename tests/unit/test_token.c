/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "client/echo.h"
#include "client/identity.h"
#include "client/jwt_hint.h"
#include "client/token.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a token is, what it says about itself and what we make of that. Sources that need a server
 * are tests/client/test_token.py. */

static char folder[] = "/tmp/irsafs-test-token-XXXXXX";

static void write_file(const char *bytes, size_t len, char ret_path[64])
{
    (void)snprintf(ret_path, 64, "%s/token", folder);
    FILE *file = fopen(ret_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static enum irsafs_code read_file(const char *bytes, size_t len, struct irsafs_token *token)
{
    char path[64];
    write_file(bytes, len, path);
    struct irsafs_client_settings settings = {.token_file = path};
    struct irsafs_buf no_key = {0};
    struct irsafs_token_sources sources;
    struct irsafs_error err = {.message = ""};
    bool refused = true;
    assert_int_equal(irsafs_token_find_sources(&settings, &no_key, &sources, &err), IRSAFS_OK);
    enum irsafs_code code = irsafs_token_read(&sources, INT64_MAX, token, &refused, &err);
    assert_false(refused);
    if (code != IRSAFS_OK && len > 8) {
        assert_null(strstr(err.message, "secret"));
    }
    return code;
}

static void token_deinit(struct irsafs_token *token)
{
    irsafs_buf_deinit(&token->secret);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *token; /* NULL: refused */
    } rows[] = {
        {"secret", "secret"},
        {"secret\n", "secret"},
        {" \t\r\n secret \r\n\r\n", "secret"},
        {"a.b-c_d~e+f/g=", "a.b-c_d~e+f/g="},
        {"", NULL},
        {" \n", NULL},
        {"secret secret", NULL},
        {"secret\nX-Injected: 1", NULL},
        {"secret\r\nX-Injected: 1\r\n", NULL},
        {"Bearer secret", NULL},
        {"\"secret\"", NULL},
        {"{\"token\":\"secret\"}", NULL},
        {"<html>secret</html>", NULL},
        {"secret\x01", NULL},
        {"secret\x7f", NULL},
        {"s\xc3\xa9"
         "cret-secret",
         NULL},
        {"\xef\xbb\xbfsecret", NULL},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        IRSAFS_CLEANUP(token_deinit) struct irsafs_token token = {.kind = IRSAFS_TOKEN_URL};
        enum irsafs_code code = read_file(rows[i].file, strlen(rows[i].file), &token);
        if (code != (rows[i].token != NULL ? IRSAFS_OK : IRSAFS_E_TOKEN_MALFORMED)) {
            fail_msg("row %zu: code %d", i, (int)code);
        }
        if (rows[i].token != NULL) {
            assert_string_equal(token.secret.data, rows[i].token);
            assert_int_equal(token.secret.len, strlen(rows[i].token));
            assert_int_equal(token.kind, IRSAFS_TOKEN_FILE);
        } else {
            assert_int_equal(token.secret.len, 0);
            assert_int_equal(token.kind, IRSAFS_TOKEN_NONE);
        }
    }
}

static void test_nul_and_size(void **state)
{
    (void)state;
    static char bytes[20000];
    memset(bytes, 'x', sizeof(bytes));
    IRSAFS_CLEANUP(token_deinit) struct irsafs_token token = {.kind = IRSAFS_TOKEN_NONE};
    assert_int_equal(read_file("a\0b", 3, &token), IRSAFS_E_TOKEN_MALFORMED);
    assert_int_equal(read_file("ab\0", 3, &token), IRSAFS_E_TOKEN_MALFORMED);
    assert_int_equal(read_file(bytes, 16384, &token), IRSAFS_OK);
    assert_int_equal(token.secret.len, 16384);
    assert_int_equal(read_file(bytes, 16385, &token), IRSAFS_E_TOKEN_MALFORMED);
    assert_int_equal(read_file(bytes, sizeof(bytes), &token), IRSAFS_E_TOKEN_MALFORMED);
}

static void test_sources(void **state)
{
    (void)state;
    struct irsafs_client_settings settings = {0};
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf key = IRSAFS_SECRET_INIT(100);
    struct irsafs_token_sources sources;
    assert_int_equal(irsafs_token_find_sources(&settings, &key, &sources, NULL),
                     IRSAFS_E_NO_TOKEN_SOURCE);
    assert_true(irsafs_buf_puts(&key, "k"));
    assert_int_equal(irsafs_token_find_sources(&settings, &key, &sources, NULL), IRSAFS_OK);
    assert_string_equal(sources.url, "");
    assert_int_equal(setenv("DOMINO_API_PROXY", "http://localhost:8899//", 1), 0);
    assert_int_equal(irsafs_token_find_sources(&settings, &key, &sources, NULL), IRSAFS_OK);
    assert_string_equal(sources.url, "http://localhost:8899/access-token");
    settings.token_url = "http://h/t/";
    assert_int_equal(irsafs_token_find_sources(&settings, &key, &sources, NULL), IRSAFS_OK);
    assert_string_equal(sources.url, "http://h/t/");
    settings.token_url = NULL;
    assert_int_equal(setenv("DOMINO_API_PROXY", "localhost:8899", 1), 0);
    assert_int_equal(irsafs_token_find_sources(&settings, &key, &sources, NULL),
                     IRSAFS_E_BAD_VALUE);
    assert_int_equal(unsetenv("DOMINO_API_PROXY"), 0);
}

static void test_take_variable(void **state)
{
    (void)state;
    char variable[] = "IRSAFS_TEST_KEY=secret"; /* as a process gets it: in the environment block */
    assert_int_equal(putenv(variable), 0);
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf value = IRSAFS_SECRET_INIT(100);
    assert_true(irsafs_token_take_variable("IRSAFS_TEST_KEY", &value));
    assert_string_equal(value.data, "secret");
    assert_null(getenv("IRSAFS_TEST_KEY"));
    assert_string_equal(variable, "IRSAFS_TEST_KEY="); /* nothing is left of the bytes */
    assert_memory_equal(variable + 16, "\0\0\0\0\0\0", 6);
    irsafs_buf_reset(&value);
    assert_true(irsafs_token_take_variable("IRSAFS_TEST_KEY", &value));
    assert_int_equal(value.len, 0);
}

/* The claims of the tokens below are in plain sight in the names; the signature is never looked at. */
#define JANE   "eyJzdWIiOiJqYW5lIiwiZXhwIjoxMDAwMDAwMTAwfQ" /* {"sub":"jane","exp":1000000100} */
#define HEADER "eyJhbGciOiJIUzI1NiJ9."                      /* {"alg":"HS256"} */

static void test_hint(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        int64_t expires;
        const char *sub;
    } rows[] = {
        /* {"sub":"jane","exp":1000000100} */
        {HEADER "eyJzdWIiOiJqYW5lIiwiZXhwIjoxMDAwMDAwMTAwfQ.c2ln", 1000000100, "jane"},
        /* {"exp":1000000100} */
        {HEADER "eyJleHAiOjEwMDAwMDAxMDB9.c2ln", 1000000100, ""},
        /* {"exp":1000000100000}: milliseconds */
        {HEADER "eyJleHAiOjEwMDAwMDAxMDAwMDB9.c2ln", 0, ""},
        /* {"exp":"1000000100"} */
        {HEADER "eyJleHAiOiIxMDAwMDAwMTAwIn0.c2ln", 0, ""},
        /* {"exp":-1} */
        {HEADER "eyJleHAiOi0xfQ.c2ln", 0, ""},
        /* {"sub":7} */
        {HEADER "eyJzdWIiOjd9.c2ln", 0, ""},
        {"opaque", 0, ""},
        {"a.b.c", 0, ""},
        {"eyJhbGciOiJQUzI1NiJ9." JANE ".c2ln", 1000000100, "jane"},   /* {"alg":"PS256"} */
        {"eyJhbGciOiJFZERTQSJ9." JANE ".c2ln", 1000000100, "jane"},   /* {"alg":"EdDSA"} */
        {"eyJhbGciOiJFUzI1NksifQ." JANE ".c2ln", 1000000100, "jane"}, /* {"alg":"ES256K"} */
        {"eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9." JANE ".c2ln", 1000000100,
         "jane"},                                              /* {"alg":"RS256","typ":"at+jwt"} */
        {"eyJhbGciOiJub25lIn0." JANE ".", 1000000100, "jane"}, /* {"alg":"none"} */
        {"e30." JANE ".c2ln", 1000000100, "jane"},             /* {} */
        {"AAAA." JANE ".c2ln", 1000000100, "jane"},            /* a header that is no JSON */
        {HEADER "eyJzdWIiOiJqYW5lIiwiZXhwIjoxMDAwMDAwMTAwLjV9.c2ln", 0,
         "jane"}, /* exp 1000000100.5 */
        {"eyJhbGciOiJQUzI1NiJ9."
         "eyJzdWIiOiJqYW5lIiwiZXhwIjoxMDAwMDAwMTAwLjV9.c2ln",
         0, "jane"},
        {HEADER "eyJzdWIiOiJqYW5lIiwiZXhwIjoxZTMwfQ.c2ln", 0, "jane"}, /* exp 1e30 */
        {"eyJhbGciOiJQUzI1NiJ9."
         "eyJzdWIiOiJqYW5lIiwiZXhwIjoxZTMwfQ.c2ln",
         0, "jane"},
        {HEADER "eyJzdWIiOiJqYW5lIiwiZXhwIjo5MjIzMzcyMDM2ODU0Nzc1ODA4fQ.c2ln", 0,
         ""}, /* exp 2^63 */
        {"eyJhbGciOiJQUzI1NiJ9."
         "eyJzdWIiOiJqYW5lIiwiZXhwIjo5MjIzMzcyMDM2ODU0Nzc1ODA4fQ.c2ln",
         0, ""},
        {HEADER "eyJzdWIiOiJhXHUwMDAwYiJ9.c2ln", 0, ""}, /* sub with NUL */
        {"eyJhbGciOiJQUzI1NiJ9."
         "eyJzdWIiOiJhXHUwMDAwYiJ9.c2ln",
         0, ""},
        {HEADER "WyJzdWIiXQ.c2ln", 0, ""}, /* an array */
        {"eyJhbGciOiJQUzI1NiJ9."
         "WyJzdWIiXQ.c2ln",
         0, ""},
        {HEADER "IHsic3ViIjoiPz8-Pn5-In0.c2ln", 0, "?\?>>~~"}, /* "?>" in base64url */
        {"eyJhbGciOiJQUzI1NiJ9."
         "IHsic3ViIjoiPz8-Pn5-In0.c2ln",
         0, "?\?>>~~"},
        {"", 0, ""},
        {".", 0, ""},
        {"..", 0, ""},
        {"...", 0, ""},
        {".b.c", 0, ""},
        {"a..c", 0, ""},
        {"a.b", 0, ""},
        {"a.b.", 0, ""},
        {"a.b.c.d", 0, ""},
        {"a.b.c.d.e", 0, ""},
        {".x.y", 0, ""},
        {"a..b", 0, ""},
        {" a.b.c", 0, ""},
        {"a.b=.c", 0, ""},
        {"a+b.c.d", 0, ""},
        {"a.b.c\n", 0, ""},
        {"=.=.=", 0, ""},
        {"e30.e30.", 0, ""},
        {"e30..", 0, ""},
        {"e30.=.", 0, ""},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        struct irsafs_jwt_hint hint = {.expires_unix_s = 77, .sub = "before"};
        irsafs_jwt_hint_read(rows[i].token, 1000000000, &hint);
        if (hint.expires_unix_s != rows[i].expires || strcmp(hint.sub, rows[i].sub) != 0) {
            fail_msg("row %zu: exp %lld sub %s", i, (long long)hint.expires_unix_s, hint.sub);
        }
    }
}

/* header, then count times the four base64 characters of quad, then the end. */
static void hint_of(const char *begin,
                    const char *quad,
                    size_t count,
                    const char *end,
                    struct irsafs_jwt_hint *ret_hint)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf token = IRSAFS_BUF_INIT(1 << 20);
    bool ok = irsafs_buf_puts(&token, begin);
    for (size_t i = 0; ok && i < count; i++) {
        ok = irsafs_buf_puts(&token, quad);
    }
    assert_true(ok && irsafs_buf_puts(&token, end));
    *ret_hint = (struct irsafs_jwt_hint){.expires_unix_s = 77, .sub = "before"};
    irsafs_jwt_hint_read(token.data, 1000000000, ret_hint);
}

static void test_hint_of_large_claims(void **state)
{
    (void)state;
    /* {"alg":"HS256"} libjwt decodes, {"alg":"PS256"} we do */
    static const char *const headers[] = {"eyJhbGciOiJIUzI1NiJ9.", "eyJhbGciOiJQUzI1NiJ9."};
    for (size_t i = 0; i < IRSAFS_COUNT(headers); i++) {
        struct irsafs_jwt_hint hint;
        char begin[64];
        hint_of(headers[i], "W1tb", 4000, ".c2ln", &hint); /* [[[[ ... */
        assert_string_equal(hint.sub, "");
        hint_of(headers[i], "eyJh", 4081, ".c2ln", &hint); /* 16 KiB of nonsense */
        assert_string_equal(hint.sub, "");
        hint_of(headers[i], "eyJh", 5000, ".c2ln", &hint); /* more than a token may be */
        assert_string_equal(hint.sub, "");
        (void)snprintf(begin, sizeof(begin), "%seyJzdWIiOiAi", headers[i]); /* {"sub": " */
        hint_of(begin, "eHh4", 85, "In0.c2ln", &hint);                      /* 255 times x, "} */
        assert_int_equal(strlen(hint.sub), 255);
        hint_of(begin, "eHh4", 86, "In0.c2ln", &hint);
        assert_string_equal(hint.sub, "");
    }
}

static void test_identity(void **state)
{
    (void)state;
    char hex[IRSAFS_IDENTITY_SIZE];
    assert_true(irsafs_identity((struct irsafs_str){"jane", 4}, (struct irsafs_str){"1", 1}, hex));
    /* printf 'jane\0001' | sha256sum */
    assert_string_equal(hex, "6dcf03e3a677f09be6224486b8ca288446fef7a0de86cd1a3cbd02c2f11528ee");
    assert_true(irsafs_identity((struct irsafs_str){"", 0}, (struct irsafs_str){"1", 1}, hex));
    /* printf '\0001' | sha256sum */
    assert_string_equal(hex, "2215e8ac4e2b871c2a48189e79738c956c081e23ac2f2415bf77da199dfd920c");
}

static void test_echo(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        const char *text;
        bool echoes;
    } rows[] = {
        {"0123456789ab", "0123456789ab", true},
        {"0123456789ab", "x0123456789abx", true},
        {"0123456789ab", "0123456789a", false},
        {"0123456789ab", "0123456789ac123456789ab", false},
        {"xx0123456789abxx", "--0123456789ab--", true},
        {"0123456789a", "0123456789a", false}, /* too short to look for */
        {"", "0123456789ab", false},
        {"0123456789ab", "", false},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        if (irsafs_echoes((struct irsafs_str){rows[i].secret, strlen(rows[i].secret)},
                          (struct irsafs_str){rows[i].text, strlen(rows[i].text)}) !=
            rows[i].echoes) {
            fail_msg("row %zu", i);
        }
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/token", folder);
    return unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),    cmocka_unit_test(test_nul_and_size),
        cmocka_unit_test(test_sources),  cmocka_unit_test(test_take_variable),
        cmocka_unit_test(test_hint),     cmocka_unit_test(test_hint_of_large_claims),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_echo),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
