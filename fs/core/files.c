/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/files.h"

#include "fs/core/state.h"

#include <string.h>

enum { SLOT_BITS = 12 };
_Static_assert(IRSAFS_INODES_MAX == 1 << SLOT_BITS, "an inode number ends with its slot");

/* The part of the generation table that belongs to a kind. */
static const struct range {
    uint32_t first, end;
} ranges[IRSAFS_KINDS] = {
    [IRSAFS_KIND_CONFIG] = {0, IRSAFS_CONFIG_GENERATIONS_MAX},
    [IRSAFS_KIND_STATUS] = {IRSAFS_CONFIG_GENERATIONS_MAX, IRSAFS_GENERATIONS},
};

void irsafs_files_init(struct irsafs_core *c, uint64_t first_ino)
{
    c->files.next_serial = (first_ino >> SLOT_BITS) + 1;
}

/* ---- texts */

static struct irsafs_text *text_at(struct irsafs_core *c, irsafs_text_id id)
{
    struct irsafs_text *text = &c->tables.texts[id - 1];
    irsafs_undo_save(&c->undo, text, sizeof(*text));
    return text;
}

static char *bytes_at(const struct irsafs_core *c, uint32_t i)
{
    const char *at =
        i < IRSAFS_CONFIG_TEXTS ? c->bytes.config[i] : c->bytes.status[i - IRSAFS_CONFIG_TEXTS];
    /* The memory is ours to change: const is only the caller's view of it. */
    return (char *)(uintptr_t)at;
}

irsafs_text_id
irsafs_files_text(struct irsafs_core *c, enum irsafs_kind kind, struct irsafs_str bytes)
{
    bool config = kind == IRSAFS_KIND_CONFIG;
    uint32_t i = config ? 0 : IRSAFS_CONFIG_TEXTS;
    uint32_t end = config ? IRSAFS_CONFIG_TEXTS : IRSAFS_TEXTS;
    /* One whose last holder has just let go is not taken: this transaction may be rolled back. */
    while (i < end - 1 && (c->tables.texts[i].refs != 0 || c->bytes.dirty[i])) {
        i++;
    }
    c->bytes.dirty[i] = true;
    memcpy(bytes_at(c, i), bytes.ptr, bytes.len);
    text_at(c, (irsafs_text_id)(i + 1))->size = (uint32_t)bytes.len;
    return (irsafs_text_id)(i + 1);
}

void irsafs_files_ref(struct irsafs_core *c, irsafs_text_id id)
{
    text_at(c, id)->refs++;
}

void irsafs_files_unref(struct irsafs_core *c, irsafs_text_id id)
{
    if (id != 0) {
        text_at(c, id)->refs--;
    }
}

struct irsafs_str irsafs_files_bytes(const struct irsafs_core *c, irsafs_text_id id)
{
    return id == 0 ? (struct irsafs_str){"", 0}
                   : (struct irsafs_str){bytes_at(c, id - 1U), c->tables.texts[id - 1].size};
}

void irsafs_files_give_back(struct irsafs_core *c, void (*give_back)(void *at, size_t size))
{
    for (uint32_t i = 0; i < IRSAFS_TEXTS; i++) {
        if (!c->bytes.dirty[i] || c->tables.texts[i].refs != 0) {
            continue;
        }
        if (give_back != NULL) {
            give_back(bytes_at(c, i),
                      i < IRSAFS_CONFIG_TEXTS ? IRSAFS_TEXT_MAX : IRSAFS_STATUS_MAX);
        }
        c->bytes.dirty[i] = false;
    }
}

/* ---- inodes */

/* For changing: what it was is saved. */
static void save_inode(struct irsafs_core *c, const struct irsafs_inode *inode)
{
    irsafs_undo_save(&c->undo, inode, sizeof(*inode));
}

static struct irsafs_generation *change_generation(struct irsafs_core *c, irsafs_generation_id id)
{
    struct irsafs_generation *g = &c->tables.generations[id - 1];
    irsafs_undo_save(&c->undo, g, sizeof(*g));
    return g;
}

static void free_generation(struct irsafs_core *c, struct irsafs_generation *g)
{
    irsafs_files_unref(c, g->body);
    *g = (struct irsafs_generation){.number = 0};
}

/* The inode has been saved. */
static void let_go_of_generation(struct irsafs_core *c, struct irsafs_inode *inode)
{
    if (inode->generation != 0) {
        struct irsafs_generation *g = change_generation(c, inode->generation);
        inode->generation = 0;
        if (--g->inodes == 0) {
            free_generation(c, g);
        }
    }
}

/* An inode lives while the kernel holds it or the name points to it. It has been saved. */
static void free_if_unneeded(struct irsafs_core *c, struct irsafs_inode *inode)
{
    if (inode->n_lookups == 0 && !inode->current) {
        let_go_of_generation(c, inode);
        inode->state = IRSAFS_INODE_FREE;
        inode->ino = 0;
    }
}

