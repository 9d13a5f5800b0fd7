/* SPDX-License-Identifier: Apache-2.0 */
#include "client/show.h"

#include "base/ascii.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 80, PARAGRAPH_MAX = 1024 };

void irsafs_show_span(int64_t ms, char ret_text[IRSAFS_SPAN_SIZE])
{
    static const struct {
        int64_t s;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t s = (ms < 0 ? -(ms + 1) : ms) / 1000;
    size_t i = 0;
    while (i + 1 < IRSAFS_COUNT(units) && s < units[i].s) {
        i++;
    }
    if (s == 0) {
        (void)snprintf(ret_text, IRSAFS_SPAN_SIZE, "less than 1s");
        return;
    }
    int n =
        snprintf(ret_text, IRSAFS_SPAN_SIZE, "%lld%c", (long long)(s / units[i].s), units[i].unit);
    s %= units[i].s;
    if (i + 1 < IRSAFS_COUNT(units) && s / units[i + 1].s > 0) {
        (void)snprintf(ret_text + n, IRSAFS_SPAN_SIZE - (size_t)n, " %lld%c",
                       (long long)(s / units[i + 1].s), units[i + 1].unit);
    }
}

void irsafs_show(const char *head, size_t indent, const char *fmt, ...)
{
    char text[PARAGRAPH_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    irsafs_ascii_clean(text, strlen(text));
    size_t column = (size_t)printf("%s", head);
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, " ");
        if (at > text && column + 1 + len > COLUMNS) {
            column = (size_t)printf("\n%*s", (int)indent, "") - 1;
        } else if (at > text) {
            column += (size_t)printf(" ");
        }
        column += (size_t)printf("%.*s", (int)len, at);
        at += len;
        at += *at == ' ' ? 1 : 0;
    }
    (void)printf("\n");
}

int64_t irsafs_show_parse_time(const char *text)
{
    struct tm tm = {.tm_year = 0};
    const char *end = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
    return end != NULL && *end == '\0' ? (int64_t)timegm(&tm) : -1;
}
