/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/connections.h"

#include "base/clock.h"
#include "fs/shared/handed.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST = STDERR_FILENO + 1 };

/* The inode of the connection, or 0 when this is none. */
static ino_t connection_at(const struct irsafs_connections *c, int fd)
{
    struct stat st;
    if (fd == IRSAFS_HANDED_CONTROL) {
        return 0;
    }
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        if (fd == c->listeners[i]) {
            return 0;
        }
    }
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

unsigned irsafs_connections_look(struct irsafs_connections *c, int64_t now_ms)
{
    unsigned n = 0;
    for (int fd = FIRST; fd < IRSAFS_CONFINE_DESCRIPTORS; fd++) {
        struct irsafs_seen *seen = &c->seen[fd];
        ino_t ino = connection_at(c, fd);
        if (ino != seen->ino) {
            *seen = (struct irsafs_seen){.ino = ino, .since_ms = now_ms};
        }
        if (ino == 0) {
            continue;
        }
        n++;
        if (!seen->waiting && now_ms >= seen->since_ms + IRSAFS_CONNECTION_LIMIT_MS) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    return n;
}

void irsafs_connections_wait(struct irsafs_connections *c, int fd, bool waiting)
{
    if (fd >= FIRST && fd < IRSAFS_CONFINE_DESCRIPTORS) {
        c->seen[fd] = (struct irsafs_seen){
            .ino = connection_at(c, fd), .since_ms = irsafs_clock_boot_ms(), .waiting = waiting};
    }
}
