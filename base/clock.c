/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

int64_t irsafs_clock_boot_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail: the clock exists since 2.6.39 */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec irsafs_clock_real(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return t;
}

void irsafs_clock_rfc3339(int64_t unix_s, char ret_text[IRSAFS_RFC3339_SIZE])
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        memcpy(ret_text, unix_s < 0 ? "0000-01-01T00:00:00Z" : "9999-12-31T23:59:59Z", 21);
        return;
    }
    char text[80];
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(ret_text, text, IRSAFS_RFC3339_SIZE);
}

bool irsafs_clock_parse_rfc3339(const char *text, int64_t *ret_unix_s)
{
    struct tm tm = {.tm_year = 0};
    char again[IRSAFS_RFC3339_SIZE];
    if (strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL) {
        return false;
    }
    int64_t unix_s = timegm(&tm);
    irsafs_clock_rfc3339(unix_s,
                         again); /* strptime takes blanks, 60 seconds and the 31st of June */
    if (strcmp(again, text) != 0) {
        return false;
    }
    *ret_unix_s = unix_s;
    return true;
}
