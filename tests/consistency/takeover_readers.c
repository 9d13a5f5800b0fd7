/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that readers do with a mount, while somebody kills its worker again and again: they shall
 * not notice. Every look is judged (see judge.h).
 * Usage: takeover-readers FOLDER SECONDS KIND=PROCESSES...
 * Ends when stdin ends, or after SECONDS; prints one JSON object. */
#include "tests/consistency/crowd.h"
#include "tests/consistency/judge.h"
#include "tests/consistency/looks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIND_PLAIN, KIND_HELD, KIND_SIZED, KIND_MAPPED, KIND_LISTING, KIND_MISSING, KIND_TOUCH };
enum { REREADS = 300, LONG_WRITE = 60000 };

static char config[PATH_MAX], refresh[PATH_MAX], status[PATH_MAX];
static const char *folder;

static bool going(void)
{
    return !atomic_load(&counted->stop);
}

static void rest(unsigned most_us)
{
    usleep((useconds_t)random() % most_us);
}

/* --- what readers do --------------------------------------------------------------------------- */

/* Opens, reads, closes; now and then the pages go, so that the next look is a READ again. */
static void plain(unsigned number)
{
    for (unsigned i = number; going(); i++) {
        look_at(config, i % 4 ? WAY_READ : WAY_SMALL_READS, KIND_PLAIN);
        int fd = i % 8 ? -1 : open(config, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
        rest(500);
    }
}

/* Reads a handle again after its pages were dropped: the bytes are those of the first time. */
static void read_again(int fd, const char *first, size_t first_len)
{
    static char again[TEXT_MAX];
    size_t len = 0;
    size_t size = 0;
    struct look look = look_begin();
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (!read_text(fd, WAY_READ, again, &len, &size)) {
        judge_failure("read of a held handle", errno);
    } else if (len != first_len || size != first_len || memcmp(first, again, len) != 0) {
        judge_fault(&counted->changed, "changed");
    }
    look_end(&look, KIND_HELD);
}

static void hold(int fd, const struct look *opened, bool to_the_end)
{
    static char first[TEXT_MAX];
    size_t len = 0;
    size_t size = 0;
    if (!read_text(fd, WAY_READ, first, &len, &size)) {
        judge_failure("first read of a handle", errno);
        return;
    }
    judge_text(opened, first, len, size);
    look_end(opened, KIND_HELD);
    for (int i = 0; going() && (to_the_end || i < REREADS); i++) {
        read_again(fd, first, len);
        rest(2000);
    }
}

/* Odd ones keep the first generation that they get to the end. */
static void held(unsigned number)
{
    while (going()) {
        struct look look = look_begin();
        int fd = open(config, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            hold(fd, &look, number % 2 == 1);
            close(fd);
        } else {
            judge_failure("open to hold", errno);
        }
        rest(2000);
    }
}

/* Believes stat, as boto3 and cp do. */
static void sized(unsigned number)
{
    (void)number;
    while (going()) {
        struct stat st;
        struct look look = look_begin();
        if (stat(config, &st) != 0) {
            judge_failure("stat", errno);
        } else if (st.st_size == 0) {
            judge_fault(&counted->empty, "stat with size 0");
        }
        look_end(&look, KIND_SIZED);
        look_at(config, WAY_SIZED, KIND_SIZED);
        rest(500);
    }
}

static void mapped(unsigned number)
{
    (void)number;
    while (going()) {
        look_at(config, WAY_MAPPED, KIND_MAPPED);
        rest(500);
    }
}

static void read_status(void)
{
    char text[16384 + 1];
    struct look look = look_begin();
    int fd = open(status, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    if (n < 0) {
        judge_failure("status", errno);
    } else if (n < 4 || text[0] != '{' || memcmp(text + n - 2, "}\n", 2) != 0) {
        judge_fault(&counted->torn, "status is not whole");
    }
    if (fd >= 0) {
        close(fd);
    }
    look_end(&look, KIND_LISTING);
}

static void list_folder(void)
{
    unsigned n = 0;
    struct look look = look_begin();
    DIR *dir = opendir(folder);
    if (!dir) {
        judge_failure("opendir", errno);
    } else {
        for (errno = 0; readdir(dir);) {
            n++;
        }
        if (errno != 0) {
            judge_failure("readdir", errno);
        } else if (n != 5) { /* . .. config refresh status */
            judge_fault(&counted->torn, "another number of names");
        }
        closedir(dir);
    }
    look_end(&look, KIND_LISTING);
}

static void listing(unsigned number)
{
    (void)number;
    while (going()) {
        read_status();
        list_folder();
        rest(500);
    }
}

static void missing(unsigned number)
{
    (void)number;
    while (going()) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof(path), "%s/no-%ld", folder, random());
        struct look look = look_begin();
        int result = stat(path, &st);
        if (result == 0 || errno != ENOENT) {
            judge_failure("a name that is not there", result == 0 ? EEXIST : errno);
        }
        look_end(&look, KIND_MISSING);
        rest(300);
    }
}

