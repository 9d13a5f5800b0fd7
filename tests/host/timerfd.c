/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Preloaded before libfaketime, which takes every timerfd for one of the wall clock and would shift the
 * times of one that counts CLOCK_BOOTTIME. */

#pragma GCC visibility push(default)

int timerfd_settime(int fd,
                    int flags,
                    const struct itimerspec *new_value,
                    struct itimerspec *old_value)
{
    return (int)syscall(SYS_timerfd_settime, fd, flags, new_value, old_value);
}

#pragma GCC visibility pop
