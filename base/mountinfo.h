/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_MOUNTINFO_H
#define IRSAFS_BASE_MOUNTINFO_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* What is mounted on a place, as /proc/self/mountinfo tells it. */

#define IRSAFS_FSTYPE "fuse.irsafs"

struct irsafs_layer {
    int id, parent;
    bool ours;
    char type[32];        /* of the file system, cut there */
    bool shared, follows; /* propagation: a peer group of its own (shared:N); receives (master:N) */
};

enum { IRSAFS_LAYERS_MAX = 64 };

/* The mounts on path, which is absolute and without symlinks, in the order of mounting; asks nothing of
 * whoever serves them. Allocates, and frees all of it. Returns 0, or an errno value: ENOMEM, or why the
 * file could not be opened. */
int irsafs_layers_read(const char *path,
                       struct irsafs_layer layers[IRSAFS_LAYERS_MAX],
                       size_t *ret_n) IRSAFS_MUST_CHECK;

/* Whether an irsafs is mounted under this id, wherever that is, and nothing is mounted on it. Allocates, and
 * frees all of it; false when the file cannot be read. */
bool irsafs_layer_is_bare(int id);

/* The topmost one, which is no other one's parent; NULL: there is none. Pure. */
const struct irsafs_layer *irsafs_layers_top(const struct irsafs_layer *layers, size_t n);

#endif
