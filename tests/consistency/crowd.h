/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_CONSISTENCY_CROWD_H
#define IRSAFS_TESTS_CONSISTENCY_CROWD_H

#include <stdbool.h>

/* The processes that look and touch; each runs its loop until counted->stop. */
typedef void member_loop(unsigned number);

/* Starts a process that dies with us. */
bool crowd_start(member_loop *loop, unsigned number);
/* Counts those that were killed and starts others in their place. */
bool crowd_replace_fallen(void);
/* Sets counted->stop and waits; who has not ended after HANG_SECONDS hangs. */
void crowd_end(void);

#endif
