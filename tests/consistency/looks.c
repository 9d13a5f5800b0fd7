/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/consistency/looks.h"

#include "tests/consistency/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_steps(int fd, char *buf, size_t step, size_t *ret_len)
{
    *ret_len = 0;
    while (*ret_len + step <= TEXT_MAX) {
        ssize_t n = pread(fd, buf + *ret_len, step, (off_t)*ret_len);
        if (n <= 0) {
            return n == 0;
        }
        *ret_len += (size_t)n;
    }
    errno = EFBIG;
    return false;
}

static bool read_at_once(int fd, char *buf, size_t size, size_t *ret_len)
{
    ssize_t n = pread(fd, buf, size, 0);
    *ret_len = n >= 0 ? (size_t)n : 0;
    return n >= 0;
}

static bool read_mapped(int fd, char *buf, size_t size, size_t *ret_len)
{
    *ret_len = size;
    if (size == 0) {
        return true;
    }
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    memcpy(buf, map, size);
    munmap(map, size);
    return true;
}

bool read_text(int fd, enum way way, char *buf, size_t *ret_len, size_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return false;
    }
    *ret_size = (size_t)st.st_size;
    if (*ret_size > TEXT_MAX) {
        errno = EFBIG;
        return false;
    }
    switch (way) {
    case WAY_READ:
        return read_steps(fd, buf, 262144, ret_len);
    case WAY_SMALL_READS:
        return read_steps(fd, buf, 8192, ret_len);
    case WAY_SIZED:
        return read_at_once(fd, buf, *ret_size, ret_len);
    case WAY_MAPPED:
        return read_mapped(fd, buf, *ret_size, ret_len);
    }
    return false;
}

void look_at(const char *path, enum way way, unsigned kind)
{
    static char buf[TEXT_MAX];
    size_t len = 0;
    size_t size = 0;
    struct look look = look_begin();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read_text(fd, way, buf, &len, &size)) {
        judge_text(&look, buf, len, size);
    } else {
        judge_failure(fd < 0 ? "open" : "read", errno);
    }
    if (fd >= 0) {
        close(fd);
    }
    look_end(&look, kind);
}
