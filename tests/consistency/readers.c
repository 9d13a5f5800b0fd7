/* SPDX-License-Identifier: Apache-2.0
 *
 * The consistency checker: many processes look at a config whose every section carries a stamp, others
 * touch `refresh`, and every look is judged (see judge.h).
 * Usage: consistency-readers FILE REFRESH READERS TOUCHERS TOUCH_GAP_US LOOKS CHANGES SECONDS
 * Ends when LOOKS looks are done and CHANGES touches and newer texts were seen (a quick machine has
 * its looks before anything has changed), or when SECONDS are over; prints one JSON object. */
#include "tests/consistency/crowd.h"
#include "tests/consistency/judge.h"
#include "tests/consistency/looks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *config, *refresh;
static unsigned gap_us;

static void read_loop(unsigned number)
{
    /* Mostly the plain way, each of the others once in eight looks. */
    static const enum way ways[8] = {WAY_READ,  WAY_READ, WAY_SMALL_READS, WAY_READ,
                                     WAY_SIZED, WAY_READ, WAY_MAPPED,      WAY_READ};
    for (unsigned i = number; !atomic_load(&counted->stop); i++) {
        look_at(config, ways[i % 8], 0);
    }
}

static void touch_loop(unsigned number)
{
    (void)number;
    while (!atomic_load(&counted->stop)) {
        uint64_t began = now_ns();
        if (utimensat(AT_FDCWD, refresh, NULL, 0) != 0) {
            judge_failure("touch", errno);
        }
        judge_touch(began);
        for (unsigned slept = 0; slept < gap_us && !atomic_load(&counted->stop); slept += 20000) {
            usleep(gap_us - slept < 20000 ? gap_us - slept : 20000);
        }
    }
}

/* Without touchers there are no touches to wait for. */
static bool enough(uint64_t looks, uint64_t changes, bool touched)
{
    return atomic_load(&counted->looks) >= looks && atomic_load(&counted->newest_seen) >= changes &&
           (!touched || atomic_load(&counted->touches) >= changes);
}

static bool start(member_loop *loop, unsigned long count)
{
    bool good = true;
    for (unsigned i = 0; i < count; i++) {
        good = crowd_start(loop, i) && good;
    }
    return good;
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
    config = argv[1];
    refresh = argv[2];
    gap_us = (unsigned)strtoul(argv[5], NULL, 10);
    unsigned long n_touchers = strtoul(argv[4], NULL, 10);
    bool good = judge_init() && start(read_loop, strtoul(argv[3], NULL, 10)) &&
                start(touch_loop, n_touchers);
    uint64_t looks = strtoull(argv[6], NULL, 10);
    uint64_t changes = strtoull(argv[7], NULL, 10);
    uint64_t end = now_ns() + strtoull(argv[8], NULL, 10) * 1000000000u;
    while (good && !enough(looks, changes, n_touchers > 0) && now_ns() < end) {
        usleep(10000);
        good = crowd_replace_fallen();
    }
    if (!counted) {
        return 1;
    }
    crowd_end();
    printf("{");
    judge_report();
    printf("}\n");
    return good ? 0 : 1;
}
