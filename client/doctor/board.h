/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_DOCTOR_BOARD_H
#define IRSAFS_CLIENT_DOCTOR_BOARD_H

#include "base/attr.h"
#include "base/error.h"
#include "base/mountinfo.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has been found so far, in memory that the checks' processes share: what a child wrote is there
 * even when it was killed. */

enum irsafs_level {
    IRSAFS_LEVEL_OK,
    IRSAFS_LEVEL_WARN,
    IRSAFS_LEVEL_FAIL,
    IRSAFS_LEVEL_NOT_TRIED,
};
enum { IRSAFS_LEVELS = IRSAFS_LEVEL_NOT_TRIED + 1 };

struct irsafs_finding {
    size_t check; /* place in the table of checks */
    enum irsafs_level level;
    enum irsafs_code code; /* IRSAFS_OK: none */
    char text[256];        /* printable ASCII, as the next */
    char remedy[256];      /* "" with OK and not tried */
};

enum irsafs_life {
    IRSAFS_LIFE_NONE, /* no irsafs is mounted there */
    IRSAFS_LIFE_ALIVE,
    IRSAFS_LIFE_DEAD,   /* its process was killed */
    IRSAFS_LIFE_SILENT, /* no answer in time */
};

/* How readers get the files: its mode. */
enum irsafs_way {
    IRSAFS_WAY_MOUNT, /* or not known */
    IRSAFS_WAY_FD,
    IRSAFS_WAY_FILE,
};

enum { IRSAFS_FINDINGS_MAX = 64 };

struct irsafs_board {
    size_t check; /* the one that runs */
    size_t n;
    struct irsafs_finding findings[IRSAFS_FINDINGS_MAX];
    /* facts that one check finds and another one needs */
    char mountpoint[PATH_MAX]; /* without symlinks, as far as it is there */
    char files[PATH_MAX];      /* where FUSE is, or should be: the same, or .live in it */
    int mountpoint_errnum;     /* why it is not there; 0 */
    enum irsafs_life life;
    enum irsafs_way way;
    bool sidecar; /* this container is that of irsafs: no SDK runs in it */
    bool here;    /* the irsafs of that way runs in this container, as far as can be seen */
    size_t n_layers, n_own_layers;
    struct irsafs_layer top;         /* when n_layers > 0 */
    char served[IRSAFS_MESSAGE_MAX]; /* mount point of the irsafs that answers; "": none does */
    unsigned identity_mode;          /* permission bits of the projected token */
    bool profile_missing;            /* AWS_PROFILE names one that the service does not map */
};

/* Notes a finding of the check that runs; what does not fit is cut, or dropped when the board is full. */
void irsafs_board_ok(struct irsafs_board *board, const char *fmt, ...) IRSAFS_PRINTF(2, 3);
void irsafs_board_note(struct irsafs_board *board,
                       enum irsafs_level level,
                       const char *remedy,
                       const char *fmt,
                       ...) IRSAFS_PRINTF(4, 5);
/* The message and the remedy of an error. */
void irsafs_board_error(struct irsafs_board *board,
                        enum irsafs_level level,
                        const struct irsafs_error *err);

/* After a process that talks to others, and that they may have taken over, has run the checks first to
 * end - 1: `before`, and of what it left the well-formed findings of these checks, where it has come
 * to, and profile_missing. */
void irsafs_board_take(struct irsafs_board *board,
                       const struct irsafs_board *before,
                       size_t first,
                       size_t end);

/* Whether this check has ended well enough for those that need it. */
bool irsafs_board_is_good(const struct irsafs_board *board, size_t check);

#endif
