/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_NOTIFIER_H
#define IRSAFS_FS_SUPER_NOTIFIER_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The notifier: a process whose only work is to tell the kernel that the name `config` means
 * something new. FUSE_NOTIFY_INVAL_ENTRY waits in the kernel for the lock of the directory, which a
 * LOOKUP may hold that only the daemon can answer: from the daemon's own thread that deadlocks, and
 * from a second thread of it a killed daemon could not finish dying. It holds a clone of the
 * descriptor (FUSE_DEV_IOC_CLONE, Linux 4.2), from which nothing is ever read, and dies with us.
 *
 * Where the kernel speaks protocol 7.44 (Linux 6.16) the message is FUSE_NOTIFY_INC_EPOCH, which
 * takes no lock; the way it takes is the same. */

struct irsafs_notifier {
    pid_t pid;
    int socket;     /* readable when a notification is done or the notifier is dead */
    uint64_t asked; /* the newest that was handed over */
    bool busy;      /* one is under way */
};

enum { IRSAFS_FUSE_MINOR_EPOCH = 44 };

/* Starts the process; fuse_fd is the mounted descriptor. Errors: IO. */
enum irsafs_code irsafs_notifier_start(int fuse_fd,
                                       struct irsafs_notifier *ret_notifier,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Asks for a notification that covers every change up to `tell`, when none is under way. Never
 * blocks. */
void irsafs_notifier_tell(struct irsafs_notifier *notifier, uint64_t tell, bool epoch);

/* To be called when the socket is readable. True: *ret_told is done. False: nothing yet, or
 * (*ret_dead) the process is gone; whoever handles SIGCHLD reaps it. */
bool irsafs_notifier_done(struct irsafs_notifier *notifier, uint64_t *ret_told, bool *ret_dead);

/* Ends the process; whoever handles SIGCHLD reaps it. Does not wait: it may hang in the kernel for as
 * long as a LOOKUP is unanswered. */
void irsafs_notifier_stop(struct irsafs_notifier *notifier);

#endif