static bool write_to_refresh(size_t len)
{
    static const char data[LONG_WRITE];
    int fd = open(refresh, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, data, len) == (ssize_t)len;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return good;
}

/* A touch without data, of six bytes or of many in turn, then a look that must be newer. */
static void touch(unsigned number)
{
    for (unsigned i = number; going(); i++) {
        struct look look = look_begin();
        bool good = i % 3 == 0 ? utimensat(AT_FDCWD, refresh, NULL, 0) == 0
                               : write_to_refresh(i % 3 == 1 ? 6 : LONG_WRITE);
        if (good) {
            judge_touch(look.began_ns);
        } else {
            judge_failure("touch", errno);
        }
        look_end(&look, KIND_TOUCH);
        look_at(config, WAY_READ, KIND_TOUCH);
        rest(20000);
    }
}

/* --- the crowd --------------------------------------------------------------------------------- */

static const struct kind {
    const char *name;
    member_loop *loop;
} kinds[] = {[KIND_PLAIN] = {"plain", plain},       [KIND_HELD] = {"held", held},
             [KIND_SIZED] = {"sized", sized},       [KIND_MAPPED] = {"mapped", mapped},
             [KIND_LISTING] = {"listing", listing}, [KIND_MISSING] = {"missing", missing},
             [KIND_TOUCH] = {"touch", touch}};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };
_Static_assert((int)N_KINDS <= (int)KINDS_MAX, "a counter for each kind");

/* NAME=PROCESSES; false for a name that is none, or when a process cannot be started. */
static bool start(const char *word)
{
    size_t len = strcspn(word, "=");
    for (unsigned k = 0; k < N_KINDS; k++) {
        if (strlen(kinds[k].name) != len || memcmp(kinds[k].name, word, len) != 0) {
            continue;
        }
        unsigned long count = word[len] == '=' ? strtoul(word + len + 1, NULL, 10) : 0;
        bool good = count > 0;
        for (unsigned i = 0; good && i < count; i++) {
            good = crowd_start(kinds[k].loop, i);
        }
        return good;
    }
    return false;
}

static bool stdin_has_ended(void)
{
    char byte;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 10) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* "name":[median,p99,slowest], in microseconds. */
static void report_times(const char *name, unsigned first, unsigned last, uint64_t slowest_us)
{
    uint64_t median = judge_time_us(first, last, 500000);
    uint64_t p99 = judge_time_us(first, last, 990000);
    printf("%s\"%s\":[%ju,%ju,%ju]", first == last ? "," : ",\"us_of\":{", name,
           (uintmax_t)(median < slowest_us ? median : slowest_us),
           (uintmax_t)(p99 < slowest_us ? p99 : slowest_us), (uintmax_t)slowest_us);
}

static void report(void)
{
    printf("{");
    judge_report();
    report_times("all", 0, N_KINDS - 1, counted->slowest_us);
    for (unsigned k = 0; k < N_KINDS; k++) {
        report_times(kinds[k].name, k, k, counted->slowest_us_of[k]);
    }
    printf("}");
    for (unsigned k = 0; k < N_KINDS; k++) {
        printf("%s\"%s\":%ju", k > 0 ? "," : ",\"looks_of\":{", kinds[k].name,
               (uintmax_t)counted->looks_of[k]);
    }
    printf("}}\n");
}

int main(int argc, char **argv)
{
    if (argc < 4 || !judge_init()) {
        fprintf(stderr, "usage: %s FOLDER SECONDS KIND=PROCESSES...\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    snprintf(config, sizeof(config), "%s/config", folder);
    snprintf(refresh, sizeof(refresh), "%s/refresh", folder);
    snprintf(status, sizeof(status), "%s/status", folder);
    uint64_t end = now_ns() + strtoull(argv[2], NULL, 10) * 1000000000u;
    bool good = true;
    for (int i = 3; i < argc; i++) {
        good = good && start(argv[i]);
    }
    while (good && !stdin_has_ended() && now_ns() < end) {
        good = crowd_replace_fallen();
    }
    crowd_end();
    report();
    return good ? 0 : 1;
}
