/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_URL_H
#define IRSAFS_BASE_URL_H

#include "base/attr.h"
#include "base/str.h"

#include <stdbool.h>

/* A plain http or https URL, taken apart as far as we need it. Views into the text. */
struct irsafs_url {
    bool https;
    struct irsafs_str host; /* without the brackets of an IPv6 address */
    unsigned port;          /* also when it is the scheme's default */
};

/* The whole grammar that we accept, stricter than RFC 3986, so that no two parsers read a URL
 * differently: SCHEME "://" HOST [":" PORT] [("/" / "?") visible ASCII without '#' and '\']. No user
 * info. HOST is a name, an IPv4 address or an IPv6 address in brackets; at most 253 characters. */
bool irsafs_url_parse(const char *text, struct irsafs_url *ret_url) IRSAFS_MUST_CHECK;

#endif
