/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a token file. It is accepted exactly when it is one bare token with blanks around it,
 * and what is accepted cannot end a header line; what is refused is nowhere to be seen. What a token
 * says about itself is a plausible time or nothing, whatever the token is. */
#include "base/limits.h"
#include "client/jwt_hint.h"
#include "client/token.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static const int64_t now_s = 1767225600;

static struct irsafs_str trimmed(struct irsafs_str text)
{
    while (text.len > 0 && text.ptr[0] != '\0' && strchr(" \t\r\n", text.ptr[0]) != NULL) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && text.ptr[text.len - 1] != '\0' &&
           strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

static bool is_token(struct irsafs_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c >= 0x7F || strchr("\"'\\<>{}", c) != NULL) {
            return false;
        }
    }
    return text.len >= 1 && text.len <= IRSAFS_TOKEN_MAX;
}

/* Each is a whole message: nothing of the token can be in it. */
static bool is_known_message(const char *message, const char *path)
{
    static const char *const known[] = {
        "token file gave an empty token",
        "token file gave more than a token may be",
        "token file gave something that is not one line with a bare token",
    };
    for (size_t i = 0; i < IRSAFS_COUNT(known); i++) {
        if (strcmp(message, known[i]) == 0) {
            return true;
        }
    }
    return strstr(message, path) != NULL && strlen(message) < 80;
}

static void assert_hint(const char *token)
{
    struct irsafs_jwt_hint hint;
    irsafs_jwt_hint_read(token, now_s, &hint);
    FUZZ_ASSERT(hint.expires_unix_s == 0 || llabs(hint.expires_unix_s - now_s) < 366 * 24 * 3600);
    FUZZ_ASSERT(strnlen(hint.sub, sizeof(hint.sub)) < sizeof(hint.sub));
}

static void assert_file(struct irsafs_str text)
{
    const char *path = fuzz_file(0, text);
    struct irsafs_client_settings settings = {.token_file = path};
    struct irsafs_buf no_key = {0};
    struct irsafs_token_sources sources;
    struct irsafs_token token = {.kind = IRSAFS_TOKEN_URL};
    struct irsafs_error err = {.message = ""};
    bool refused = true;
    FUZZ_ASSERT(irsafs_token_find_sources(&settings, &no_key, &sources, NULL) == IRSAFS_OK);
    enum irsafs_code code = irsafs_token_read(&sources, INT64_MAX, &token, &refused, &err);
    struct irsafs_str model = trimmed(text);
    bool good = is_token(model);
    FUZZ_ASSERT(!refused);
    if (code == IRSAFS_OK) {
        FUZZ_ASSERT(good && token.kind == IRSAFS_TOKEN_FILE);
        FUZZ_ASSERT(
            irsafs_str_equal((struct irsafs_str){token.secret.data, token.secret.len}, model));
        FUZZ_ASSERT(token.secret.data[token.secret.len] == '\0');
        assert_hint(token.secret.data);
    } else {
        FUZZ_ASSERT(code == IRSAFS_E_TOKEN_MALFORMED && token.secret.len == 0);
        FUZZ_ASSERT(!good || text.len > IRSAFS_TOKEN_MAX); /* blanks count, up to a point */
        FUZZ_ASSERT(token.kind == IRSAFS_TOKEN_NONE && is_known_message(err.message, path));
    }
    irsafs_buf_deinit(&token.secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    assert_file((struct irsafs_str){(const char *)data, size});
    char *text = malloc(size + 1);
    FUZZ_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    assert_hint(text);
    free(text);
    return 0;
}
