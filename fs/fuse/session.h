/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_FUSE_SESSION_H
#define IRSAFS_FS_FUSE_SESSION_H

#include "base/attr.h"
#include "base/error.h"
#include "fs/core/core.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's side of the file system: requests from /dev/fuse become events of the core, answers
 * of the core become replies. Decides nothing, waits for nothing, one thread. */

/* Renders `status`; a new reference, or NULL without memory. */
typedef struct irsafs_text *irsafs_render_status_fn(void *user);

struct irsafs_session_settings {
    struct irsafs_core *core; /* must outlive the session */
    irsafs_render_status_fn *render_status;
    void *user;
    uid_t uid;
    gid_t gid;
    mode_t config_mode, refresh_mode;
};

struct irsafs_session;

/* fuse_fd: /dev/fuse, non-blocking, mounted; stays the caller's. Errors: MEMORY. */
enum irsafs_code irsafs_session_new(const struct irsafs_session_settings *settings,
                                    int fuse_fd,
                                    struct irsafs_session **ret_session,
                                    struct irsafs_error *err) IRSAFS_MUST_CHECK;
struct irsafs_session *irsafs_session_free(struct irsafs_session *session);

/* Reads and handles the requests that are there, a bounded number of them. False when the
 * connection is gone (unmounted or aborted). */
bool irsafs_session_receive(struct irsafs_session *session);

/* Replies to the requests that the core answers now. */
void irsafs_session_answer(struct irsafs_session *session);

struct irsafs_kernel {
    bool ready; /* the kernel has said hello (FUSE_INIT); the rest is known */
    uint32_t protocol_major, protocol_minor;
    const char *missing; /* a feature that irsafs relies on and the kernel has not, or NULL */
};
struct irsafs_kernel irsafs_session_kernel(const struct irsafs_session *session);

#endif