/* How much an inode is needed: those that answer ESTALE least, then the older the less. */
static uint64_t need(const struct irsafs_inode *inode)
{
    if (inode->current) {
        return UINT64_MAX;
    }
    return inode->state == IRSAFS_INODE_EVICTED ? 0 : inode->ino;
}

/* A free slot; when there is none, that of the oldest inode which is not current, preferring those
 * that answer ESTALE already. It has been saved. */
static struct irsafs_inode *take_slot(struct irsafs_core *c)
{
    struct irsafs_inode *inodes = c->tables.inodes;
    for (uint32_t i = 0; i < IRSAFS_INODES_MAX; i++) {
        uint32_t slot = (c->files.slot_hint + i) % IRSAFS_INODES_MAX;
        if (inodes[slot].state == IRSAFS_INODE_FREE) {
            /* Low slots first: memory is touched only as far as it is needed. */
            c->files.slot_hint = slot + 1 < c->files.slots_used ? slot + 1 : 0;
            if (slot >= c->files.slots_used) {
                c->files.slots_used = slot + 1;
            }
            save_inode(c, &inodes[slot]);
            return &inodes[slot];
        }
    }
    struct irsafs_inode *victim = &inodes[0];
    for (uint32_t i = 1; i < IRSAFS_INODES_MAX; i++) {
        if (need(&inodes[i]) < need(victim)) {
            victim = &inodes[i];
        }
    }
    c->files.evicted++;
    save_inode(c, victim);
    let_go_of_generation(c, victim); /* not a current one: there are two of them at most */
    return victim;
}

struct irsafs_inode *
irsafs_files_make_current(struct irsafs_core *c, enum irsafs_kind kind, uint64_t epoch)
{
    if (c->files.current[kind] != 0) {
        struct irsafs_inode *old = &c->tables.inodes[c->files.current[kind] - 1];
        save_inode(c, old);
        old->current = false;
        free_if_unneeded(c, old);
    }
    struct irsafs_inode *inode = take_slot(c);
    uint64_t slot = (uint64_t)(inode - c->tables.inodes);
    *inode = (struct irsafs_inode){
        .ino = c->files.next_serial++ << SLOT_BITS | slot,
        .state = IRSAFS_INODE_PENDING,
        .kind = (uint8_t)kind,
        .current = true,
        .epoch = epoch,
    };
    c->files.current[kind] = (irsafs_inode_id)(slot + 1);
    return inode;
}

const struct irsafs_inode *irsafs_files_find(const struct irsafs_core *c, uint64_t ino)
{
    const struct irsafs_inode *inode = &c->tables.inodes[ino % IRSAFS_INODES_MAX];
    return inode->ino == ino ? inode : NULL;
}

void irsafs_files_lookup(struct irsafs_core *c, struct irsafs_inode *inode)
{
    save_inode(c, inode);
    inode->n_lookups++;
    inode->handed_out = true;
}

void irsafs_files_forget(struct irsafs_core *c, uint64_t ino, uint64_t n)
{
    struct irsafs_inode *inode = &c->tables.inodes[ino % IRSAFS_INODES_MAX];
    if (inode->ino != ino || ino == 0) {
        return; /* its slot was taken when the table was full */
    }
    save_inode(c, inode);
    c->files.underflows += n > inode->n_lookups;
    inode->n_lookups -= n < inode->n_lookups ? n : inode->n_lookups;
    free_if_unneeded(c, inode);
}

/* ---- generations */

const struct irsafs_generation *irsafs_files_at(const struct irsafs_core *c,
                                                irsafs_generation_id id)
{
    return &c->tables.generations[id - 1];
}

void irsafs_files_parts(const struct irsafs_core *c,
                        const struct irsafs_generation *g,
                        struct irsafs_str ret_parts[2])
{
    size_t i = (size_t)(g - c->tables.generations);
    ret_parts[0] = (struct irsafs_str){i < IRSAFS_CONFIG_GENERATIONS_MAX ? c->tables.heads[i] : "",
                                       g->head_len};
    ret_parts[1] = irsafs_files_bytes(c, g->body);
}

size_t irsafs_files_size(const struct irsafs_core *c, const struct irsafs_generation *g)
{
    return g->head_len + irsafs_files_bytes(c, g->body).len;
}

static void evict(struct irsafs_core *c, irsafs_generation_id id)
{
    struct irsafs_generation *g = change_generation(c, id);
    c->files.evicted++;
    for (uint32_t i = 0; i < c->files.slots_used; i++) {
        struct irsafs_inode *inode = &c->tables.inodes[i];
        if (inode->generation == id) {
            save_inode(c, inode);
            inode->generation = 0;
            inode->state = IRSAFS_INODE_EVICTED;
        }
    }
    free_generation(c, g);
}

