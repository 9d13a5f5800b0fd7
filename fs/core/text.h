/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_TEXT_H
#define IRSAFS_FS_CORE_TEXT_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Immutable bytes with a count of holders. One thread. */
struct irsafs_text {
    uint32_t refs;
    size_t size;
    char bytes[];
};

/* A text of `size` bytes for the caller to fill before anybody else sees it, one reference; NULL
 * without memory. */
struct irsafs_text *irsafs_text_new(size_t size) IRSAFS_MUST_CHECK;
struct irsafs_text *irsafs_text_ref(struct irsafs_text *text);
/* NULL is fine. Returns NULL. */
struct irsafs_text *irsafs_text_unref(struct irsafs_text *text);

#endif
