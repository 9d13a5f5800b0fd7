/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_PUBLISHER_H
#define IRSAFS_FS_WORKER_PUBLISHER_H

#include "base/attr.h"
#include "base/str.h"
#include "fs/shared/block.h"
#include "fs/shared/handed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has the supervisor write a text into a file: one at a time, and the next one only when it has answered.
 * A supervisor that does not is gone, and so is this worker then. */

struct irsafs_publisher {
    struct irsafs_publication *publication; /* in the shared memory */
    enum irsafs_published file;
    uint64_t asked;     /* number of the text that is under way; 0: none */
    uint64_t published; /* number of the text that is in the file; 0: none that we know of */
    int errnum;         /* why the last one is not in the file */
    bool no_other;      /* of the next one: where it cannot be written, none may stay */
};

/* False when one is under way: to be asked again after _answered. number: of the text, not 0; the parts
 * follow each other, and fit. */
bool irsafs_publisher_ask(struct irsafs_publisher *publisher,
                          uint64_t number,
                          const struct irsafs_str *parts,
                          size_t n_parts) IRSAFS_MUST_CHECK;

/* The order PUBLISHED has come. */
void irsafs_publisher_answered(struct irsafs_publisher *publisher,
                               const struct irsafs_order *order);

#endif
