/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mode.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void check(struct irsafs_mode_facts facts, enum irsafs_mode wanted, const char *missing)
{
    struct irsafs_mode_choice choice = irsafs_mode_choose(&facts);
    assert_int_equal(choice.mode, wanted);
    assert_string_equal(choice.missing, missing);
}

static void test_socket_is_best(void **state)
{
    (void)state;
    check((struct irsafs_mode_facts){.fd_socket = true}, IRSAFS_MODE_FD, "");
    check((struct irsafs_mode_facts){.fd_socket = true, .fuse_errnum = ENOENT}, IRSAFS_MODE_FD, "");
    check((struct irsafs_mode_facts){.fd_socket = true, .mount_errnum = EPERM}, IRSAFS_MODE_FD, "");
}

static void test_mount_when_it_is_permitted(void **state)
{
    (void)state;
    check((struct irsafs_mode_facts){.fd_socket = false}, IRSAFS_MODE_MOUNT, "fd: no --fd-socket");
}

static void test_file_when_nothing_else_goes(void **state)
{
    (void)state;
    check((struct irsafs_mode_facts){.fuse_errnum = ENOENT}, IRSAFS_MODE_FILE,
          "fd: no --fd-socket; mount: open /dev/fuse: No such file or directory");
    check((struct irsafs_mode_facts){.fuse_errnum = EPERM, .mount_errnum = EACCES},
          IRSAFS_MODE_FILE, "fd: no --fd-socket; mount: open /dev/fuse: Operation not permitted");
    check((struct irsafs_mode_facts){.mount_errnum = EACCES}, IRSAFS_MODE_FILE,
          "fd: no --fd-socket; mount: mount(2): Permission denied");
    check((struct irsafs_mode_facts){.mount_errnum = 4000}, IRSAFS_MODE_FILE,
          "fd: no --fd-socket; mount: mount(2): unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_is_best),
        cmocka_unit_test(test_mount_when_it_is_permitted),
        cmocka_unit_test(test_file_when_nothing_else_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
