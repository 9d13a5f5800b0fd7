/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_BACKOFF_H
#define IRSAFS_FS_CORE_BACKOFF_H

#include <stdint.h>

/* When to ask again after failures: 1 s, doubled up to 60 s, each shortened by up to a fifth at random
 * so that pods do not march in step. Pure: random_ is the caller's. */

enum {
    IRSAFS_BACKOFF_FIRST_MS = 1000,
    IRSAFS_BACKOFF_MAX_MS = 60 * 1000,
    IRSAFS_RETRY_AFTER_MIN_MS = 1000,
    IRSAFS_RETRY_AFTER_MAX_MS = 5 * 60 * 1000,
};

/* n_failures: failures in a row, >= 1. */
static inline int64_t irsafs_backoff_ms(uint32_t n_failures, uint32_t random_)
{
    int64_t ms = IRSAFS_BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < n_failures && ms < IRSAFS_BACKOFF_MAX_MS; i++) {
        ms *= 2;
    }
    ms = ms < IRSAFS_BACKOFF_MAX_MS ? ms : IRSAFS_BACKOFF_MAX_MS;
    return ms - (int64_t)(random_ % 1000) * ms / 5000;
}

static inline int64_t irsafs_retry_after_clamp_ms(int64_t asked_ms)
{
    if (asked_ms < IRSAFS_RETRY_AFTER_MIN_MS) {
        return IRSAFS_RETRY_AFTER_MIN_MS;
    }
    return asked_ms < IRSAFS_RETRY_AFTER_MAX_MS ? asked_ms : IRSAFS_RETRY_AFTER_MAX_MS;
}

#endif
