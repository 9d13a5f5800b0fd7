/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_JWT_HINT_H
#define IRSAFS_CLIENT_JWT_HINT_H

#include <stdbool.h>
#include <stdint.h>

/* What a token says about itself. Nothing here is verified (we hold no key) and nothing depends on
 * it: a token that cannot be read is a legal, opaque token. */
struct irsafs_jwt_hint {
    int64_t expires_unix_s; /* 0: not known */
    char sub[256];          /* "": not known */
};

/* token is NUL-terminated; what is not HEADER.CLAIMS.SIGNATURE of base64url characters (the signature
 * may be empty) is opaque. Only an integer exp within a year of now counts, so milliseconds and
 * nonsense do not. Linear in the length; pure apart from memory, whose lack makes a token opaque. */
void irsafs_jwt_hint_read(const char *token, int64_t now_unix_s, struct irsafs_jwt_hint *ret_hint);

#endif
