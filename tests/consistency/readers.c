/* SPDX-License-Identifier: Apache-2.0
 *
 * The consistency checker: many processes look at a config whose every section carries a stamp (see
 * tests/standin/stamped.py), others touch `refresh`, and every look is judged:
 *   torn   not of one piece: another stamp, a section missing, a wrong line, a size that fstat denies
 *   empty  no bytes at all
 *   stale  asked for before a touch that had returned before the look began
 *   back   older than a text that some look, ended before this one began, has seen
 *   comment  comment lines on top: the service was not reached
 *   error  a system call failed
 * Usage: consistency-readers FILE REFRESH READERS TOUCHERS TOUCH_GAP_US LOOKS CHANGES SECONDS
 * Ends when LOOKS looks are done and CHANGES touches and newer texts were seen (a quick machine has
 * its looks before anything has changed), or when SECONDS are over; prints one JSON object. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20, NAME_LEN = 38, COUNT_AT = 31, INDEX_AT = 35 };
enum { KIND_READ, KIND_SMALL_READS, KIND_SIZED, KIND_MAPPED, N_KINDS };

struct shared {
    _Atomic uint64_t looks, torn, empty, stale, back, comment, error, touches;
    _Atomic uint64_t newest_seen;  /* highest sequence that a finished look has seen */
    _Atomic uint64_t newest_touch; /* latest beginning of a touch that has returned, ns */
    _Atomic bool stop;
};

static struct shared *shared;

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void raise_to(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t seen = atomic_load(counter);
    while (seen < value && !atomic_compare_exchange_weak(counter, &seen, value)) {
    }
}

/* --- the text ---------------------------------------------------------------------------------- */

struct view {
    const char *at, *end;
};

/* Takes one line that is prefix + anything + suffix. */
static bool take_line(struct view *text, const char *prefix, const char *suffix, size_t suffix_len)
{
    const char *eol = memchr(text->at, '\n', (size_t)(text->end - text->at));
    size_t prefix_len = strlen(prefix);
    if (!eol || (size_t)(eol - text->at) < prefix_len + suffix_len) {
        return false;
    }
    bool good = memcmp(text->at, prefix, prefix_len) == 0 &&
                memcmp(eol - suffix_len, suffix, suffix_len) == 0;
    text->at = eol + 1;
    return good;
}

/* A line that is exactly prefix + name + tail. */
static bool take_exact(struct view *text, const char *prefix, const char *name, const char *tail)
{
    char line[256];
    int len = snprintf(line, sizeof(line), "%s%.*s%s\n", prefix, NAME_LEN, name, tail);
    if (text->end - text->at < len || memcmp(text->at, line, (size_t)len) != 0) {
        return false;
    }
    text->at += len;
    return true;
}

static bool take_role(struct view *text, const char *name)
{
    return take_exact(text, "[profile ", name, "]") &&
           take_exact(text, "source_profile = src_", name, "") &&
           take_line(text, "role_arn=arn:aws:iam::", name, NAME_LEN) &&
           take_exact(text, "[profile src_", name, "]") &&
           take_line(text, "web_identity_token_file = /", "/token", 6) &&
           take_line(text, "role_arn=arn:aws:iam::", name, NAME_LEN);
}

/* Whether the text is whole and of one answer; if so, the stamp. */
static bool
text_is_whole(const char *data, size_t len, uint64_t *ret_sequence, uint64_t *ret_asked_ns)
{
    const size_t first = strlen("[profile ");
    if (len < first + NAME_LEN || data[first] != 'g') {
        return false;
    }
    char name[NAME_LEN + 1];
    memcpy(name, data + first, NAME_LEN);
    name[NAME_LEN] = '\0';
    unsigned long count = strtoul(name + COUNT_AT, NULL, 10);
    struct view text = {data, data + len};
    for (unsigned long i = 0; i < count; i++) {
        snprintf(name + INDEX_AT, 4, "%03lu", i % 1000);
        if (!take_role(&text, name)) {
            return false;
        }
    }
    *ret_sequence = strtoull(name + 1, NULL, 10);
    *ret_asked_ns = strtoull(name + 10, NULL, 10);
    return count > 0 && text.at == text.end;
}

/* --- looks ------------------------------------------------------------------------------------- */

static bool read_whole(int fd, char *buf, size_t step, size_t *ret_len)
{
    *ret_len = 0;
    while (*ret_len + step <= TEXT_MAX) {
        ssize_t n = read(fd, buf + *ret_len, step);
        if (n <= 0) {
            return n == 0;
        }
        *ret_len += (size_t)n;
    }
    return false;
}

static bool read_mapped(int fd, char *buf, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    memcpy(buf, map, size);
    munmap(map, size);
    return true;
}

/* Opens and reads in one of the ways that readers use; *ret_size is what fstat says of the same handle. */
static bool look(const char *path, int kind, char *buf, size_t *ret_len, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct stat st;
    bool good = fstat(fd, &st) == 0 && st.st_size >= 0 && st.st_size < TEXT_MAX;
    *ret_size = good ? (size_t)st.st_size : 0;
    *ret_len = 0;
    if (good && kind == KIND_SIZED) {
        ssize_t n = read(fd, buf, *ret_size);
        good = n >= 0;
        *ret_len = good ? (size_t)n : 0;
    } else if (good && kind == KIND_MAPPED && *ret_size > 0) {
        good = read_mapped(fd, buf, *ret_size);
        *ret_len = *ret_size;
    } else if (good) {
        good = read_whole(fd, buf, kind == KIND_SMALL_READS ? 8192 : 262144, ret_len);
    }
    close(fd);
    return good;
}

