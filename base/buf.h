/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_BUF_H
#define IRSAFS_BASE_BUF_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* A growing byte buffer with a ceiling given at creation. Embedded or on the stack; owns its bytes.
 * A secret buffer wipes bytes whenever it lets go of them (growth included). */
struct irsafs_buf {
    char *data; /* NUL-terminated whenever not NULL; may hold NULs inside */
    size_t len;
    size_t cap;
    size_t max; /* most bytes of content, the NUL not counted */
    bool secret;
};

#define IRSAFS_BUF_INIT(max_bytes)    ((struct irsafs_buf){.max = (max_bytes)})
#define IRSAFS_SECRET_INIT(max_bytes) ((struct irsafs_buf){.max = (max_bytes), .secret = true})

/* Frees (a secret is wiped first) and leaves an empty buffer with the same ceiling. */
void irsafs_buf_deinit(struct irsafs_buf *buf);
/* Empties, keeps the memory; a secret is wiped. */
void irsafs_buf_reset(struct irsafs_buf *buf);
/* False when the ceiling or memory is reached; then nothing was appended. */
bool irsafs_buf_append(struct irsafs_buf *buf, const void *data, size_t len) IRSAFS_MUST_CHECK;
bool irsafs_buf_puts(struct irsafs_buf *buf, const char *text) IRSAFS_MUST_CHECK;

#endif
