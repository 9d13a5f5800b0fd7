/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* explicit_bzero (glibc) is the wipe that no optimiser removes. */
static void wipe(const struct irsafs_buf *buf)
{
    if (buf->secret && buf->data != NULL) {
        explicit_bzero(buf->data, buf->cap);
    }
}

void irsafs_buf_deinit(struct irsafs_buf *buf)
{
    wipe(buf);
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}

void irsafs_buf_reset(struct irsafs_buf *buf)
{
    wipe(buf);
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

static bool grow(struct irsafs_buf *buf, size_t need)
{
    size_t cap = buf->cap > 0 ? buf->cap : 256;
    while (cap < need) {
        cap *= 2;
    }
    char *data = malloc(cap); /* not realloc: it would leave a copy of a secret behind */
    if (data == NULL) {
        return false;
    }
    if (buf->len > 0) {
        memcpy(data, buf->data, buf->len);
    }
    wipe(buf);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool irsafs_buf_append(struct irsafs_buf *buf, const void *data, size_t len)
{
    if (len > buf->max || buf->len > buf->max - len) {
        return false;
    }
    if (buf->len + len + 1 > buf->cap && !grow(buf, buf->len + len + 1)) {
        return false;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
    return true;
}

bool irsafs_buf_puts(struct irsafs_buf *buf, const char *text)
{
    return irsafs_buf_append(buf, text, strlen(text));
}
