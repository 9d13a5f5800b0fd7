/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/files.h"

#include <stdlib.h>

enum {
    GENERATIONS = IRSAFS_CONFIG_GENERATIONS_MAX + IRSAFS_STATUS_GENERATIONS_MAX,
    SLOT_BITS = 12,
};
_Static_assert(IRSAFS_INODES_MAX == 1 << SLOT_BITS, "an inode number ends with its slot");

struct irsafs_files {
    uint64_t
        next_serial; /* inode number = serial << SLOT_BITS | slot: unique, found without search */
    uint64_t next_number[IRSAFS_KINDS];
    uint64_t evicted;
    uint32_t slot_hint;  /* where the search for a free slot begins */
    uint32_t slots_used; /* slots at or above this one were never used: they need no look */
    struct irsafs_inode *current[IRSAFS_KINDS];
    struct irsafs_inode inodes[IRSAFS_INODES_MAX];
    struct irsafs_generation generations[GENERATIONS];
};

/* The part of the generation table that belongs to a kind. */
static const struct range {
    uint32_t first, end;
} ranges[IRSAFS_KINDS] = {
    [IRSAFS_KIND_CONFIG] = {0, IRSAFS_CONFIG_GENERATIONS_MAX},
    [IRSAFS_KIND_STATUS] = {IRSAFS_CONFIG_GENERATIONS_MAX, GENERATIONS},
};

struct irsafs_files *irsafs_files_new(uint64_t first_ino)
{
    struct irsafs_files *files = calloc(1, sizeof(*files));
    if (files != NULL) {
        files->next_serial = (first_ino >> SLOT_BITS) + 1;
    }
    return files;
}

static void free_generation(struct irsafs_generation *g)
{
    g->head = irsafs_text_unref(g->head);
    g->body = irsafs_text_unref(g->body);
    g->number = 0;
}

struct irsafs_files *irsafs_files_free(struct irsafs_files *files)
{
    for (size_t i = 0; files != NULL && i < GENERATIONS; i++) {
        free_generation(&files->generations[i]);
    }
    free(files);
    return NULL;
}

static void let_go_of_generation(struct irsafs_inode *inode)
{
    struct irsafs_generation *g = inode->generation;
    inode->generation = NULL;
    if (g != NULL && --g->inodes == 0) {
        free_generation(g);
    }
}

