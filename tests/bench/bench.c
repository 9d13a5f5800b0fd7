/* SPDX-License-Identifier: Apache-2.0
 *
 * The timed loops of tests/bench/run: everything that a Python program is too slow, too big or too
 * busy to time. Prints numbers only (nanoseconds, one line per sample), leaves judging to its caller,
 * and ends with exit code 1 and a reason as soon as something did not work.
 *
 *   irsafs-bench files OP ROUNDS N PAUSE_US CPU LABEL=DIR...
 *     OP: clock, read (open, read, close), held (pread), stat, list (opendir, getdents, close).
 *     Each round visits every DIR, N operations in a row, in an order that rotates and turns.
 *     CPU: a number to be pinned to, or "any". The first DIR says what the files must contain.
 *     -> ROUND LABEL N MIN MEDIAN P99
 *   irsafs-bench touch DIR ROUNDS SETTLE_MS
 *     Touches DIR/refresh, then opens, reads and closes DIR/config.
 *     -> BEGIN TOUCHED END BYTES HASH      (CLOCK_MONOTONIC; HASH: 64 bit FNV-1a of the text)
 *   irsafs-bench spawn ROUNDS -- PROGRAM... [-- PROGRAM...]
 *     Runs the programs one after the other, in rotated order, stdout to /dev/null.
 *     -> INDEX BEGIN END MAX_RSS_KIB
 *   irsafs-bench start MOUNTPOINT ROUNDS -- PROGRAM...
 *     Starts a daemon, waits for its mount and its `status`, ends it.
 *     -> VISIBLE STAT READ STOP            (since the start; STOP: since SIGTERM)
 *   irsafs-bench kills SUPERVISOR NAME DIR KILLS MIN_US MAX_US
 *     Kills the child NAME of that pid, and the next one, ...; each lives for a random time between the
 *     two. After each kill a second process looks for a name that DIR does not have.
 *     -> KILLED ANSWERED NEXT              (CLOCK_MONOTONIC; NEXT: what one more such look takes) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_MAX = 256 * 1024,
    TARGETS_MAX = 8,
    SAMPLES_MAX = 1000 * 1000,
    NAMES = 5, /* . .. config refresh status */
    START_TIMEOUT_MS = 10 * 1000,
};

static _Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("irsafs-bench: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* For what the system refused. */
static _Noreturn void die_errno(const char *what)
{
    die("%s: %s", what, strerrordesc_np(errno));
}

static int64_t now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void sleep_us(long us)
{
    struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static long number(const char *text, long min, long max)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        die("'%s' is not a number from %ld to %ld", text, min, max);
    }
    return value;
}

static void join(char ret_path[PATH_MAX], const char *dir, const char *name)
{
    if ((size_t)snprintf(ret_path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX) {
        die("the path of %s is too long", name);
    }
}

/* Rotated by one each round, and turned round every other time: A B C, B C A reversed, ... */
static size_t in_turn(size_t position, size_t round, size_t n)
{
    size_t i = (position + round / 2) % n;
    return round % 2 == 0 ? i : n - 1 - i;
}

/* ---- files */

struct target {
    const char *label;
    char dir[PATH_MAX], config[PATH_MAX];
    int held;
};

static char text[TEXT_MAX];     /* what the operation has just read */
static char expected[TEXT_MAX]; /* what it had to read */
static ssize_t expected_size;

static void op_clock(const struct target *t)
{
    (void)t;
}

static void op_read(const struct target *t)
{
    int fd = open(t->config, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text));
    if (close(fd) != 0 || n != expected_size) {
        die("%s: read %zd bytes instead of %zd", t->config, n, expected_size);
    }
}

static void op_held(const struct target *t)
{
    ssize_t n = pread(t->held, text, sizeof(text), 0);
    if (n != expected_size) {
        die("%s: pread %zd bytes instead of %zd", t->config, n, expected_size);
    }
}

static void op_stat(const struct target *t)
{
    struct stat st;
    if (stat(t->config, &st) != 0 || st.st_size != expected_size) {
        die("%s: stat failed or does not say %zd bytes", t->config, expected_size);
    }
}

static void op_list(const struct target *t)
{
    DIR *dir = opendir(t->dir);
    int names = 0;
    while (dir != NULL && readdir(dir) != NULL) {
        names++;
    }
    if (dir == NULL || closedir(dir) != 0 || names != NAMES) {
        die("%s: %d names instead of %d", t->dir, names, NAMES);
    }
}

