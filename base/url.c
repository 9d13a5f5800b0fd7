/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include "base/ascii.h"

enum { HOST_MAX = 253, URL_MAX = 2048 };

static bool is_host_char(char c, bool in_brackets)
{
    if (in_brackets) {
        return irsafs_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
               c == '.';
    }
    return irsafs_is_alnum(c) || c == '-' || c == '.' || c == '_';
}

/* [":" 1*5DIGIT]; returns what comes after it, NULL on anything else that begins with ':'. *port stays when
 * there is none. */
static const char *take_port(const char *at, unsigned *port)
{
    if (*at != ':') {
        return at;
    }
    size_t digits = 0;
    *port = 0;
    for (at++; irsafs_is_digit(*at) && digits < 6; at++, digits++) {
        *port = *port * 10 + (unsigned)(*at - '0');
    }
    return digits > 0 && *port > 0 && *port <= 65535 ? at : NULL;
}

static bool is_path(const char *at)
{
    if (*at != '\0' && *at != '/' && *at != '?') {
        return false;
    }
    for (; *at != '\0'; at++) {
        if (!irsafs_is_visible(*at) || *at == '#' || *at == '\\') {
            return false;
        }
    }
    return true;
}

bool irsafs_url_parse(const char *text, struct irsafs_url *ret_url)
{
    struct irsafs_url url = {0};
    struct irsafs_str all = {text, strlen(text)};
    url.https = irsafs_str_starts(all, "https://");
    if ((!url.https && !irsafs_str_starts(all, "http://")) || all.len > URL_MAX) {
        return false;
    }
    const char *at = text + (url.https ? 8 : 7);
    bool brackets = *at == '[';
    at += brackets ? 1 : 0;
    url.host.ptr = at;
    while (is_host_char(*at, brackets)) {
        at++;
    }
    url.host.len = (size_t)(at - url.host.ptr);
    if (url.host.len < 1 || url.host.len > HOST_MAX || (brackets && *at++ != ']')) {
        return false;
    }
    url.port = url.https ? 443 : 80;
    at = take_port(at, &url.port);
    if (at == NULL || !is_path(at)) {
        return false;
    }
    *ret_url = url;
    return true;
}
