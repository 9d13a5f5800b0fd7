/* SPDX-License-Identifier: Apache-2.0 */
#include "client/echo.h"

#include "base/awsconfig/hash.h"

#include <string.h>

/* A set of hashes with one bit each; what is in it may be in the secret, the rest is not. */
enum { BITS = 1 << 18 };

static uint32_t place(uint64_t key, const char *run)
{
    return irsafs_hash(key, run, IRSAFS_ECHO_RUN) % BITS;
}

bool irsafs_echoes(struct irsafs_str secret, struct irsafs_str text)
{
    unsigned char seen[BITS / 8] = {0};
    uint64_t key = irsafs_hash_key();
    for (size_t i = 0; i + IRSAFS_ECHO_RUN <= secret.len; i++) {
        uint32_t bit = place(key, secret.ptr + i);
        seen[bit / 8] = (unsigned char)(seen[bit / 8] | 1U << bit % 8);
    }
    for (size_t i = 0; i + IRSAFS_ECHO_RUN <= text.len; i++) {
        uint32_t bit = place(key, text.ptr + i);
        if ((seen[bit / 8] & 1U << bit % 8) != 0 &&
            memmem(secret.ptr, secret.len, text.ptr + i, IRSAFS_ECHO_RUN) != NULL) {
            return true;
        }
    }
    return false;
}
