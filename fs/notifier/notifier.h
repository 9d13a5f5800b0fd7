/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_NOTIFIER_NOTIFIER_H
#define IRSAFS_FS_NOTIFIER_NOTIFIER_H

/* `irsafs notifier`: a process whose only work is to tell the kernel that the name `config` means
 * something new. FUSE_NOTIFY_INVAL_ENTRY waits in the kernel for the lock of the directory, which a
 * LOOKUP may hold that only the worker can answer: from the worker's own thread that deadlocks, and
 * from a second thread of it a killed worker could not finish dying. It holds a clone of the
 * descriptor (FUSE_DEV_IOC_CLONE, Linux 4.2), from which nothing is ever read, and dies with the
 * supervisor.
 *
 * Where the kernel speaks protocol 7.44 (Linux 6.16) the message is FUSE_NOTIFY_INC_EPOCH, which
 * takes no lock; the way it takes is the same.
 *
 * Started by the supervisor with the descriptors of fs/shared/handed.h; returns when the connection is
 * gone. */
int irsafs_notifier_main(int argc, char **argv);

#endif
