/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_RECEIVE_H
#define IRSAFS_FS_SUPER_RECEIVE_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Mode fd: somebody with privileges (a CSI driver) has opened /dev/fuse and mounted it, and hands the
 * descriptor over: an AF_UNIX stream socket, one message, a payload of at most 500 bytes that nobody looks
 * at, and one descriptor by SCM_RIGHTS. */

enum irsafs_donor_kind {
    IRSAFS_DONOR_NONE,
    IRSAFS_DONOR_CONNECT, /* to a socket that the driver listens on, as soon as it is there */
    IRSAFS_DONOR_LISTEN,  /* on a socket of ours; one driver may come */
    IRSAFS_DONOR_FD,      /* a descriptor that we were started with: such a socket, connected, or
                             /dev/fuse itself */
};

struct irsafs_donor {
    enum irsafs_donor_kind kind;
    const char *path; /* the caller's */
    int fd;
    int64_t timeout_ms;
};

/* "connect:PATH", "listen:PATH" or "fd:N". False: none of these. */
bool irsafs_donor_parse(const char *word, struct irsafs_donor *ret_donor) IRSAFS_MUST_CHECK;

/* Waits for the descriptor at most timeout_ms; the socket's name is removed when it has come. *ret_fd is
 * that of a mounted /dev/fuse, non-blocking, close-on-exec, the caller's; every other descriptor that came
 * is closed. -1 and IRSAFS_OK: SIGTERM or SIGINT, which are to be blocked, asks for the end. Errors:
 * NO_DONOR (nobody has sent anything in time), NOT_FUSE (what came is of no use). */
enum irsafs_code irsafs_donor_receive(const struct irsafs_donor *donor,
                                      int *ret_fd,
                                      struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
