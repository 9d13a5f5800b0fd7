/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_LOOP_H
#define IRSAFS_FS_WORKER_LOOP_H

#include "base/attr.h"

struct event_base;

/* libevent's loop, with its messages in our log. Events have priorities; after in_a_row of them of
 * priority last or lower it looks for new ones of higher priority. NULL without memory. */
struct event_base *irsafs_loop_new(int priorities, int in_a_row, int last) IRSAFS_MUST_CHECK;

#endif
