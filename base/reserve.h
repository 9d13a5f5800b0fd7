/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_RESERVE_H
#define IRSAFS_BASE_RESERVE_H

#include <stddef.h>

/* malloc and free for jansson, which cannot bear it when memory is out: up to 2.14 its parser forgets a
 * character then, and asserts or writes behind its buffer (its issue 362). What malloc has not comes from
 * a reserve of a fixed size, enough for the largest report and its copies; without even that the process
 * ends with the exit status of E_MEMORY. What jansson gives away (json_dumps) is freed here as well. For
 * one thread. */

void *irsafs_reserve_malloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void irsafs_reserve_free(void *memory);

#endif
