/* SPDX-License-Identifier: Apache-2.0 */
/* The test build's side of fs/core/place.h: a file that the test has mapped too says at which places a
 * process does what to itself. Its layout is that of tests/takeover/places.py. */
#include "fs/core/place.h"
#include "fs/shared/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CALL_OPEN_TO_READ = 100,
    CALL_OPEN_TO_WRITE,
    CALL_SOCKET,
    CALL_EXECVE,
    CALL_FORK,
    CALL_MOUNT,
    CALL_PTRACE,
    CALL_ALL_MEMORY
};

struct control {
    volatile uint32_t armed, every;
    volatile int32_t left;
    volatile uint32_t action;
    volatile uint64_t passes[32], hits[32];
    char gap[1024 - 16 - 512];
    volatile int32_t result;
    char gap2[1536 - 1028];
    volatile uint64_t counts[4]; /* inodes, lookups, slots, underflows */
};
_Static_assert(offsetof(struct control, result) == 1024 && offsetof(struct control, counts) == 1536,
               "as places.py has it");

static struct control *control;
static const struct irsafs_bell *bell;

static void *map(int fd, size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

void irsafs_places_open(void)
{
    control = map(IRSAFS_HANDED_PLACES, 4096);
    bell = map(IRSAFS_HANDED_BELL, sizeof(*bell));
}

int irsafs_places_fd(void)
{
    const char *path = getenv("IRSAFS_TEST_PLACES");
    return path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
}

void irsafs_places_count(uint64_t inodes, uint64_t lookups, uint64_t slots, uint64_t underflows)
{
    if (control != NULL) {
        control->counts[0] = inodes;
        control->counts[1] = lookups;
        control->counts[2] = slots;
        control->counts[3] = underflows;
    }
}

static int call(uint32_t action)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    switch (action) {
    case CALL_OPEN_TO_READ:
        return open("/etc/passwd", O_RDONLY);
    case CALL_OPEN_TO_WRITE:
        return open("/tmp/irsafs-forbidden", O_WRONLY | O_CREAT, 0600);
    case CALL_SOCKET:
        return socket(AF_INET, SOCK_STREAM, 0);
    case CALL_EXECVE:
        return execv("/bin/true", argv);
    case CALL_FORK:
        return fork();
    case CALL_MOUNT:
        return mount("none", "/mnt", "tmpfs", 0, NULL);
    case CALL_PTRACE:
        return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    case CALL_ALL_MEMORY:
        for (;;) {
            volatile char *block = malloc(1 << 20);
            if (block == NULL) {
                abort();
            }
            for (size_t i = 0; i < 1 << 20; i += 4096) {
                block[i] = 1;
            }
        }
    default:
        return -1;
    }
}

static void act(uint32_t action)
{
    if (action >= 100) {
        errno = 0;
        control->result = call(action) >= 0 ? 0 : errno;
    } else if (action == SIGSEGV) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 0; /* NOLINT: this is the point */
    } else {
        (void)syscall(SYS_tgkill, getpid(), gettid(), action == 0 ? SIGKILL : (int)action);
    }
}

void irsafs_place(enum irsafs_place place)
{
    struct control *c = control;
    if (c == NULL || (c->armed & UINT32_C(1) << place) == 0 || c->left <= 0) {
        return;
    }
    if (place == IRSAFS_PLACE_LOOKUP_DURING_NOTIFY &&
        (bell == NULL || atomic_load(&bell->busy) == 0)) {
        return;
    }
    uint32_t every = c->every == 0 ? 1 : c->every;
    c->passes[place] = c->passes[place] + 1;
    if (c->passes[place] % every != 0) {
        return;
    }
    c->left = c->left - 1;
    c->hits[place] = c->hits[place] + 1;
    act(c->action);
}
