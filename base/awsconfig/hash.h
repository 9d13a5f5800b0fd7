/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_HASH_H
#define IRSAFS_BASE_AWSCONFIG_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

/* Hash of names that a peer chooses. The key differs in every process (the random bytes that the
 * kernel gives to each), so nobody can choose names that all fall into one place of a table. */

static inline uint64_t irsafs_hash_key(void)
{
    uint64_t key = 0;
    const void *random16 = (const void *)getauxval(AT_RANDOM); /* 16 bytes; needs no system call */
    if (random16 != NULL) {
        memcpy(&key, random16, sizeof(key));
    }
    return key;
}

/* The upper bits are the good ones. */
static inline uint32_t irsafs_hash(uint64_t key, const char *bytes, size_t len)
{
    uint64_t h = key ^ len;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    h *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(h >> 32);
}

#endif
