/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/state.h"

void irsafs_content_now(const struct irsafs_core *c,
                        uint64_t epoch,
                        int64_t now_ms,
                        struct irsafs_content *ret)
{
    const struct irsafs_good *good = &c->good;
    bool expired = now_ms >= good->landed_ms + c->settings.ttl_ms;
    ret->body = good->body;
    ret->head_len = 0;
    if (good->body != 0 && !expired && good->epoch >= epoch) {
        return;
    }
    struct irsafs_error no_answer;
    (void)irsafs_error_set(&no_answer, IRSAFS_E_NO_ANSWER_YET,
                           "the mapping service has not answered yet");
    /* A failure that is older than the touch says nothing about it. */
    bool failed = c->failure.active && c->landed >= epoch;
    bool touched = good->body != 0 && good->epoch < epoch;
    int64_t since_s = failed ? c->failure.since_s : touched ? c->touched_s : c->unserved_since_s;
    struct irsafs_notice notice = {
        .have_text = good->body != 0,
        .mountpoint = c->settings.mountpoint,
        .since_s = since_s,
        .fetched_s = good->landed_s,
        .reason = c->failure.active ? &c->failure.error : &no_answer,
    };
    ret->head_len = irsafs_notice_render(&notice, ret->head);
}

bool irsafs_content_is_shown(const struct irsafs_core *c,
                             const struct irsafs_content *content,
                             irsafs_generation_id generation)
{
    struct irsafs_str parts[2];
    const struct irsafs_generation *g = irsafs_files_at(c, generation);
    irsafs_files_parts(c, g, parts);
    return g->body == content->body &&
           irsafs_str_equal(parts[0], (struct irsafs_str){content->head, content->head_len});
}

bool irsafs_shows_fresh_text(const struct irsafs_core *c, const struct irsafs_inode *inode)
{
    if (inode->state != IRSAFS_INODE_READY) {
        return false;
    }
    const struct irsafs_generation *g = irsafs_files_at(c, inode->generation);
    return g->head_len == 0 && g->body != 0 && g->body == c->good.body;
}

irsafs_generation_id irsafs_content_generation(struct irsafs_core *c,
                                               const struct irsafs_content *content,
                                               int64_t now_ms,
                                               struct timespec real)
{
    bool alive = c->last != 0 && irsafs_files_at(c, c->last)->number == c->last_number;
    if (alive && irsafs_content_is_shown(c, content, c->last)) {
        return c->last;
    }
    c->last = irsafs_files_generation(c, IRSAFS_KIND_CONFIG,
                                      (struct irsafs_str){content->head, content->head_len},
                                      content->body, real, now_ms);
    c->last_number = irsafs_files_at(c, c->last)->number;
    return c->last;
}
