/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/dropped.h"

#include "base/ascii.h"
#include "base/attr.h"

static void copy(char *to, size_t size, struct irsafs_str from)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;
    if (len > 0) {
        memcpy(to, from.ptr, len);
    }
    to[len] = '\0';
    irsafs_ascii_clean(to, len);
    for (size_t i = 0; i < len; i++) {
        if (to[i] == '"' || to[i] == '\\') {
            to[i] = '?';
        }
    }
}

void irsafs_dropped_add(struct irsafs_dropped *dropped,
                        struct irsafs_str section,
                        struct irsafs_str key,
                        const char *reason)
{
    if (dropped->n_items < IRSAFS_COUNT(dropped->items)) {
        struct irsafs_dropped_item *item = &dropped->items[dropped->n_items++];
        copy(item->section, sizeof(item->section), section);
        copy(item->key, sizeof(item->key), key);
        item->reason = reason;
    }
    dropped->total++;
}
