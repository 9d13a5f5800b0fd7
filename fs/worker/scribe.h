/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_SCRIBE_H
#define IRSAFS_FS_WORKER_SCRIBE_H

#include "fs/core/core.h"
#include "fs/shared/block.h"
#include "fs/shared/handed.h"
#include "fs/worker/publisher.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Mode file: the front that stands where the kernel stands otherwise. It is the one reader of the core: it
 * looks at `config` as the kernel would, when its name has changed or its time is over, waits as a reader
 * waits, and has what it sees written into the file. Touches of the file `refresh` it passes on.
 * It does not wait for anything, and commits nothing: that is the caller's. */

struct irsafs_scribe {
    struct irsafs_core *core;
    struct irsafs_block *block;
    struct irsafs_publisher config, status;
    uint64_t told;      /* the newest change of the name that we have looked at */
    uint64_t flights;   /* that have landed, when we looked last */
    int64_t look_ms;    /* when to look at the name again */
    bool again;         /* what we saw could not be published: a publication was under way */
    bool stopped;       /* nothing is published any more */
    uint64_t seen;      /* what `status` shows, as one number */
    int64_t changed_ms; /* since when it shows something old; 0: it does not */
    int64_t written_ms; /* when it was written last */
};

void irsafs_scribe_init(struct irsafs_scribe *scribe, struct irsafs_block *block);

/* Does what is to be done now. tell: of the effects of the core. True when the core has heard of an event,
 * so that it has new effects. */
bool irsafs_scribe_act(struct irsafs_scribe *scribe,
                       uint64_t tell,
                       int64_t now_ms,
                       struct timespec real);

/* Publishes `status` when what it shows has changed, at most once a second. digest: of what the caller
 * adds to the document. */
void irsafs_scribe_status(struct irsafs_scribe *scribe,
                          uint64_t digest,
                          struct irsafs_str (*render)(void *user),
                          void *user,
                          int64_t now_ms);

/* When to act again. */
int64_t irsafs_scribe_next_ms(const struct irsafs_scribe *scribe);

/* The order PUBLISHED has come. */
void irsafs_scribe_answered(struct irsafs_scribe *scribe, const struct irsafs_order *order);

/* The end is near: the files stay as they are. */
void irsafs_scribe_stop(struct irsafs_scribe *scribe);

/* Why what there is to show is not in the file; NULL: it is. Static string. */
const char *irsafs_scribe_missing(const struct irsafs_scribe *scribe);
/* A fetch is over, and what it brought is in the file, or could not be written: *ret_code. */
bool irsafs_scribe_is_done(const struct irsafs_scribe *scribe, enum irsafs_code *ret_code);

#endif