static const struct operation {
    const char *name;
    void (*run)(const struct target *t);
    bool reads;
} operations[] = {
    {"clock", op_clock, false}, {"read", op_read, true},  {"held", op_held, true},
    {"stat", op_stat, false},   {"list", op_list, false},
};

static const struct operation *find_operation(const char *name)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return &operations[i];
        }
    }
    die("no operation '%s'", name);
}

static int open_or_die(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        die_errno(path);
    }
    return fd;
}

static void load_expected(const char *path)
{
    int fd = open_or_die(path);
    expected_size = read(fd, expected, sizeof(expected));
    (void)close(fd);
    if (expected_size <= 0 || expected_size == (ssize_t)sizeof(expected)) {
        die("%s: %zd bytes are no text to measure with", path, expected_size);
    }
}

static void parse_target(struct target *t, char *word)
{
    char *dir = strchr(word, '=');
    if (dir == NULL) {
        die("'%s' is not LABEL=DIR", word);
    }
    *dir++ = '\0';
    t->label = word;
    (void)snprintf(t->dir, sizeof(t->dir), "%s", dir);
    join(t->config, dir, "config");
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void
sample(const struct operation *op, const struct target *t, long round, long n, long pause_us)
{
    static int64_t took[SAMPLES_MAX];
    if (op->reads) {
        memset(text, 0, (size_t)expected_size);
    }
    op->run(t); /* this file's turn begins: not counted */
    for (long i = 0; i < n; i++) {
        if (pause_us > 0) {
            sleep_us(pause_us);
        }
        int64_t begin = now_ns();
        op->run(t);
        took[i] = now_ns() - begin;
    }
    if (op->reads && memcmp(text, expected, (size_t)expected_size) != 0) {
        die("%s: wrong bytes", t->config);
    }
    qsort(took, (size_t)n, sizeof(took[0]), by_value);
    (void)printf("%ld %s %ld %" PRId64 " %" PRId64 " %" PRId64 "\n", round, t->label, n, took[0],
                 took[n / 2], took[n * 99 / 100]);
}

static void pin(const char *cpu)
{
    if (strcmp(cpu, "any") == 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)number(cpu, 0, CPU_SETSIZE - 1), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        die_errno("sched_setaffinity");
    }
}

static void files(int argc, char **argv)
{
    if (argc < 6 || argc - 5 > TARGETS_MAX) {
        die("files OP ROUNDS N PAUSE_US CPU LABEL=DIR...");
    }
    static struct target targets[TARGETS_MAX];
    const struct operation *op = find_operation(argv[0]);
    long rounds = number(argv[1], 1, SAMPLES_MAX);
    long n = number(argv[2], 1, SAMPLES_MAX);
    long pause_us = number(argv[3], 0, SAMPLES_MAX);
    size_t n_targets = (size_t)argc - 5;
    pin(argv[4]);
    for (size_t i = 0; i < n_targets; i++) {
        parse_target(&targets[i], argv[5 + i]);
        targets[i].held = open_or_die(targets[i].config);
    }
    load_expected(targets[0].config);
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n_targets; i++) {
            sample(op, &targets[in_turn(i, (size_t)round, n_targets)], round, n, pause_us);
        }
    }
}

/* ---- touch */

static uint64_t fnv1a(const char *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    }
    return hash;
}

/* As cat does: until a read gives nothing. */
static size_t read_all(const char *path)
{
    size_t size = 0;
    ssize_t n = 0;
    int fd = open_or_die(path);
    while ((n = read(fd, text + size, sizeof(text) - size)) > 0) {
        size += (size_t)n;
    }
    if (n < 0 || close(fd) != 0) {
        die_errno(path);
    }
    return size;
}

