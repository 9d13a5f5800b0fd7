/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_line.h"

#include "base/ascii.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char dots[] = "...";

/* What differs between the formats. */
static const struct style {
    const char *open, *before_hour, *before_ms, *before_level, *before_event, *after_event;
    const char *levels[4]; /* by enum irsafs_log_level */
    const char *before_name, *after_name;
    const char *tail;
    bool always_quoted;
} styles[] = {
    [IRSAFS_LOG_AS_TEXT] = {.open = "",
                            .before_hour = "T",
                            .before_ms = ".",
                            .before_level = "Z ",
                            .before_event = " ",
                            .after_event = "",
                            .levels = {"DEBUG", "INFO", "WARN", "ERROR"},
                            .before_name = " ",
                            .after_name = "=",
                            .tail = "\n"},
    [IRSAFS_LOG_AS_JSON] = {.open = "{\"ts\":\"",
                            .before_hour = "T",
                            .before_ms = ".",
                            .before_level = "Z\",\"level\":\"",
                            .before_event = "\",\"event\":\"",
                            .after_event = "\"",
                            .levels = {"debug", "info", "warn", "error"},
                            .before_name = ",\"",
                            .after_name = "\":",
                            .tail = "}\n",
                            .always_quoted = true},
    [IRSAFS_LOG_AS_PYTHON] = {.open = "",
                              .before_hour = " ",
                              .before_ms = ",",
                              .before_level = " - irsafs - ",
                              .before_event = " - ",
                              .after_event = "",
                              .levels = {"DEBUG", "INFO", "WARNING", "ERROR"},
                              .before_name = " ",
                              .after_name = "=",
                              .tail = "\n"},
};

struct line {
    char *at;
    size_t len;
    size_t max; /* the tail fits behind it */
};

static void put(struct line *l, const char *text, size_t len)
{
    memcpy(l->at + l->len, text, len);
    l->len += len;
}

static char clean(char c)
{
    return (char)(irsafs_is_print(c) ? c : '?');
}

static bool needs_escape(char c)
{
    return c == '"' || c == '\\';
}

static bool is_plain(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (needs_escape(*c) || *c == ' ' || *c == '=') {
            return false;
        }
    }
    return *value != '\0';
}

/* Escapes are the same in JSON and in logfmt, since nothing but printable ASCII is left. */
static void put_value(struct line *l, const char *value, bool quoted)
{
    size_t quotes = quoted ? 2 : 0;
    size_t room = l->max - l->len - quotes;
    room = room > IRSAFS_LOG_VALUE_MAX ? IRSAFS_LOG_VALUE_MAX : room;
    size_t needed = 0;
    for (const char *c = value; *c != '\0' && needed <= room; c++) {
        needed += quoted && needs_escape(*c) ? 2 : 1;
    }
    bool cut = needed > room;
    room -= cut ? sizeof(dots) - 1 : 0;
    put(l, "\"", quotes / 2);
    for (const char *c = value; *c != '\0'; c++) {
        size_t len = quoted && needs_escape(*c) ? 2 : 1;
        if (len > room) {
            break;
        }
        room -= len;
        const char escaped[2] = {'\\', clean(*c)};
        put(l, escaped + 2 - len, len);
    }
    put(l, dots, cut ? sizeof(dots) - 1 : 0);
    put(l, "\"", quotes / 2);
}

/* False when it does not fit. */
static bool put_field(struct line *l, const struct style *style, const struct irsafs_log_field *f)
{
    enum { VALUE_MIN = 24 }; /* any number; quotes and dots; a code */
    char number[VALUE_MIN];
    const char *value = f->text;
    bool quoted = style->always_quoted && f->kind != IRSAFS_LOG_KIND_NUMBER;
    size_t around = strlen(style->before_name) + strlen(f->name) + strlen(style->after_name);
    if (l->max - l->len < around + VALUE_MIN) {
        return false;
    }
    switch (f->kind) {
    case IRSAFS_LOG_KIND_NUMBER:
        (void)snprintf(number, sizeof(number), "%lld", (long long)f->number);
        value = number;
        break;
    case IRSAFS_LOG_KIND_CODE:
        (void)snprintf(number, sizeof(number), "IRSAFS-E%03d", (int)f->number);
        value = number;
        break;
    case IRSAFS_LOG_KIND_TEXT:
        value = value != NULL ? value : "";
        quoted = quoted || !is_plain(value);
        break;
    }
    put(l, style->before_name, strlen(style->before_name));
    put(l, f->name, strlen(f->name));
    put(l, style->after_name, strlen(style->after_name));
    put_value(l, value, quoted);
    return true;
}

size_t irsafs_log_line(enum irsafs_log_format format,
                       const struct irsafs_log_event *event,
                       char ret_line[IRSAFS_LOG_LINE_MAX]) /* NOLINT: written through l.at */
{
    const struct style *style = &styles[format];
    struct line l = {.at = ret_line, .max = IRSAFS_LOG_LINE_MAX - strlen(style->tail)};
    char stamp[IRSAFS_RFC3339_SIZE];
    irsafs_clock_rfc3339(event->at.tv_sec, stamp);
    int n = snprintf(l.at, l.max, "%s%.10s%s%.8s%s%03ld%s%s%s%.64s%s", style->open, stamp,
                     style->before_hour, stamp + sizeof("YYYY-MM-DDT") - 1, style->before_ms,
                     event->at.tv_nsec / 1000000, style->before_level, style->levels[event->level],
                     style->before_event, event->name, style->after_event);
    l.len = n > 0 ? (size_t)n : 0; /* it fits */
    for (const struct irsafs_log_field *f = event->fields;
         f->name != NULL && put_field(&l, style, f); f++) {
    }
    put(&l, style->tail, strlen(style->tail));
    return l.len;
}
