/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LOG_H
#define IRSAFS_BASE_LOG_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* One event per line on stderr, in one write(2):
 *   2026-01-01T00:00:00.123Z WARN fetch_failed code=IRSAFS-E503 error="..." next_try_ms=1000
 * and, where there is one, in a file. Only the outermost layers log. A line never holds a token or a
 * foreign body; base/log_line.h has the rules of its form. Never blocks, never allocates: lines that
 * nobody takes are dropped, and counted in front of the next one that is taken (log_lines_lost). */

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

/* Lines of this process that were dropped: of stderr and of the file. */
uint64_t irsafs_log_lost(void);

/* What follows holds for the process. Level: default info. Format of stderr: default text. */
void irsafs_log_set_level(enum irsafs_log_level level);
void irsafs_log_set_format(enum irsafs_log_format format);
enum irsafs_log_level irsafs_log_level(void);
enum irsafs_log_format irsafs_log_format(void);

/* debug, info, warn (or warning), error, in any case. False for anything else, NULL included. */
bool irsafs_log_level_parse(const char *text, enum irsafs_log_level *ret_level) IRSAFS_MUST_CHECK;
const char *irsafs_log_level_name(enum irsafs_log_level level);
/* text, json, or auto: text when stderr is a terminal. The same. */
bool irsafs_log_format_parse(const char *text,
                             enum irsafs_log_format *ret_format) IRSAFS_MUST_CHECK;
const char *irsafs_log_format_name(enum irsafs_log_format format);

/* Gets stderr ready for a process that must never wait for it; children inherit that. A pipe or a
 * terminal is opened anew, so that O_NONBLOCK is set for us only and not for those with whom we share
 * the description. Where that cannot be had (no /proc, no permission), poll(2) is asked before each
 * line, which is as good unless others fill the pipe at the same moment. */
void irsafs_log_own_stderr(void);
/* For a child of such a process, before its walls are up: a socket needs other calls. */
void irsafs_log_take_stderr(void);

/* Lines go also to this file, as IRSAFS_LOG_AS_PYTHON; -1: to none. The one before, the caller's. */
int irsafs_log_set_file(int fd);

/* The last words of a program, and its exit status: in text as irsafs_error_report, in JSON the event
 * `ended`, which the file gets in any case. */
int irsafs_log_end(const char *program, const struct irsafs_error *err);

#endif
