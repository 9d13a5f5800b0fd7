/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/notice.h"

#include "base/ascii.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Writes one "# ..." line, cut at the limit, and returns its length. */
static size_t line(char *at, const char *fmt, ...) IRSAFS_PRINTF(2, 3);
static size_t line(char *at, const char *fmt, ...)
{
    at[0] = '#';
    at[1] = ' ';
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(at + 2, IRSAFS_COMMENT_LINE_MAX - 1, fmt, args);
    va_end(args);
    size_t len = strlen(at);
    irsafs_ascii_clean(at, len);
    at[len] = '\n';
    return len + 1;
}

size_t irsafs_notice_render(const struct irsafs_notice *n, char ret_text[IRSAFS_NOTICE_MAX])
{
    char since[IRSAFS_RFC3339_SIZE];
    char fetched[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(n->since_s, since);
    irsafs_clock_rfc3339(n->fetched_s, fetched);
    size_t len = 0;
    if (n->have_text) {
        len += line(ret_text + len,
                    "irsafs: STALE since %s. These profiles are the last good answer, of %s.",
                    since, fetched);
    } else {
        len += line(ret_text + len, "irsafs: NO PROFILES since %s.", since);
    }
    len +=
        line(ret_text + len, "Cause: %s (IRSAFS-E%03d)", n->reason->message, (int)n->reason->code);
    len += line(ret_text + len, "What to do: %s.", irsafs_code_remedy(n->reason->code));
    len += line(ret_text + len, "Try again now: touch %s/refresh", n->mountpoint);
    len += line(ret_text + len, "Details: cat %s/status", n->mountpoint);
    ret_text[len] = '\0';
    return len;
}
