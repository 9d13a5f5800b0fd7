/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_LIMITS_H
#define IRSAFS_BASE_LIMITS_H

/* The ceilings of the product (docs/files.md): beyond one of them input is refused with a
 * code, never cut. */
enum {
    IRSAFS_TEXT_MAX = 1 << 20,     /* the service's answer; the text of `config` */
    IRSAFS_SECTIONS_MAX = 8192,    /* sections in one text */
    IRSAFS_PROFILE_NAME_MAX = 128, /* characters */
    IRSAFS_VALUE_MAX = 1024,       /* characters of a value */
    IRSAFS_COMMENT_LINES_MAX = 6,  /* comment lines that irsafs puts on top */
    IRSAFS_COMMENT_LINE_MAX = 200, /* characters of each, without the newline */
    IRSAFS_TOKEN_MAX = 16 << 10,   /* bytes of a token or API key */
    IRSAFS_RESPONSE_HEADERS_MAX = 32 << 10,
    IRSAFS_LABELS_MAX = 256 << 10,   /* bytes of the labels file */
    IRSAFS_REPORT_MAX = 64 << 10,    /* bytes of the client's JSON report */
    IRSAFS_STATUS_MAX = 16 << 10,    /* bytes of `status` */
    IRSAFS_DROPPED_ITEMS_MAX = 32,   /* entries of report.dropped.items */
    IRSAFS_CHILD_FILE_MAX = 1 << 20, /* RLIMIT_FSIZE of the client: stdout and report */
};

#define IRSAFS_DEFAULT_TOKEN_PATH "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"

#endif