static void touch(int argc, char **argv)
{
    if (argc != 3) {
        die("touch DIR ROUNDS SETTLE_MS");
    }
    char config[PATH_MAX];
    char refresh[PATH_MAX];
    join(config, argv[0], "config");
    join(refresh, argv[0], "refresh");
    long rounds = number(argv[1], 1, SAMPLES_MAX);
    long settle_ms = number(argv[2], 0, 10000);
    for (long round = 0; round < rounds; round++) {
        sleep_us(settle_ms * 1000);
        int64_t begin = now_ns();
        if (utimensat(AT_FDCWD, refresh, NULL, 0) != 0) {
            die_errno(refresh);
        }
        int64_t touched = now_ns();
        size_t size = read_all(config);
        int64_t end = now_ns();
        (void)printf("%" PRId64 " %" PRId64 " %" PRId64 " %zu %" PRIx64 "\n", begin, touched, end,
                     size, fnv1a(text, size));
    }
}

/* ---- programs */

static pid_t start_program(char **argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    if (argv[0] == NULL) {
        die("no program after --");
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    if (errno != 0) {
        die_errno(argv[0]);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static struct rusage end_program(const char *name, pid_t pid)
{
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
        die("%s: wait status 0x%x", name, (unsigned)status);
    }
    return usage;
}

/* Cuts argv at each "--", in place. */
static size_t split(int argc, char **argv, char **ret_programs[TARGETS_MAX])
{
    size_t n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") != 0) {
            continue;
        }
        if (n == TARGETS_MAX) {
            die("more than %d programs", TARGETS_MAX);
        }
        argv[i] = NULL;
        ret_programs[n++] = argv + i + 1;
    }
    return n;
}

static void spawn(int argc, char **argv)
{
    char **programs[TARGETS_MAX];
    size_t n = argc > 1 ? split(argc - 1, argv + 1, programs) : 0;
    if (n == 0) {
        die("spawn ROUNDS -- PROGRAM... [-- PROGRAM...]");
    }
    long rounds = number(argv[0], 1, SAMPLES_MAX);
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) {
            size_t which = in_turn(i, (size_t)round, n);
            int64_t begin = now_ns();
            pid_t pid = start_program(programs[which]);
            struct rusage usage = end_program(programs[which][0], pid);
            /* ru_maxrss counts this program's size before the exec too: it must stay small. */
            (void)printf("%zu %" PRId64 " %" PRId64 " %ld\n", which, begin, now_ns(),
                         usage.ru_maxrss);
        }
    }
}

/* ---- start */

static dev_t device_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        die_errno(path);
    }
    return st.st_dev;
}

/* Sleeps until the mount table changes: no polling takes the CPU that the daemon needs. The first
 * stat of the new mount's root waits for the daemon's answer. */
static void wait_mounted(const char *mountpoint, dev_t before)
{
    struct pollfd table = {.fd = open_or_die("/proc/self/mountinfo"), .events = POLLPRI};
    int64_t deadline = now_ns() + START_TIMEOUT_MS * INT64_C(1000000);
    while (device_of(mountpoint) == before) {
        if (now_ns() > deadline || poll(&table, 1, START_TIMEOUT_MS) <= 0) {
            die("%s: not mounted within %d ms", mountpoint, START_TIMEOUT_MS);
        }
    }
    (void)close(table.fd);
}

static void start_once(const char *mountpoint, const char *status, char **program)
{
    dev_t before = device_of(mountpoint);
    struct stat st;
    int64_t begin = now_ns();
    pid_t pid = start_program(program);
    wait_mounted(mountpoint, before);
    int64_t visible = now_ns();
    if (stat(status, &st) != 0) {
        die_errno(status);
    }
    int64_t looked = now_ns();
    size_t size = read_all(status);
    int64_t has_read = now_ns();
    if (size == 0 || text[0] != '{') {
        die("%s: %zu bytes that are no JSON object", status, size);
    }
    int64_t term = now_ns();
    (void)kill(pid, SIGTERM);
    (void)end_program(program[0], pid);
    (void)printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", visible - begin,
                 looked - begin, has_read - begin, now_ns() - term);
    if (device_of(mountpoint) != before) {
        die("%s: still mounted", mountpoint);
    }
}

static void start(int argc, char **argv)
{
    char **programs[TARGETS_MAX];
    if (argc < 4 || split(argc - 2, argv + 2, programs) != 1) {
        die("start MOUNTPOINT ROUNDS -- PROGRAM...");
    }
    char status[PATH_MAX];
    join(status, argv[0], "status");
    long rounds = number(argv[1], 1, SAMPLES_MAX);
    for (long round = 0; round < rounds; round++) {
        start_once(argv[0], status, programs[0]);
    }
}

/* ---- kills */