static void judge(const char *buf, size_t len, size_t size, uint64_t touched_ns, uint64_t seen)
{
    uint64_t sequence = 0;
    uint64_t asked_ns = 0;
    if (len == 0) {
        atomic_fetch_add(&shared->empty, 1);
    } else if (buf[0] == '#') {
        atomic_fetch_add(&shared->comment, 1);
    } else if (len != size || !text_is_whole(buf, len, &sequence, &asked_ns)) {
        atomic_fetch_add(&shared->torn, 1);
    } else {
        atomic_fetch_add(&shared->stale, asked_ns < touched_ns);
        atomic_fetch_add(&shared->back, sequence < seen);
        raise_to(&shared->newest_seen, sequence);
    }
}

/* Without touchers (see main) there are no touches to wait for. */
static bool enough(uint64_t looks, uint64_t changes, bool touched)
{
    return atomic_load(&shared->looks) >= looks && atomic_load(&shared->newest_seen) >= changes &&
           (!touched || atomic_load(&shared->touches) >= changes);
}

static void read_loop(const char *path, unsigned number)
{
    static char buf[TEXT_MAX];
    /* Mostly the plain way, each of the others once in eight looks. */
    static const int kinds[8] = {KIND_READ,  KIND_READ, KIND_SMALL_READS, KIND_READ,
                                 KIND_SIZED, KIND_READ, KIND_MAPPED,      KIND_READ};
    for (unsigned i = number; !atomic_load(&shared->stop); i++) {
        uint64_t touched_ns = atomic_load(&shared->newest_touch);
        uint64_t seen = atomic_load(&shared->newest_seen);
        size_t len = 0;
        size_t size = 0;
        if (look(path, kinds[i % 8], buf, &len, &size)) {
            judge(buf, len, size, touched_ns, seen);
        } else {
            atomic_fetch_add(&shared->error, 1);
        }
        atomic_fetch_add(&shared->looks, 1);
    }
}

static void touch_loop(const char *refresh, unsigned gap_us)
{
    while (!atomic_load(&shared->stop)) {
        uint64_t began = now_ns();
        if (utimensat(AT_FDCWD, refresh, NULL, 0) != 0) {
            atomic_fetch_add(&shared->error, 1);
        }
        raise_to(&shared->newest_touch, began);
        atomic_fetch_add(&shared->touches, 1);
        for (unsigned slept = 0; slept < gap_us && !atomic_load(&shared->stop); slept += 20000) {
            usleep(gap_us - slept < 20000 ? gap_us - slept : 20000);
        }
    }
}

/* --- processes --------------------------------------------------------------------------------- */

static bool start(void (*loop)(char **args, unsigned number), char **args, unsigned number)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        loop(args, number);
        _exit(0);
    }
    return pid > 0;
}

static void reader(char **args, unsigned number)
{
    read_loop(args[1], number);
}

static void toucher(char **args, unsigned number)
{
    (void)number;
    touch_loop(args[2], (unsigned)strtoul(args[5], NULL, 10));
}

/* A mapped text that shrinks kills its reader (SIGBUS): that is a torn read, and another reader starts. */
static bool replace_fallen(char **args)
{
    int status = 0;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        if (!WIFSIGNALED(status)) {
            continue;
        }
        atomic_fetch_add(WTERMSIG(status) == SIGBUS ? &shared->torn : &shared->error, 1);
        if (!start(reader, args, 0)) {
            return false;
        }
    }
    return true;
}

static void report(void)
{
    printf("{\"looks\":%ju,\"torn\":%ju,\"empty\":%ju,\"stale\":%ju,\"back\":%ju,\"comment\":%ju,"
           "\"error\":%ju,\"touches\":%ju,\"newest\":%ju}\n",
           (uintmax_t)shared->looks, (uintmax_t)shared->torn, (uintmax_t)shared->empty,
           (uintmax_t)shared->stale, (uintmax_t)shared->back, (uintmax_t)shared->comment,
           (uintmax_t)shared->error, (uintmax_t)shared->touches, (uintmax_t)shared->newest_seen);
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr,
                "usage: %s FILE REFRESH READERS TOUCHERS TOUCH_GAP_US LOOKS "
                "CHANGES SECONDS\n",
                argv[0]);
        return 2;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 1;
    }
    unsigned n_readers = (unsigned)strtoul(argv[3], NULL, 10);
    unsigned n_touchers = (unsigned)strtoul(argv[4], NULL, 10);
    bool good = true;
    for (unsigned i = 0; i < n_readers; i++) {
        good = start(reader, argv, i) && good;
    }
    for (unsigned i = 0; i < n_touchers; i++) {
        good = start(toucher, argv, i) && good;
    }
    uint64_t looks = strtoull(argv[6], NULL, 10);
    uint64_t changes = strtoull(argv[7], NULL, 10);
    uint64_t end = now_ns() + strtoull(argv[8], NULL, 10) * 1000000000u;
    while (good && !enough(looks, changes, n_touchers > 0) && now_ns() < end) {
        usleep(10000);
        good = replace_fallen(argv);
    }
    atomic_store(&shared->stop, true);
    while (wait(NULL) > 0) {
    }
    report();
    return good ? 0 : 1;
}
