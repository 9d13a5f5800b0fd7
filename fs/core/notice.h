/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_NOTICE_H
#define IRSAFS_FS_CORE_NOTICE_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The comment lines on top of a text that is not fresh: what a person who runs `cat config` needs.
 * Nothing in them is relative to now, so the same state gives the same bytes and no new generation.
 * Bounded, ASCII, '#' in column 0: every AWS SDK parser we know takes such lines. */

enum { IRSAFS_NOTICE_MAX = IRSAFS_COMMENT_LINES_MAX * (IRSAFS_COMMENT_LINE_MAX + 1) + 1 };

struct irsafs_notice {
    bool have_text;         /* last-good text follows; otherwise these lines are all */
    const char *mountpoint; /* for the advice to touch; cut when long */
    int64_t since_s;        /* unix time since when the text is not fresh */
    int64_t fetched_s;      /* unix time of the last-good text; only with have_text */
    const struct irsafs_error *reason;
};

/* Returns the length; ret_text is NUL-terminated. */
size_t irsafs_notice_render(const struct irsafs_notice *notice, char ret_text[IRSAFS_NOTICE_MAX]);

#endif
