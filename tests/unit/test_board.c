/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor/board.h"
#include "tests/unit/unit.h"

#include <string.h>

/* What doctor takes from a process that has talked to others: its findings, and nothing that they could
 * have made of the rest. */

enum { FIRST = 2, END = 5 };

static struct irsafs_board before, board;

static int start(void **state)
{
    (void)state;
    board = (struct irsafs_board){.check = 0, .mountpoint = "/var/run/.aws", .served = "/aws"};
    irsafs_board_note(&board, IRSAFS_LEVEL_FAIL, "mend it", "broken");
    before = board;
    board.check = FIRST;
    irsafs_board_ok(&board, "good");
    return 0;
}

static void test_findings_are_taken(void **state)
{
    (void)state;
    board.check = END - 1;
    irsafs_board_note(&board, IRSAFS_LEVEL_WARN, "look", "odd");
    board.profile_missing = true;
    irsafs_board_take(&board, &before, FIRST, END);
    assert_int_equal(board.n, 3);
    assert_int_equal(board.check, END - 1);
    assert_true(board.profile_missing);
    assert_string_equal(board.findings[1].text, "good");
    assert_string_equal(board.findings[2].remedy, "look");
    assert_int_equal(board.findings[2].check, END - 1);
}

static void test_earlier_findings_and_facts_stay(void **state)
{
    (void)state;
    board.findings[0].level = IRSAFS_LEVEL_OK;
    (void)strcpy(board.findings[0].text, "all is well");
    memset(board.mountpoint, 'x', sizeof(board.mountpoint));
    memset(board.served, 'x', sizeof(board.served));
    board.check = SIZE_MAX;
    irsafs_board_take(&board, &before, FIRST, END);
    assert_int_equal(board.findings[0].level, IRSAFS_LEVEL_FAIL);
    assert_string_equal(board.findings[0].text, "broken");
    assert_string_equal(board.mountpoint, "/var/run/.aws");
    assert_string_equal(board.served, "/aws");
    assert_int_equal(board.check, FIRST);
    board.n = 0;
    irsafs_board_take(&board, &before, FIRST, END);
    assert_int_equal(board.n, 1);
}

static void test_what_is_no_finding_is_left_out(void **state)
{
    (void)state;
    board.n = SIZE_MAX;
    for (size_t i = 1; i < IRSAFS_FINDINGS_MAX; i++) {
        struct irsafs_finding *f = &board.findings[i];
        *f = (struct irsafs_finding){.check = FIRST, .level = IRSAFS_LEVEL_OK};
        memset(f->text, '\x1b', sizeof(f->text));
        memset(f->remedy, 'x', sizeof(f->remedy));
    }
    board.findings[1].check = 0;
    board.findings[2].check = END;
    board.findings[3].check = SIZE_MAX;
    memset(&board.findings[4].level, 0xff, sizeof(board.findings[4].level));
    memset(&board.findings[5].level, IRSAFS_LEVELS, sizeof(board.findings[5].level));
    irsafs_board_take(&board, &before, FIRST, END);
    assert_int_equal(board.n, IRSAFS_FINDINGS_MAX - 5);
    for (size_t i = 1; i < board.n; i++) {
        const struct irsafs_finding *f = &board.findings[i];
        assert_int_equal(f->check, FIRST);
        assert_int_equal(strnlen(f->text, sizeof(f->text)), sizeof(f->text) - 1);
        assert_int_equal(strspn(f->text, "?"), sizeof(f->text) - 1);
        assert_int_equal(strnlen(f->remedy, sizeof(f->remedy)), sizeof(f->remedy) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_findings_are_taken, start),
        cmocka_unit_test_setup(test_earlier_findings_and_facts_stay, start),
        cmocka_unit_test_setup(test_what_is_no_finding_is_left_out, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
