/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_JWT_HINT_H
#define IRSAFS_CLIENT_JWT_HINT_H

#include <stdbool.h>
#include <stdint.h>

/* What a token says about itself. Nothing here is verified (we hold no key) and nothing depends on
 * it: a token that cannot be read is a legal, opaque token. */
struct irsafs_jwt_hint {
    bool readable;             /* it is a JWT */
    int64_t expires_unix_s;    /* 0: not known */
    int64_t issued_unix_s;     /* iat; 0: not known */
    int64_t not_before_unix_s; /* nbf; 0: not known */
    char sub[256];             /* "": not known */
    char iss[256];             /* "": not known */
    char aud[256];             /* audiences, separated by blanks; "": not known */
};

/* token is NUL-terminated; what is not HEADER.CLAIMS.SIGNATURE of base64url characters (the signature
 * may be empty) is opaque. Only integer times within a year of now count, so milliseconds and
 * nonsense do not. Linear in the length; pure apart from memory, whose lack makes a token opaque. */
void irsafs_jwt_hint_read(const char *token, int64_t now_unix_s, struct irsafs_jwt_hint *ret_hint);

#endif
