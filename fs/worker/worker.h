/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_WORKER_H
#define IRSAFS_FS_WORKER_WORKER_H

/* `irsafs worker`: one event loop that ties together kernel, core and the other processes. It is
 * started by the supervisor, with the descriptors of fs/shared/handed.h, and continues in the memory
 * that a worker before it has left. It opens nothing, starts nothing, talks to nobody but them.
 *
 * Returns the exit status: 0 when it was told to stop or the supervisor is gone, else that of the
 * error, which it has told the supervisor where another worker could do no better. */
int irsafs_worker_main(int argc, char **argv);

#endif
