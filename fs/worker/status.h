/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_STATUS_H
#define IRSAFS_FS_WORKER_STATUS_H

#include "base/attr.h"
#include "base/sandbox.h"
#include "fs/core/core.h"
#include "fs/shared/block.h"

/* The document `status`, schema 1: keys are never removed within a schema, an unknown value is
 * null. */

struct irsafs_listener_facts {
    int errnum; /* why it does not listen; 0: it does, or a worker of an instant ago has yet to hear */
};

struct irsafs_status {
    const struct irsafs_view *view;
    const struct irsafs_client_facts *facts;
    const struct irsafs_worker_settings *settings;
    const struct irsafs_sandbox_report *sandbox;   /* of the worker */
    const struct irsafs_listener_facts *listeners; /* IRSAFS_LISTENERS of them */
    uint32_t protocol_major, protocol_minor;       /* of the kernel; 0.0 unknown */
    const char *file_missing; /* mode file: why `config` is not written; NULL: it is */
};

/* Valid until the next call; len 0 without memory. At most IRSAFS_STATUS_MAX bytes: what does not fit is left
 * out of the list of dropped items, never out of their total. */
struct irsafs_str irsafs_status_render(const struct irsafs_status *status) IRSAFS_MUST_CHECK;

#endif
