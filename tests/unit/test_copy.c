/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the supervisor writes into a folder in which others may write too. */
#include "base/file.h"
#include "fs/super/copy.h"
#include "fs/super/desk.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct folder {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));
    (void)snprintf(f->path, sizeof(f->path), "/tmp/irsafs-test-copy.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    *state = f;
    return 0;
}

static int count(const struct folder *f)
{
    int n = 0;
    DIR *dir = opendir(f->path);
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n - 2;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"config", "status", "other", ".irsafs.config.0/kept"};
    static const char *const folders[] = {"config", ".irsafs.config.0"};
    struct folder *f = *state;
    for (size_t i = 0; i < IRSAFS_COUNT(names); i++) {
        (void)unlinkat(f->fd, names[i], 0);
    }
    for (size_t i = 0; i < IRSAFS_COUNT(folders); i++) {
        (void)unlinkat(f->fd, folders[i], AT_REMOVEDIR);
    }
    (void)close(f->fd);
    int left = rmdir(f->path);
    free(f);
    return left;
}

static bool close_fails;
/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int result = __real_close(fd);
    if (close_fails) {
        errno = EDQUOT;
        return -1;
    }
    return result;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int copy(const struct folder *f, const char *text)
{
    struct stat st;
    const struct irsafs_copy_attributes attributes = {getuid(), getgid(), 0444};
    int errnum = irsafs_copy_write(f->fd, "config", text, strlen(text), &attributes, &st);
    assert_true(errnum != 0 || (S_ISREG(st.st_mode) && (size_t)st.st_size == strlen(text)));
    return errnum;
}

static void assert_holds(const struct folder *f, const char *name, const char *text)
{
    char bytes[64] = "";
    int fd = openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof(bytes) - 1) >= 0);
    (void)close(fd);
    assert_string_equal(bytes, text);
}

static void make(const struct folder *f, const char *name, const char *text)
{
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && irsafs_write_all(fd, text, strlen(text)));
    (void)close(fd);
}

static void writes_and_replaces(void **state)
{
    struct folder *f = *state;
    struct stat first, second;
    mode_t before = umask(077);
    assert_int_equal(copy(f, "one\n"), 0);
    (void)umask(before);
    assert_holds(f, "config", "one\n");
    assert_int_equal(fstatat(f->fd, "config", &first, 0), 0);
    assert_int_equal(first.st_mode & 07777, 0444);
    int old = openat(f->fd, "config", O_RDONLY | O_CLOEXEC);
    char bytes[8] = "";
    assert_int_equal(copy(f, "two\n"), 0);
    assert_holds(f, "config", "two\n");
    assert_int_equal(fstatat(f->fd, "config", &second, 0), 0);
    assert_int_not_equal(first.st_ino, second.st_ino);
    assert_int_equal(read(old, bytes, sizeof(bytes)), 4);
    assert_string_equal(bytes, "one\n"); /* an open handle keeps its text */
    (void)close(old);
    assert_int_equal(count(f), 1);
}

/* As NFS does, which has not sent anything before. */
static void is_not_written_where_close_fails(void **state)
{
    struct folder *f = *state;
    assert_int_equal(copy(f, "one\n"), 0);
    close_fails = true;
    int errnum = copy(f, "two\n");
    close_fails = false;
    assert_int_equal(errnum, EDQUOT);
    assert_holds(f, "config", "one\n");
    assert_int_equal(count(f), 1);
}

static void replaces_and_never_follows(void **state)
{
    struct folder *f = *state;
    make(f, "other", "mine\n");
    assert_int_equal(symlinkat("other", f->fd, "config"), 0);
    assert_int_equal(copy(f, "text\n"), 0);
    assert_holds(f, "config", "text\n");
    assert_holds(f, "other", "mine\n");
    assert_int_equal(unlinkat(f->fd, "config", 0), 0);
    assert_int_equal(mkfifoat(f->fd, "config", 0666), 0);
    assert_int_equal(copy(f, "text\n"), 0);
    assert_holds(f, "config", "text\n");
    assert_int_equal(count(f), 2);
}

static void replaces_an_empty_folder_only(void **state)
{
    struct folder *f = *state;
    assert_int_equal(mkdirat(f->fd, "config", 0777), 0);
    assert_int_equal(copy(f, "text\n"), 0);
    assert_holds(f, "config", "text\n");
    assert_int_equal(unlinkat(f->fd, "config", 0), 0);
    assert_int_equal(mkdirat(f->fd, "config", 0777), 0);
    make(f, "config/kept", "mine\n");
    int errnum = copy(f, "text\n");
    assert_true(errnum == ENOTEMPTY || errnum == EEXIST);
    assert_holds(f, "config/kept", "mine\n");
    assert_int_equal(count(f), 1);
    assert_int_equal(unlinkat(f->fd, "config/kept", 0), 0);
}

static void is_not_stopped_by_what_lies_in_its_way(void **state)
{
    struct folder *f = *state;
    make(f, "other", "mine\n");
    assert_int_equal(symlinkat("other", f->fd, ".irsafs.config.0"), 0);
    assert_int_equal(copy(f, "one\n"), 0);
    assert_holds(f, "other", "mine\n");
    assert_int_equal(mkdirat(f->fd, ".irsafs.config.0", 0777), 0);
    make(f, ".irsafs.config.0/kept", "mine\n");
    assert_int_equal(copy(f, "two\n"), 0);
    assert_holds(f, "config", "two\n");
    assert_int_equal(count(f), 3);
}

