/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_LABELS_H
#define IRSAFS_CLIENT_LABELS_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* The labels file of the downward API, as kubelet writes it: KEY="VALUE" per line, the value quoted
 * and escaped as a Go string, no newline at the end. */

/* A label that somebody wants: the key is given, the rest is filled in. */
struct irsafs_label {
    const char *key;
    bool present;
    char value[256]; /* NUL-terminated; Kubernetes allows 63 characters */
};

/* Strict: a file that is not as kubelet writes it (cut, other line ends, a wanted label twice or too
 * long) is refused as a whole, since half a label could be somebody else's run. The labels are
 * untouched then. E_LABELS; the message names the line. Pure. */
enum irsafs_code irsafs_labels_parse(struct irsafs_str text,
                                     struct irsafs_label *labels,
                                     size_t n_labels,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
