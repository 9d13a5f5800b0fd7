/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/state.h"

#include <string.h>

void irsafs_content_now(const struct irsafs_core *c,
                        uint64_t epoch,
                        int64_t now_ms,
                        struct irsafs_content *ret)
{
    const struct irsafs_good *good = &c->good;
    bool expired = now_ms >= good->landed_ms + c->settings.ttl_ms;
    ret->body = good->body;
    ret->head_len = 0;
    if (good->body != NULL && !expired && good->epoch >= epoch) {
        return;
    }
    struct irsafs_error no_answer;
    (void)irsafs_error_set(&no_answer, IRSAFS_E_NO_ANSWER_YET,
                           "the mapping service has not answered yet");
    /* A failure that is older than the touch says nothing about it. */
    bool failed = c->failure.active && c->landed >= epoch;
    bool touched = good->body != NULL && good->epoch < epoch;
    int64_t since_s = failed ? c->failure.since_s : touched ? c->touched_s : c->unserved_since_s;
    struct irsafs_notice notice = {
        .have_text = good->body != NULL,
        .mountpoint = c->settings.mountpoint,
        .since_s = since_s,
        .fetched_s = good->landed_s,
        .reason = c->failure.active ? &c->failure.error : &no_answer,
    };
    ret->head_len = irsafs_notice_render(&notice, ret->head);
}

bool irsafs_content_is_shown(const struct irsafs_content *content,
                             const struct irsafs_generation *g)
{
    size_t head_len = g->head != NULL ? g->head->size : 0;
    return g->body == content->body && head_len == content->head_len &&
           (head_len == 0 || memcmp(g->head->bytes, content->head, head_len) == 0);
}

bool irsafs_shows_fresh_text(const struct irsafs_core *c, const struct irsafs_inode *inode)
{
    return inode->state == IRSAFS_INODE_READY && inode->generation->head == NULL &&
           inode->generation->body != NULL && inode->generation->body == c->good.body;
}

/* What is shown when there is no memory for the comment lines. Never freed: the count starts at 1. */
static struct irsafs_text *out_of_memory_text(void)
{
    static const char line[] = "# irsafs: out of memory (IRSAFS-E001). See the log of irsafs.\n";
    static union {
        struct irsafs_text text;
        char storage[sizeof(struct irsafs_text) + sizeof(line)];
    } store = {.text = {.refs = 1, .size = sizeof(line) - 1}};
    memcpy(store.text.bytes, line, sizeof(line) - 1);
    return irsafs_text_ref(&store.text);
}

struct irsafs_generation *irsafs_content_generation(struct irsafs_core *c,
                                                    const struct irsafs_content *content,
                                                    int64_t now_ms,
                                                    struct timespec real)
{
    bool alive = c->last != NULL && c->last->number == c->last_number;
    if (alive && irsafs_content_is_shown(content, c->last)) {
        return c->last;
    }
    struct irsafs_text *head = NULL;
    if (content->head_len > 0) {
        head = irsafs_text_new(content->head_len);
        if (head != NULL) {
            memcpy(head->bytes, content->head, content->head_len);
        } else {
            head = out_of_memory_text();
        }
    }
    struct irsafs_text *body = content->body != NULL ? irsafs_text_ref(content->body) : NULL;
    c->last = irsafs_files_generation(c->files, IRSAFS_KIND_CONFIG, head, body, real, now_ms);
    c->last_number = c->last->number;
    return c->last;
}
