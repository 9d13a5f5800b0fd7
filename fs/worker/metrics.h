/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_METRICS_H
#define IRSAFS_FS_WORKER_METRICS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "fs/core/core.h"
#include "fs/shared/block.h"
#include "fs/worker/process.h"

#include <stdbool.h>

/* Metrics as Prometheus reads them, text format 0.0.4. No label names a user, role, run or host: the
 * series of all pods together stay few. docs/metrics.md says what each means. */

/* Where they come from; a field that is not known leaves its metric without a sample. */
struct irsafs_metrics {
    const struct irsafs_view *view;
    const struct irsafs_client_facts *facts;
    const struct irsafs_counters *counters;
    uint64_t take_overs;
    uint64_t log_lines_lost; /* by this process */
    uint64_t watched[IRSAFS_WATCHED];
    struct irsafs_process_facts process;
};

enum { IRSAFS_METRICS_MAX = 32 << 10 }; /* bytes that are enough for any of them */

/* Replaces the content of ret_text, which keeps its memory from call to call: only the first ones
 * allocate. False without memory or room; then the text is not to be used. */
bool irsafs_metrics_render(const struct irsafs_metrics *metrics,
                           struct irsafs_buf *ret_text) IRSAFS_MUST_CHECK;

/* All that is known now. Valid until the next call; len 0 without memory. */
struct irsafs_str irsafs_metrics_scrape(struct irsafs_block *block,
                                        const struct irsafs_process *process) IRSAFS_MUST_CHECK;

/* Counts a flight that has ended after took_ms, at unix_s; n_dropped: items of its answer that were
 * dropped. */
void irsafs_counters_landed(struct irsafs_counters *counters,
                            const struct irsafs_landing *landing,
                            uint64_t n_dropped,
                            int64_t took_ms,
                            int64_t unix_s);

#endif
