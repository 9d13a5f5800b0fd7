/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/process.h"

#include "base/clock.h"
#include "fs/shared/confine.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t in_ms(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct irsafs_process irsafs_process_open(void)
{
    return (struct irsafs_process){.start_ms = in_ms(irsafs_clock_real()),
                                   .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)};
}

/* "1234 567 ...": pages, of which resident. Reading from the begin makes the kernel count anew. */
static void look_at_memory(int statm_fd, struct irsafs_process_facts *f)
{
    char text[128];
    ssize_t n = statm_fd >= 0 ? pread(statm_fd, text, sizeof(text) - 1, 0) : -1;
    if (n <= 0) {
        return;
    }
    text[n] = '\0';
    char *rest;
    int64_t page = sysconf(_SC_PAGESIZE);
    f->virtual_bytes = strtoll(text, &rest, 10) * page;
    f->resident_bytes = strtoll(rest, NULL, 10) * page;
}

/* Without /proc/self/fd, which is behind the walls: poll(2) says which descriptors are none. */
static int64_t count_fds(void)
{
    struct pollfd fds[IRSAFS_CONFINE_DESCRIPTORS];
    int64_t n = 0;
    for (int i = 0; i < IRSAFS_CONFINE_DESCRIPTORS; i++) {
        fds[i] = (struct pollfd){.fd = i};
    }
    if (poll(fds, IRSAFS_CONFINE_DESCRIPTORS, 0) < 0) {
        return -1; /* EINVAL: the container allows less than these */
    }
    for (int i = 0; i < IRSAFS_CONFINE_DESCRIPTORS; i++) {
        n += (fds[i].revents & POLLNVAL) == 0 ? 1 : 0;
    }
    return n;
}

struct irsafs_process_facts irsafs_process_look(const struct irsafs_process *process)
{
    struct timespec cpu = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    struct irsafs_process_facts f = {
        .start_ms = process->start_ms,
        .cpu_ms = in_ms(cpu),
        .resident_bytes = -1,
        .virtual_bytes = -1,
        .open_fds = count_fds(),
    };
    look_at_memory(process->statm_fd, &f);
    return f;
}
