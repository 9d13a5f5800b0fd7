/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/words.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/limits.h"

#include <string.h>

/* strchr finds the NUL of the list as well. */
static bool is_one_of(char c, const char *list)
{
    return c != '\0' && strchr(list, c) != NULL;
}

static bool equals(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

bool irsafs_is_profile_name(const char *name, size_t len)
{
    if (len < 1 || len > IRSAFS_PROFILE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!irsafs_is_alnum(name[i]) && !is_one_of(name[i], "_-./%@:+")) {
            return false;
        }
    }
    /* [profile default] beside [default] confuses parsers; __proto__ breaks the JavaScript SDK. */
    return !equals(name, len, "default") && !equals(name, len, "__proto__");
}

bool irsafs_is_config_value(const char *value, size_t len)
{
    if (len < 1 || len > IRSAFS_VALUE_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!irsafs_is_visible(value[i]) || is_one_of(value[i], "#;[]\"'\\")) {
            return false;
        }
    }
    return true;
}

static bool is_role_name(const char *name, size_t len)
{
    if (len < 1 || len > 64) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!irsafs_is_alnum(name[i]) && !is_one_of(name[i], "_+=,.@-")) {
            return false;
        }
    }
    return true;
}

/* Moves over word; false when the text does not go on with it. */
static bool skip(const char **at, const char *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0) {
        return false;
    }
    *at += n;
    return true;
}

static bool skip_partition(const char **at, const char *end)
{
    /* Longer names first where one begins another; ':' ends the name anyway. */
    static const char *const partitions[] = {"aws:",     "aws-cn:",    "aws-us-gov:", "aws-eusc:",
                                             "aws-iso:", "aws-iso-b:", "aws-iso-e:",  "aws-iso-f:"};
    for (size_t i = 0; i < IRSAFS_COUNT(partitions); i++) {
        if (skip(at, end, partitions[i])) {
            return true;
        }
    }
    return false;
}

bool irsafs_role_arn_account(const char *arn, size_t len, const char **ret_account)
{
    const char *at = arn;
    const char *end = arn + len;
    if (!irsafs_is_config_value(arn, len) || !skip(&at, end, "arn:") || !skip_partition(&at, end) ||
        !skip(&at, end, "iam::")) {
        return false;
    }
    const char *account = at;
    while (at < end && irsafs_is_digit(*at)) {
        at++;
    }
    if (at - account != IRSAFS_ACCOUNT_LEN || !skip(&at, end, ":role/")) {
        return false;
    }
    const char *slash = memrchr(at, '/', (size_t)(end - at));
    const char *name = slash != NULL ? slash + 1 : at;
    if (!is_role_name(name, (size_t)(end - name))) {
        return false;
    }
    *ret_account = account;
    return true;
}
