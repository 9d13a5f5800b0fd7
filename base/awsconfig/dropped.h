/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_DROPPED_H
#define IRSAFS_BASE_AWSCONFIG_DROPPED_H

#include "base/limits.h"
#include "base/str.h"

/* What validation took out of a text: the number of all, the first few by name. */

struct irsafs_dropped_item {
    char
        section[IRSAFS_PROFILE_NAME_MAX + 1]; /* profile name, or what stood between the brackets */
    char key[41];                             /* "" when the whole section went */
    const char *reason;                       /* static */
};

struct irsafs_dropped {
    size_t total;
    size_t n_items; /* min(total, IRSAFS_DROPPED_ITEMS_MAX) */
    struct irsafs_dropped_item items[IRSAFS_DROPPED_ITEMS_MAX];
};

/* key may be empty. Names are cut to fit; bytes that are not printable ASCII, quotes and backslashes
 * become '?', so that an item needs no escapes anywhere. */
void irsafs_dropped_add(struct irsafs_dropped *dropped,
                        struct irsafs_str section,
                        struct irsafs_str key,
                        const char *reason);

#endif
