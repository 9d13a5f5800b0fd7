/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: what was not committed has never happened, wherever the process was stopped. */
#include "fs/core/undo.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OLD = 1, NEW = 2, NEWER = 3 };

struct block {
    uint64_t a;
    char bytes[37]; /* a size that needs padding */
    uint64_t b;
    struct irsafs_undo undo;
};

/* What a transaction of this file reaches: the log is much longer. */
enum { REACHED = offsetof(struct block, undo) + offsetof(struct irsafs_undo, log) + 1024 };

static struct block *new_block(void)
{
    struct block *x =
        mmap(NULL, sizeof(*x), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(x, MAP_FAILED);
    x->a = x->b = OLD;
    memset(x->bytes, OLD, sizeof(x->bytes));
    return x;
}

static void free_block(struct block *x)
{
    (void)munmap(x, sizeof(*x));
}

static bool is(const struct block *x, uint64_t a, char bytes, uint64_t b)
{
    for (size_t i = 0; i < sizeof(x->bytes); i++) {
        if (x->bytes[i] != bytes) {
            return false;
        }
    }
    return x->a == a && x->b == b;
}

static void change(struct block *x)
{
    irsafs_undo_save(&x->undo, &x->a, sizeof(x->a));
    x->a = NEW;
    irsafs_undo_save(&x->undo, x->bytes, sizeof(x->bytes));
    memset(x->bytes, NEW, sizeof(x->bytes));
    irsafs_undo_save(&x->undo, &x->b, sizeof(x->b));
    x->b = NEW;
    irsafs_undo_save(&x->undo, &x->a, sizeof(x->a)); /* again: the oldest value counts */
    x->a = NEWER;
}

static void test_roll_back_puts_the_oldest_value_back(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    assert_false(irsafs_undo_is_open(&x->undo));
    irsafs_undo_roll_back(&x->undo); /* of nothing */
    assert_true(is(x, OLD, OLD, OLD));
    change(x);
    assert_true(irsafs_undo_is_open(&x->undo));
    irsafs_undo_roll_back(&x->undo);
    assert_false(irsafs_undo_is_open(&x->undo));
    assert_true(is(x, OLD, OLD, OLD));
    free_block(x);
}

static void test_commit_is_for_good(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    change(x);
    irsafs_undo_commit(&x->undo);
    irsafs_undo_roll_back(&x->undo);
    assert_true(is(x, NEWER, NEW, NEW));
    irsafs_undo_save(&x->undo, &x->b, sizeof(x->b));
    x->b = NEWER;
    irsafs_undo_roll_back(&x->undo);
    assert_true(is(x, NEWER, NEW, NEW)); /* no older transaction comes back */
    free_block(x);
}

static void test_another_address(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    struct block *y = new_block();
    change(x);
    memcpy(y, x, REACHED);
    memset(x, 0x5a, REACHED);
    irsafs_undo_roll_back(&y->undo);
    assert_true(is(y, OLD, OLD, OLD));
    free_block(x);
    free_block(y);
}

static void test_an_endless_transaction_ends_the_process(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        for (;;) {
            irsafs_undo_save(&x->undo, &x->a, sizeof(x->a));
            x->a++;
        }
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    irsafs_undo_roll_back(&x->undo);
    assert_true(is(x, OLD, OLD, OLD));
    free_block(x);
}

/* ---- stopped between any two instructions */

static void transaction(struct block *x)
{
    change(x);
    irsafs_undo_commit(&x->undo);
}

static void roll_back(struct block *x)
{
    irsafs_undo_roll_back(&x->undo);
}

/* Does `what` in a child, instruction by instruction: a SIGKILL would leave what the block is then.
 * What is rolled back is all old, until it is all `after` for ever. */
static void step_through(struct block *x, void (*what)(struct block *x), uint64_t after)
{
    struct block *copy = new_block();
    unsigned long steps = 0;
    bool done = false;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        what(x);
        _exit(0);
    }
    for (;;) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status)) {
            break;
        }
        memcpy(copy, x, REACHED);
        irsafs_undo_roll_back(&copy->undo);
        if (!is(copy, OLD, OLD, OLD) || done) {
            assert_true(is(copy, after, NEW, NEW));
            done = true;
        }
        steps++;
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(done, after != OLD);
    assert_true(steps > 50); /* it was stepped through, indeed */
    free_block(copy);
}

static void test_stopped_anywhere_in_a_transaction(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    step_through(x, transaction, NEWER);
    assert_true(is(x, NEWER, NEW, NEW));
    free_block(x);
}

static void test_stopped_anywhere_in_a_roll_back(void **arg)
{
    (void)arg;
    struct block *x = new_block();
    change(x);
    step_through(x, roll_back, OLD);
    assert_true(is(x, OLD, OLD, OLD));
    free_block(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll_back_puts_the_oldest_value_back),
        cmocka_unit_test(test_commit_is_for_good),
        cmocka_unit_test(test_another_address),
        cmocka_unit_test(test_an_endless_transaction_ends_the_process),
        cmocka_unit_test(test_stopped_anywhere_in_a_transaction),
        cmocka_unit_test(test_stopped_anywhere_in_a_roll_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
