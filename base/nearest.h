/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_NEAREST_H
#define IRSAFS_BASE_NEAREST_H

#include "base/str.h"

/* What somebody who mistyped a word has meant: the candidate with the fewest slips (a letter left out, put
 * in, replaced, or two swapped), when these are few for its length; a beginning of three letters counts as
 * one slip. */
struct irsafs_nearest {
    struct irsafs_str word;
    const char *best; /* NULL: nothing is near */
    size_t slips;
};

void irsafs_nearest_offer(struct irsafs_nearest *nearest, const char *candidate);

#endif
