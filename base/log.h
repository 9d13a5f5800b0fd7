/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LOG_H
#define IRSAFS_BASE_LOG_H

#include <stdint.h>

/* One event per line on stderr, in one write(2):
 *   2026-01-01T00:00:00.123Z WARN fetch_failed code=IRSAFS-E503 error="..." next_try_ms=1000
 * Only the outermost layers log. A line never holds a token or a foreign body; base/log_line.h has the
 * rules of its form. Never blocks, never allocates: lines that a full pipe cannot take are dropped, and
 * counted in front of the next one that it takes. */

enum irsafs_log_level {
    IRSAFS_LOG_DEBUG,
    IRSAFS_LOG_INFO,
    IRSAFS_LOG_WARN,
    IRSAFS_LOG_ERROR,
};

enum irsafs_log_format {
    IRSAFS_LOG_AS_TEXT,   /* logfmt: for people */
    IRSAFS_LOG_AS_JSON,   /* one object per line: for machines */
    IRSAFS_LOG_AS_PYTHON, /* 2026-01-01 00:00:00,123 - irsafs - WARNING - fetch_failed code=... */
};

/* A name and a value; made by the macros below. */
struct irsafs_log_field {
    const char *name; /* snake_case; NULL ends a list */
    enum irsafs_log_kind {
        IRSAFS_LOG_KIND_TEXT,
        IRSAFS_LOG_KIND_NUMBER,
        IRSAFS_LOG_KIND_CODE,
    } kind;
    const char *text;
    int64_t number;
};

/* Any bytes, or NULL (which is ""); a number; an enum irsafs_code, shown as IRSAFS-E503. */
#define IRSAFS_LOG_TEXT(field_name, value)                                                         \
    {                                                                                              \
        .name = (field_name), .kind = IRSAFS_LOG_KIND_TEXT, .text = (value)                        \
    }
#define IRSAFS_LOG_NUMBER(field_name, value)                                                       \
    {                                                                                              \
        .name = (field_name), .kind = IRSAFS_LOG_KIND_NUMBER, .number = (int64_t)(value)           \
    }
#define IRSAFS_LOG_CODE(field_name, value)                                                         \
    {                                                                                              \
        .name = (field_name), .kind = IRSAFS_LOG_KIND_CODE, .number = (int64_t)(value)             \
    }

/* irsafs_log(level, event, fields...): event is a stable snake_case name; fields may be none. Never
 * fails, keeps errno.
 *   irsafs_log(IRSAFS_LOG_WARN, "unmount_failed", IRSAFS_LOG_TEXT("mountpoint", path)); */
#define irsafs_log(level, ...) IRSAFS_LOG_LIST(level, __VA_ARGS__, {.name = NULL})
#define IRSAFS_LOG_LIST(level, event, ...)                                                         \
    irsafs_log_event(level, event, (const struct irsafs_log_field[]){__VA_ARGS__})

void irsafs_log_event(enum irsafs_log_level level,
                      const char *event,
                      const struct irsafs_log_field *fields);

/* Lines of this process that nobody took. */
uint64_t irsafs_log_lost(void);

/* Process-wide level; default info. */
void irsafs_log_set_level(enum irsafs_log_level level);

#endif