/* An inode lives while the kernel holds it or the name points to it. */
static void free_if_unneeded(struct irsafs_inode *inode)
{
    if (inode->n_lookups == 0 && !inode->current) {
        let_go_of_generation(inode);
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
 * that answer ESTALE already. */
static struct irsafs_inode *take_slot(struct irsafs_files *files)
{
    for (uint32_t i = 0; i < IRSAFS_INODES_MAX; i++) {
        uint32_t slot = (files->slot_hint + i) % IRSAFS_INODES_MAX;
        if (files->inodes[slot].state == IRSAFS_INODE_FREE) {
            /* Low slots first: memory is touched only as far as it is needed. */
            files->slot_hint = slot + 1 < files->slots_used ? slot + 1 : 0;
            if (slot >= files->slots_used) {
                files->slots_used = slot + 1;
            }
            return &files->inodes[slot];
        }
    }
    struct irsafs_inode *victim = &files->inodes[0];
    for (uint32_t i = 1; i < IRSAFS_INODES_MAX; i++) {
        if (need(&files->inodes[i]) < need(victim)) {
            victim = &files->inodes[i];
        }
    }
    files->evicted++;
    let_go_of_generation(victim); /* not a current one: there are two of them at most */
    return victim;
}

struct irsafs_inode *
irsafs_files_make_current(struct irsafs_files *files, enum irsafs_kind kind, uint64_t epoch)
{
    struct irsafs_inode *old = files->current[kind];
    if (old != NULL) {
        old->current = false;
        free_if_unneeded(old);
    }
    struct irsafs_inode *inode = take_slot(files);
    *inode = (struct irsafs_inode){
        .ino = files->next_serial++ << SLOT_BITS | (uint64_t)(inode - files->inodes),
        .state = IRSAFS_INODE_PENDING,
        .kind = kind,
        .current = true,
        .epoch = epoch,
    };
    files->current[kind] = inode;
    return inode;
}

struct irsafs_inode *irsafs_files_current(const struct irsafs_files *files, enum irsafs_kind kind)
{
    return files->current[kind];
}

struct irsafs_inode *irsafs_files_find(const struct irsafs_files *files, uint64_t ino)
{
    const struct irsafs_inode *inode = &files->inodes[ino % IRSAFS_INODES_MAX];
    /* The table is ours to change: const is only the caller's view of it. */
    return inode->ino == ino ? (struct irsafs_inode *)(uintptr_t)inode : NULL;
}

void irsafs_files_lookup(struct irsafs_inode *inode)
{
    inode->n_lookups++;
    inode->handed_out = true;
}

void irsafs_files_forget(struct irsafs_files *files, uint64_t ino, uint64_t n)
{
    struct irsafs_inode *inode = irsafs_files_find(files, ino);
    if (inode != NULL) { /* none: its slot was taken when the table was full */
        inode->n_lookups -= n < inode->n_lookups ? n : inode->n_lookups;
        free_if_unneeded(inode);
    }
}

size_t irsafs_generation_size(const struct irsafs_generation *g)
{
    return (g->head != NULL ? g->head->size : 0) + (g->body != NULL ? g->body->size : 0);
}

static void evict(struct irsafs_files *files, struct irsafs_generation *g)
{
    files->evicted++;
    for (uint32_t i = 0; i < files->slots_used; i++) {
        struct irsafs_inode *inode = &files->inodes[i];
        if (inode->generation == g) {
            inode->generation = NULL;
            inode->state = IRSAFS_INODE_EVICTED;
        }
    }
    g->inodes = 0;
    free_generation(g);
}

static bool
is_shown(const struct irsafs_files *files, enum irsafs_kind kind, const struct irsafs_generation *g)
{
    return files->current[kind] != NULL && files->current[kind]->generation == g;
}

/* The generation of a kind that is needed least: a free slot (number 0), else the oldest one that is
 * not current. free_slots: look at free slots too. Adds up the bytes held (a body that two generations
 * share counts twice: a bound, not an account). */
static struct irsafs_generation *least_needed(struct irsafs_files *files,
                                              enum irsafs_kind kind,
                                              bool free_slots,
                                              uint64_t *ret_bytes)
{
    struct irsafs_generation *least = &files->generations[ranges[kind].first];
    uint64_t least_rank = UINT64_MAX;
    *ret_bytes = 0;
    for (uint32_t i = ranges[kind].first; i < ranges[kind].end; i++) {
        struct irsafs_generation *g = &files->generations[i];
        bool excluded = is_shown(files, kind, g) || (g->number == 0 && !free_slots);
        *ret_bytes += irsafs_generation_size(g);
        if (!excluded && g->number < least_rank) {
            least = g;
            least_rank = g->number;
        }
    }
    return least;
}

struct irsafs_generation *irsafs_files_generation(struct irsafs_files *files,
                                                  enum irsafs_kind kind,
                                                  struct irsafs_text *head,
                                                  struct irsafs_text *body,
                                                  struct timespec mtime,
                                                  int64_t ready_ms)
{
    uint64_t bytes;
    struct irsafs_generation *g = least_needed(files, kind, false, &bytes);
    while (bytes > IRSAFS_CONFIG_BYTES_MAX && g->number != 0 && !is_shown(files, kind, g)) {
        evict(files, g);
        g = least_needed(files, kind, false, &bytes);
    }
    g = least_needed(files, kind, true, &bytes);
    if (g->number != 0) {
        evict(files, g);
    }
    *g = (struct irsafs_generation){
        .number = ++files->next_number[kind],
        .head = head,
        .body = body,
        .mtime = mtime,
        .ready_ms = ready_ms,
    };
    return g;
}

void irsafs_files_ready(struct irsafs_inode *inode, struct irsafs_generation *generation)
{
    generation->inodes++;
    inode->generation = generation;
    inode->state = IRSAFS_INODE_READY;
}

static bool is_pending(const struct irsafs_inode *inode, uint64_t up_to_epoch)
{
    return inode->state == IRSAFS_INODE_PENDING && inode->kind == IRSAFS_KIND_CONFIG &&
           inode->epoch <= up_to_epoch;
}

bool irsafs_files_any_pending(const struct irsafs_files *files, uint64_t up_to_epoch)
{
    for (uint32_t i = 0; i < files->slots_used; i++) {
        if (is_pending(&files->inodes[i], up_to_epoch)) {
            return true;
        }
    }
    return false;
}

void irsafs_files_ready_up_to(struct irsafs_files *files,
                              uint64_t epoch,
                              struct irsafs_generation *generation)
{
    for (uint32_t i = 0; i < files->slots_used; i++) {
        if (is_pending(&files->inodes[i], epoch)) {
            irsafs_files_ready(&files->inodes[i], generation);
        }
    }
}

struct irsafs_files_usage irsafs_files_usage(const struct irsafs_files *files)
{
    struct irsafs_files_usage u = {.evicted = files->evicted};
    for (uint32_t i = 0; i < files->slots_used; i++) {
        const struct irsafs_inode *inode = &files->inodes[i];
        u.inodes += inode->state != IRSAFS_INODE_FREE;
        u.pending += inode->state == IRSAFS_INODE_PENDING;
        u.n_lookups += inode->n_lookups;
    }
    for (uint32_t i = 0; i < GENERATIONS; i++) {
        const struct irsafs_generation *g = &files->generations[i];
        if (g->number != 0) {
            u.generations[i < IRSAFS_CONFIG_GENERATIONS_MAX ? IRSAFS_KIND_CONFIG
                                                            : IRSAFS_KIND_STATUS]++;
            u.bytes += irsafs_generation_size(g);
        }
    }
    return u;
}
