/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_CONSISTENCY_LOOKS_H
#define IRSAFS_TESTS_CONSISTENCY_LOOKS_H

#include <stdbool.h>
#include <stddef.h>

enum { TEXT_MAX = 1 << 20 };

/* The ways in which readers read a file that is open. */
enum way { WAY_READ, WAY_SMALL_READS, WAY_SIZED, WAY_MAPPED };

/* Reads fd from its begin to its end into buf, of TEXT_MAX bytes; *ret_size is what fstat says. False:
 * errno. */
bool read_text(int fd, enum way way, char *buf, size_t *ret_len, size_t *ret_size);

/* One look at a stamped config, judged. */
void look_at(const char *path, enum way way, unsigned kind);

#endif
