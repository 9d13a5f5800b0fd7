/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_PRIVILEGES_H
#define IRSAFS_BASE_PRIVILEGES_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

/* Rights of the calling process: only ever given away. */

/* no_new_privs, for good: no program that is started can gain ids or capabilities (prctl(2), Linux 3.5).
 * Returns 0 or an errno value. */
int irsafs_privileges_freeze(void) IRSAFS_MUST_CHECK;

/* Gives every capability away but these (CAP_ numbers), which stay as far as they are there, permitted
 * and effective; the inheritable, ambient and bounding sets become empty. The bounding set of a process
 * without CAP_SETPCAP stays as it is, which says nothing after irsafs_privileges_freeze. Allocates, and
 * frees all of it. Returns 0 or an errno value. */
int irsafs_capabilities_keep(const int *keep, size_t n_keep) IRSAFS_MUST_CHECK;

/* Neither the real, effective, saved user id nor one of the group ids is 0. */
bool irsafs_ids_are_not_root(void);

/* Lowers soft and hard limit to max; a limit that is lower already stays. Never fails. */
void irsafs_limit_lower(__rlimit_resource_t resource, rlim_t max);

#endif
