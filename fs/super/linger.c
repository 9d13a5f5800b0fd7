/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/super/linger.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>

bool irsafs_linger_begin(struct irsafs_linger *linger, int number)
{
    if (number != SIGTERM || linger->for_ms == 0 || linger->end_ms != 0) {
        return false;
    }
    linger->end_ms = irsafs_clock_boot_ms() + linger->for_ms;
    irsafs_log(IRSAFS_LOG_INFO, "lingering", IRSAFS_LOG_NUMBER("for_ms", linger->for_ms));
    return true;
}

bool irsafs_linger_is_over(const struct irsafs_linger *linger, int64_t now_ms)
{
    return linger->end_ms != 0 && now_ms >= linger->end_ms;
}
