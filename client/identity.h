/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_IDENTITY_H
#define IRSAFS_CLIENT_IDENTITY_H

#include "base/attr.h"
#include "base/str.h"

enum { IRSAFS_IDENTITY_SIZE = 65 }; /* hex digits of SHA-256 and the NUL */

/* SHA-256 of user, a NUL and run id, in hex: says that two answers belong to the same user and run,
 * and nothing else. user may be a secret, or empty when nobody knows it. False: OpenSSL failed. */
bool irsafs_identity(struct irsafs_str user,
                     struct irsafs_str run_id,
                     char ret_hex[IRSAFS_IDENTITY_SIZE]) IRSAFS_MUST_CHECK;

#endif
