/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_MODE_H
#define IRSAFS_FS_SHARED_MODE_H

/* How `config` gets to its readers (docs/modes.md). */

enum irsafs_mode {
    IRSAFS_MODE_MOUNT, /* a FUSE file system that we mount */
    IRSAFS_MODE_FD,    /* one that a driver has mounted: we are handed its descriptor */
    IRSAFS_MODE_FILE,  /* no FUSE: plain files */
};

enum irsafs_layout {
    IRSAFS_LAYOUT_ROOT,   /* on the mount point itself */
    IRSAFS_LAYOUT_SUBDIR, /* on .live in it, beside links that lead there */
};

static inline const char *irsafs_mode_name(enum irsafs_mode mode)
{
    return mode == IRSAFS_MODE_FILE ? "file" : mode == IRSAFS_MODE_FD ? "fd" : "mount";
}

static inline const char *irsafs_layout_name(enum irsafs_layout layout)
{
    return layout == IRSAFS_LAYOUT_SUBDIR ? "subdir" : "root";
}

#endif