/* Another process puts a symlink in the place of the temporary file, as often as it can. */
static void says_so_when_others_were_faster(void **state)
{
    struct folder *f = *state;
    unsigned n_written = 0;
    make(f, "other", "theirs\n");
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* when an assertion ends this test */
        for (;;) {
            (void)unlinkat(f->fd, ".irsafs.config.0", 0);
            (void)!symlinkat("other", f->fd, ".irsafs.config.0");
        }
    }
    for (int i = 0; i < 3000; i++) {
        int errnum = copy(f, "ours\n");
        assert_true(errnum == 0 || errnum == ESTALE || errnum == ENOENT);
        if (errnum == 0) {
            assert_holds(f, "config", "ours\n");
            n_written++;
        }
    }
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)unlinkat(f->fd, ".irsafs.config.0", 0);
    assert_true(n_written > 0);
    assert_int_equal(copy(f, "ours\n"), 0);
    assert_holds(f, "config", "ours\n");
    assert_holds(f, "other", "theirs\n");
}

/* ---- the desk */

static struct irsafs_publication publications[IRSAFS_PUBLICATIONS];

static struct irsafs_desk desk_of(const struct folder *f)
{
    return (struct irsafs_desk){
        .dir_fd = f->fd,
        .uid = getuid(),
        .gid = getgid(),
        .files = {[IRSAFS_PUBLISHED_CONFIG] = {.name = "config", .mode = 0444}},
    };
}

static uint32_t
publish(struct irsafs_desk *desk, uint32_t file, const char *text, uint32_t length, uint64_t number)
{
    const struct irsafs_order order = {
        .type = IRSAFS_ORDER_PUBLISH, .file = file, .length = length, .number = number};
    memcpy(publications[0].bytes, text, strlen(text));
    struct irsafs_order answer = irsafs_desk_publish(desk, publications, &order);
    assert_int_equal(answer.type, IRSAFS_ORDER_PUBLISHED);
    assert_int_equal(answer.file, file);
    assert_int_equal(answer.number, number);
    return answer.code;
}

static void desk_bounds_what_a_worker_says(void **state)
{
    struct folder *f = *state;
    struct irsafs_desk desk = desk_of(f);
    assert_int_equal(publish(&desk, IRSAFS_PUBLISHED_STATUS, "x", 1, 1), ENOENT);
    assert_int_equal(publish(&desk, IRSAFS_PUBLICATIONS, "x", 1, 1), ENOENT);
    assert_int_equal(publish(&desk, UINT32_MAX, "x", 1, 1), ENOENT);
    assert_int_equal(publish(&desk, 0, "x", UINT32_MAX, 1), EMSGSIZE);
    assert_int_equal(publish(&desk, 0, "x", sizeof(publications[0].bytes) + 1, 1), EMSGSIZE);
    assert_int_equal(count(f), 0);
    desk.dir_fd = -1;
    assert_int_equal(publish(&desk, 0, "x", 1, 1), ENOENT);
}

static void desk_leaves_a_good_file_alone(void **state)
{
    struct folder *f = *state;
    struct irsafs_desk desk = desk_of(f);
    struct stat first, second;
    assert_int_equal(publish(&desk, 0, "one\n", 4, 7), 0);
    assert_int_equal(fstatat(f->fd, "config", &first, 0), 0);
    assert_int_equal(publish(&desk, 0, "one\n", 4, 7), 0);
    assert_int_equal(fstatat(f->fd, "config", &second, 0), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(fchmodat(f->fd, "config", 0644, 0), 0);
    make(f, "config", "theirs\n"); /* and written again, with the same number */
    assert_int_equal(publish(&desk, 0, "one\n", 4, 7), 0);
    assert_holds(f, "config", "one\n");
    assert_int_equal(unlinkat(f->fd, "config", 0), 0);
    assert_int_equal(publish(&desk, 0, "one\n", 4, 7), 0);
    assert_holds(f, "config", "one\n");
    assert_int_equal(publish(&desk, 0, "one\n", 4, 8), 0);
    assert_int_equal(fstatat(f->fd, "config", &first, 0), 0);
    assert_int_equal(publish(&desk, 0, "one\n", 4, 9), 0); /* other generation, the same text */
    assert_int_equal(fstatat(f->fd, "config", &second, 0), 0);
    assert_int_equal(first.st_ino, second.st_ino);
}

/* A worker that is killed before it commits leaves its number to another text. */
static void desk_believes_bytes_not_numbers(void **state)
{
    struct folder *f = *state;
    struct irsafs_desk desk = desk_of(f);
    assert_int_equal(publish(&desk, 0, "old\n", 4, 7), 0);
    assert_int_equal(publish(&desk, 0, "new\n", 4, 7), 0);
    assert_holds(f, "config", "new\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_and_replaces),
        TEST(is_not_written_where_close_fails),
        TEST(replaces_and_never_follows),
        TEST(replaces_an_empty_folder_only),
        TEST(is_not_stopped_by_what_lies_in_its_way),
        TEST(says_so_when_others_were_faster),
        TEST(desk_bounds_what_a_worker_says),
        TEST(desk_leaves_a_good_file_alone),
        TEST(desk_believes_bytes_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
