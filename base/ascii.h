/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_ASCII_H
#define IRSAFS_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

/* Character classes that do not depend on the locale, and cleaning of foreign text. */

static inline bool irsafs_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool irsafs_is_alnum(char c)
{
    return irsafs_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* 0x20..0x7E */
static inline bool irsafs_is_print(char c)
{
    return c >= 0x20 && c <= 0x7E;
}

/* 0x21..0x7E */
static inline bool irsafs_is_visible(char c)
{
    return c > 0x20 && c <= 0x7E;
}

/* Every byte that is not printable ASCII becomes '?'. In place. */
static inline void irsafs_ascii_clean(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!irsafs_is_print(text[i])) {
            text[i] = '?';
        }
    }
}

/* run id, as it may stand on the wire: ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ */
static inline bool irsafs_is_run_id(const char *text, size_t len)
{
    if (len < 1 || len > 63 || !irsafs_is_alnum(text[0])) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (!irsafs_is_alnum(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-') {
            return false;
        }
    }
    return true;
}

#endif
