/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_STR_H
#define IRSAFS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A view of bytes that somebody else owns. Not NUL-terminated. */
struct irsafs_str {
    const char *ptr;
    size_t len;
};

static inline bool irsafs_str_equal(struct irsafs_str a, struct irsafs_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool irsafs_str_is(struct irsafs_str a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.ptr, text, a.len) == 0;
}

static inline bool irsafs_str_starts(struct irsafs_str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && memcmp(a.ptr, prefix, n) == 0;
}

/* Without the blanks (0x20, tab) at both ends. */
static inline struct irsafs_str irsafs_str_trim(struct irsafs_str a)
{
    while (a.len > 0 && (a.ptr[0] == ' ' || a.ptr[0] == '\t')) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && (a.ptr[a.len - 1] == ' ' || a.ptr[a.len - 1] == '\t')) {
        a.len--;
    }
    return a;
}

/* Cuts the first line off *text; the line comes without its LF or CR LF. False when nothing is left. */
static inline bool irsafs_str_next_line(struct irsafs_str *text, struct irsafs_str *ret_line)
{
    if (text->len == 0) {
        return false;
    }
    const char *lf = memchr(text->ptr, '\n', text->len);
    struct irsafs_str line = {text->ptr, lf != NULL ? (size_t)(lf - text->ptr) : text->len};
    size_t taken = lf != NULL ? line.len + 1 : line.len;
    text->ptr += taken;
    text->len -= taken;
    if (lf != NULL && line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    *ret_line = line;
    return true;
}

#endif