enum { KILLED_MAX = 16, SUCCESSOR_SECONDS = 15, LOOK_PAUSE_US = 100 };

/* What fits, as a string; empty when the process has gone. */
static void read_proc(char *ret, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;
    ret[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* One that was killed is not reaped at once. */
static bool is_among(pid_t pid, const pid_t killed[KILLED_MAX])
{
    for (size_t i = 0; i < KILLED_MAX; i++) {
        if (killed[i] == pid) {
            return true;
        }
    }
    return false;
}

static pid_t find_child(long parent, const char *name, const pid_t killed[KILLED_MAX])
{
    char children[1024];
    char path[64];
    char *rest = NULL;
    (void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", parent, parent);
    read_proc(children, sizeof(children), path);
    for (char *word = strtok_r(children, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char comm[32];
        pid_t pid = (pid_t)number(word, 1, INT_MAX);
        (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        read_proc(comm, sizeof(comm), path);
        comm[strcspn(comm, "\n")] = '\0';
        if (strcmp(comm, name) == 0 && !is_among(pid, killed)) {
            return pid;
        }
    }
    return 0;
}

static pid_t wait_child(long parent, const char *name, const pid_t killed[KILLED_MAX])
{
    int64_t deadline = now_ns() + SUCCESSOR_SECONDS * INT64_C(1000000000);
    pid_t pid = 0;
    while ((pid = find_child(parent, name, killed)) == 0) {
        if (now_ns() > deadline) {
            die("no %s below %ld within %d s", name, parent, SUCCESSOR_SECONDS);
        }
        sleep_us(LOOK_PAUSE_US);
    }
    return pid;
}

/* Never the same name: the kernel knows nothing of it and has to ask. */
static void look_for_nothing(const char *dir)
{
    static unsigned n;
    char path[PATH_MAX];
    char name[32];
    struct stat st;
    (void)snprintf(name, sizeof(name), "gone-%u", n++);
    join(path, dir, name);
    (void)alarm(SUCCESSOR_SECONDS); /* ends us and the look */
    if (stat(path, &st) == 0 || errno != ENOENT) {
        die("%s: not ENOENT but %s", path, strerrordesc_np(errno));
    }
}

/* Reads the times of kills. Each is followed by a look that begins after it. */
static void watch_answers(int kills_fd, const char *dir)
{
    int64_t killed = 0;
    while (read(kills_fd, &killed, sizeof(killed)) == (ssize_t)sizeof(killed)) {
        look_for_nothing(dir);
        int64_t answered = now_ns();
        look_for_nothing(dir);
        (void)printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", killed, answered,
                     now_ns() - answered);
        (void)alarm(0);
    }
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static void kills(int argc, char **argv)
{
    if (argc != 6) {
        die("kills SUPERVISOR NAME DIR KILLS MIN_US MAX_US");
    }
    long supervisor = number(argv[0], 2, INT_MAX);
    long count = number(argv[3], 1, SAMPLES_MAX);
    long min_us = number(argv[4], 0, 60L * 1000 * 1000);
    long max_us = number(argv[5], min_us, 60L * 1000 * 1000);
    pid_t killed[KILLED_MAX] = {0};
    int ends[2];
    if (pipe(ends) != 0) {
        die_errno("pipe");
    }
    pid_t watcher = fork();
    if (watcher == 0) {
        (void)close(ends[1]);
        watch_answers(ends[0], argv[2]);
    }
    (void)close(ends[0]);
    srandom((unsigned)getpid());
    for (long i = 0; i < count; i++) {
        pid_t pid = wait_child(supervisor, argv[1], killed);
        sleep_us(min_us + random() % (max_us - min_us + 1));
        killed[i % KILLED_MAX] = pid;
        int64_t now = now_ns();
        if (kill(pid, SIGKILL) != 0) {
            die_errno("kill");
        }
        if (write(ends[1], &now, sizeof(now)) != (ssize_t)sizeof(now)) {
            die("the watching process has ended");
        }
    }
    (void)close(ends[1]);
    (void)end_program("the watching process", watcher);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(int argc, char **argv);
    } verbs[] = {
        {"files", files}, {"touch", touch}, {"spawn", spawn}, {"start", start}, {"kills", kills}};
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            verbs[i].run(argc - 2, argv + 2);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    die("files, touch, spawn, start or kills; see the top of bench.c");
}
