/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_STATUS_H
#define IRSAFS_FS_STATUS_H

#include "base/attr.h"
#include "fs/core/core.h"
#include "fs/super/answer.h"

/* The document `status`, schema 1: keys are never removed within a schema, an unknown value is
 * null. */

struct irsafs_status {
    const struct irsafs_view *view;
    const struct irsafs_client_facts *facts;
    const char *mountpoint;
    uint32_t protocol_major, protocol_minor; /* of the kernel; 0.0 unknown */
};

/* A new reference; NULL without memory. At most IRSAFS_STATUS_MAX bytes: what does not fit is left
 * out of the list of dropped items, never out of their total. */
struct irsafs_text *irsafs_status_render(const struct irsafs_status *status) IRSAFS_MUST_CHECK;

#endif
