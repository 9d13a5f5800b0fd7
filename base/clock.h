/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_CLOCK_H
#define IRSAFS_BASE_CLOCK_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_BOOTTIME: monotonic, and it goes on while the machine is suspended. */
int64_t irsafs_clock_boot_ms(void);
/* Wall clock, for time stamps that people read and for mtime; never for intervals. */
struct timespec irsafs_clock_real(void);

enum { IRSAFS_RFC3339_SIZE = 21 }; /* "2026-01-01T00:00:00Z" and the NUL */
/* Reads exactly what irsafs_clock_rfc3339 writes. */
bool irsafs_clock_parse_rfc3339(const char *text, int64_t *ret_unix_s) IRSAFS_MUST_CHECK;
/* Writes the time as RFC 3339 in UTC, seconds; years outside 0000..9999 become the nearest end. */
void irsafs_clock_rfc3339(int64_t unix_s, char ret_text[IRSAFS_RFC3339_SIZE]);

#endif
