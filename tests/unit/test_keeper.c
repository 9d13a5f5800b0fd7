/* SPDX-License-Identifier: Apache-2.0 */
/* When the last good text below the mount is written, and when nothing more is to be done. */
#include "fs/worker/control.h"
#include "fs/worker/keeper.h"
#include "tests/unit/unit.h"

#include <errno.h>

static struct irsafs_publication publication;
static struct irsafs_last_good good;
static struct irsafs_order asked; /* the order PUBLISH that was sent last; type 0: none */

/* In place of the core, and of the socket to the supervisor. */
struct irsafs_last_good irsafs_core_last_good(const struct irsafs_core *core)
{
    (void)core;
    return good;
}

void irsafs_control_send(const struct irsafs_order *order)
{
    asked = *order;
}

static struct irsafs_keeper begin(void)
{
    good = (struct irsafs_last_good){.text = {"", 0}};
    asked = (struct irsafs_order){.type = 0};
    return (struct irsafs_keeper){
        .config = {.publication = &publication, .file = IRSAFS_PUBLISHED_CONFIG}};
}

static void fails_with(enum irsafs_code code)
{
    good.fetched = true;
    good.error = code;
}

static void answer(struct irsafs_keeper *k, int errnum)
{
    struct irsafs_order order = {.type = IRSAFS_ORDER_PUBLISHED,
                                 .code = (uint32_t)errnum,
                                 .file = asked.file,
                                 .number = asked.number};
    asked.type = 0;
    irsafs_keeper_answered(k, &order);
}

static void writes_each_good_text_once(void **state)
{
    (void)state;
    struct irsafs_keeper k = begin();
    irsafs_keeper_act(&k, NULL, 1000);
    assert_int_equal(asked.type, 0); /* nothing is known that speaks against what lies there */
    good = (struct irsafs_last_good){.fetched = true,
                                     .have_text = true,
                                     .text = {"[default]\n", 10},
                                     .n_texts = 1,
                                     .fetched_s = 1700000000};
    irsafs_keeper_act(&k, NULL, 2000);
    assert_int_equal(asked.type, IRSAFS_ORDER_PUBLISH);
    assert_int_equal(asked.code, 0);
    answer(&k, 0);
    irsafs_keeper_act(&k, NULL, 3000);
    assert_int_equal(asked.type, 0);
    assert_true(irsafs_keeper_next_ms(&k) == INT64_MAX);
}

static void tries_again_after_a_second(void **state)
{
    (void)state;
    struct irsafs_keeper k = begin();
    fails_with(IRSAFS_E_DENIED);
    irsafs_keeper_act(&k, NULL, 1000);
    assert_int_equal(asked.type, IRSAFS_ORDER_PUBLISH);
    assert_int_equal(asked.code, 1); /* what lies there must not stay */
    answer(&k, ENOSPC);
    irsafs_keeper_act(&k, NULL, 1500);
    assert_int_equal(asked.type, 0);
    assert_true(irsafs_keeper_next_ms(&k) == 2000);
    irsafs_keeper_act(&k, NULL, 2000);
    assert_int_equal(asked.type, IRSAFS_ORDER_PUBLISH);
}

/* Otherwise the worker's timer would expire without end, and do nothing. */
static void wants_no_turn_for_what_is_not_wanted_any_more(void **state)
{
    (void)state;
    struct irsafs_keeper k = begin();
    fails_with(IRSAFS_E_DENIED);
    irsafs_keeper_act(&k, NULL, 1000);
    answer(&k, ENOSPC);
    fails_with(IRSAFS_E_CONNECT);
    irsafs_keeper_act(&k, NULL, 5000);
    assert_int_equal(asked.type, 0);
    assert_true(irsafs_keeper_next_ms(&k) == INT64_MAX);
    fails_with(IRSAFS_E_DENIED);
    irsafs_keeper_act(&k, NULL, 6000);
    assert_int_equal(asked.type, IRSAFS_ORDER_PUBLISH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_good_text_once),
        cmocka_unit_test(tries_again_after_a_second),
        cmocka_unit_test(wants_no_turn_for_what_is_not_wanted_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