static bool is_shown(const struct irsafs_core *c, enum irsafs_kind kind, irsafs_generation_id id)
{
    irsafs_inode_id current = c->files.current[kind];
    return current != 0 && c->tables.inodes[current - 1].generation == id;
}

/* The generation of a kind that is needed least: a free one (number 0), else the oldest one that is
 * not current; 0: there is none. free_slots: look at free ones too. Adds up the bytes held (a body
 * that two generations share counts twice: a bound, not an account). */
static irsafs_generation_id least_needed(const struct irsafs_core *c,
                                         enum irsafs_kind kind,
                                         bool free_slots,
                                         uint64_t *ret_bytes)
{
    irsafs_generation_id least = 0;
    *ret_bytes = 0;
    for (uint32_t i = ranges[kind].first; i < ranges[kind].end; i++) {
        const struct irsafs_generation *g = &c->tables.generations[i];
        irsafs_generation_id id = (irsafs_generation_id)(i + 1);
        bool excluded = is_shown(c, kind, id) || (g->number == 0 && !free_slots);
        *ret_bytes += irsafs_files_size(c, g);
        if (!excluded && (least == 0 || g->number < irsafs_files_at(c, least)->number)) {
            least = id;
        }
    }
    return least;
}

irsafs_generation_id irsafs_files_generation(struct irsafs_core *c,
                                             enum irsafs_kind kind,
                                             struct irsafs_str head,
                                             irsafs_text_id body,
                                             struct timespec mtime,
                                             int64_t ready_ms)
{
    uint64_t bytes;
    irsafs_generation_id id = least_needed(c, kind, false, &bytes);
    while (bytes > IRSAFS_CONFIG_BYTES_MAX && id != 0) {
        evict(c, id);
        id = least_needed(c, kind, false, &bytes);
    }
    id = least_needed(c, kind, true, &bytes); /* there is one: at most one is current */
    if (irsafs_files_at(c, id)->number != 0) {
        evict(c, id);
    }
    struct irsafs_generation *g = change_generation(c, id);
    if (head.len > 0) {
        char *at = c->tables.heads[id - 1];
        irsafs_undo_save(&c->undo, at, head.len);
        memcpy(at, head.ptr, head.len);
    }
    if (body != 0) {
        irsafs_files_ref(c, body);
    }
    *g = (struct irsafs_generation){
        .number = ++c->files.next_number[kind],
        .head_len = (uint32_t)head.len,
        .body = body,
        .mtime = mtime,
        .ready_ms = ready_ms,
    };
    return id;
}

void irsafs_files_ready(struct irsafs_core *c,
                        struct irsafs_inode *inode,
                        irsafs_generation_id generation)
{
    save_inode(c, inode);
    change_generation(c, generation)->inodes++;
    inode->generation = generation;
    inode->state = IRSAFS_INODE_READY;
}

static bool is_pending(const struct irsafs_inode *inode, uint64_t up_to_epoch)
{
    return inode->state == IRSAFS_INODE_PENDING && inode->kind == IRSAFS_KIND_CONFIG &&
           inode->epoch <= up_to_epoch;
}

bool irsafs_files_any_pending(const struct irsafs_core *c, uint64_t up_to_epoch)
{
    for (uint32_t i = 0; i < c->files.slots_used; i++) {
        if (is_pending(&c->tables.inodes[i], up_to_epoch)) {
            return true;
        }
    }
    return false;
}

void irsafs_files_ready_up_to(struct irsafs_core *c,
                              uint64_t epoch,
                              irsafs_generation_id generation)
{
    for (uint32_t i = 0; i < c->files.slots_used; i++) {
        if (is_pending(&c->tables.inodes[i], epoch)) {
            irsafs_files_ready(c, &c->tables.inodes[i], generation);
        }
    }
}

struct irsafs_files_usage irsafs_files_usage(const struct irsafs_core *c)
{
    struct irsafs_files_usage u = {.evicted = c->files.evicted, .underflows = c->files.underflows};
    for (uint32_t i = 0; i < c->files.slots_used; i++) {
        const struct irsafs_inode *inode = &c->tables.inodes[i];
        u.inodes += inode->state != IRSAFS_INODE_FREE;
        u.pending += inode->state == IRSAFS_INODE_PENDING;
        u.n_lookups += inode->n_lookups;
    }
    for (uint32_t i = 0; i < IRSAFS_GENERATIONS; i++) {
        const struct irsafs_generation *g = &c->tables.generations[i];
        if (g->number != 0) {
            u.generations[i < IRSAFS_CONFIG_GENERATIONS_MAX ? IRSAFS_KIND_CONFIG
                                                            : IRSAFS_KIND_STATUS]++;
            u.bytes += irsafs_files_size(c, g);
        }
    }
    return u;
}
