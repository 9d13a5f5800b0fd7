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
 * of the core become replies. Decides nothing, waits for nothing, one thread. Commits the core before
 * each reply. */

/* Renders `status`: at most IRSAFS_STATUS_MAX bytes that stay until the next call; len 0 without
 * memory. */
typedef struct irsafs_str irsafs_render_status_fn(void *user);

struct irsafs_journal;

struct irsafs_session_settings {
    struct irsafs_core *core;       /* these two in one mapping; must outlive the session */
    struct irsafs_journal *journal; /* zero at first */
    void (*give_back)(void *at, size_t size); /* see irsafs_core_commit; may be NULL */
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

/* To be done first, within the walls: rolls back what an earlier worker has not committed, and hears the
 * kernel's FUSE_INIT, or the recorded one. Waits for the kernel for at most five seconds. Errors: KERNEL (a feature is missing, or this libfuse answers otherwise than the one
 * that the kernel has heard), CONNECTION_LOST, FD_LOST (FUSE_INIT was somebody else's), IO. */
enum irsafs_code irsafs_session_hello(struct irsafs_session *session,
                                      struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Handles again the requests that an earlier worker has left; their number. */
unsigned irsafs_session_replay(struct irsafs_session *session);

/* Reads and handles the requests that are there, a bounded number of them. False when the
 * connection is gone (unmounted or aborted). */
bool irsafs_session_receive(struct irsafs_session *session);

/* Replies to the requests that the core answers now. */
void irsafs_session_answer(struct irsafs_session *session);

struct irsafs_session_facts {
    uint32_t protocol_major, protocol_minor; /* of the kernel */
    uint32_t slots_used;
    uint64_t handled; /* requests that are done with */
};
struct irsafs_session_facts irsafs_session_facts(const struct irsafs_session *session);

#endif
