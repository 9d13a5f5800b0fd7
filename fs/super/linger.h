/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_LINGER_H
#define IRSAFS_FS_SUPER_LINGER_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Kubernetes tells all app containers of a pod to end at the same moment. Others may need us to the last. */

struct irsafs_linger {
    int64_t for_ms; /* after the first SIGTERM; 0: not at all */
    int64_t end_ms; /* 0: it has not come */
};

/* Whether the signal is not to be obeyed yet. */
bool irsafs_linger_begin(struct irsafs_linger *linger, int number) IRSAFS_MUST_CHECK;
bool irsafs_linger_is_over(const struct irsafs_linger *linger, int64_t now_ms);

#endif
