/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/keeper.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

enum { RETRY_MS = 1000 };

void irsafs_keeper_init(struct irsafs_keeper *k, struct irsafs_block *block)
{
    *k = (struct irsafs_keeper){.config = {.file = IRSAFS_PUBLISHED_CONFIG}, .retry_ms = INT64_MAX};
    if (block->head.settings.mode == IRSAFS_MODE_MOUNT &&
        block->head.settings.layout == IRSAFS_LAYOUT_SUBDIR) {
        k->config.publication = &block->publications[IRSAFS_PUBLISHED_CONFIG];
    }
}

/* What the file should be, as a number: the same text of another fetch is another one, because of its
 * comment line. 0: what is there may stay. */
static uint64_t wanted(const struct irsafs_last_good *good)
{
    if (!good->fetched) {
        return 0; /* of an irsafs before us, perhaps; nothing is known that speaks against it */
    }
    if (good->have_text) {
        return (uint64_t)good->fetched_s << 20 | (good->n_texts & 0x7ffff) << 1 | 1;
    }
    bool denied = good->error == IRSAFS_E_DENIED || good->error == IRSAFS_E_NO_RUN;
    return good->n_texts > 0 || denied ? 2 : 0;
}

void irsafs_keeper_act(struct irsafs_keeper *k, const struct irsafs_core *core, int64_t now_ms)
{
    if (k->config.publication == NULL) {
        return; /* layout root: there is no such file */
    }
    const struct irsafs_last_good good = irsafs_core_last_good(core);
    uint64_t number = wanted(&good);
    if (number == 0 || number == k->config.published) {
        k->tried = 0;
        k->retry_ms = INT64_MAX;
        return;
    }
    if (number == k->tried && now_ms < k->retry_ms) {
        return;
    }
    char when[IRSAFS_RFC3339_SIZE];
    char line[IRSAFS_COMMENT_LINE_MAX];
    irsafs_clock_rfc3339(good.fetched_s, when);
    int n =
        good.have_text
            ? snprintf(line, sizeof(line),
                       "# irsafs: NOT RUNNING. These profiles are its last good answer, of %s.\n",
                       when)
            : snprintf(line, sizeof(line),
                       "# irsafs: NOT RUNNING. NO PROFILES: it had none to show at its end.\n");
    const struct irsafs_str parts[] = {{line, (size_t)n}, good.text};
    k->config.no_other = !good.have_text;
    if (irsafs_publisher_ask(&k->config, number, parts, IRSAFS_COUNT(parts))) {
        k->tried = number;
        k->retry_ms = now_ms + RETRY_MS;
    }
}

int64_t irsafs_keeper_next_ms(const struct irsafs_keeper *k)
{
    return k->config.asked == 0 ? k->retry_ms : INT64_MAX;
}

void irsafs_keeper_answered(struct irsafs_keeper *k, const struct irsafs_order *order)
{
    if (k->config.publication != NULL) {
        irsafs_publisher_answered(&k->config, order);
    }
}
