/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_RUN_H
#define IRSAFS_CLIENT_RUN_H

#include "base/client_options.h"
#include "base/error.h"

/* Which run we ask for. */
struct irsafs_run {
    char id[64];            /* without "run-" */
    char workload_type[64]; /* "" when the pod has none */
    const char *from;       /* what named the id: a label, "--run-id" or "DOMINO_RUN_ID"; static */
};

/* First of: --run-id; label dominodatalab.com/execution-id; the labels app.kubernetes.io/name and
 * .../instance, only where they begin with "run-"; DOMINO_RUN_ID. The prefix "run-" of a label is not
 * part of the id. The workload type comes from the labels in
 * every case. With --run-id a labels file that cannot be read does not matter; a labels file that is
 * not there does not matter when DOMINO_RUN_ID is set.
 * Reads one file; does not block on anything but the file system. E_LABELS, E_NO_RUN_ID, E_BAD_VALUE
 * (DOMINO_RUN_ID), E_MEMORY. */
enum irsafs_code irsafs_run_find(const struct irsafs_client_settings *settings,
                                 struct irsafs_run *ret_run,
                                 struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
