/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/death.h"

#include "fs/core/state.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, QUEUE_MAX = 32 };

/* ---- the block */

static void *block;

struct irsafs_block *fuzz_block_new(void)
{
    if (block == NULL) {
        block = mmap(NULL, irsafs_block_size(), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        FUZZ_ASSERT(block != MAP_FAILED);
    }
    FUZZ_ASSERT(madvise(block, irsafs_block_size(), MADV_DONTNEED) == 0);
    return block;
}

struct irsafs_block *fuzz_block_move(void)
{
    size_t size = irsafs_block_size();
    void *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FUZZ_ASSERT(to != MAP_FAILED);
    FUZZ_ASSERT(mremap(block, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    block = to;
    return block;
}

void fuzz_block_give_back(void *at, size_t size)
{
    FUZZ_ASSERT((uintptr_t)at % PAGE == 0 && size % PAGE == 0);
    FUZZ_ASSERT(madvise(at, size, MADV_DONTNEED) == 0);
}

/* ---- death */

jmp_buf fuzz_death_at;

static struct {
    struct irsafs_core *(*take_over)(void *user);
    void *user;
    unsigned queue[QUEUE_MAX], n_queued, left, n;
    bool inside; /* the worker is doing something: it may die */
    bool rehearse;
    bool ends; /* the event is about to be committed, and over then */
} death;

void fuzz_death_init(struct irsafs_core *(*take_over)(void *user), void *user)
{
    memset(&death, 0, sizeof(death));
    death.take_over = take_over;
    death.user = user;
}

void fuzz_death_arm(unsigned n)
{
    if (death.left == 0) {
        death.left = n;
    } else if (death.n_queued < QUEUE_MAX) {
        death.queue[death.n_queued++] = n;
    }
}

void fuzz_death_disarm(void)
{
    death.left = death.n_queued = 0;
}

void fuzz_death_rehearse(void)
{
    death.rehearse = true;
}

unsigned fuzz_deaths(void)
{
    return death.n;
}

void fuzz_place(void)
{
    if (!death.inside || death.left == 0 || --death.left > 0) {
        return;
    }
    if (death.n_queued > 0) {
        death.left = death.queue[0];
        death.n_queued--;
        memmove(death.queue, death.queue + 1, death.n_queued * sizeof(death.queue[0]));
    }
    longjmp(fuzz_death_at, 1);
}

bool fuzz_death_enters(void)
{
    bool enters = !death.inside;
    death.inside = true;
    return enters;
}

void fuzz_death_leaves(bool entered)
{
    death.inside = death.inside && !entered;
}

struct irsafs_core *fuzz_death_next(void)
{
    death.n++;
    death.ends = false;
    return death.take_over(death.user);
}

/* ---- rehearsals */

/* All but the bytes of texts and the log. */
enum { STATE_SIZE = offsetof(struct irsafs_core, undo) };
static unsigned char before[STATE_SIZE];

static bool rehearsal_begins(struct irsafs_core *core)
{
    bool begins = death.rehearse && !death.inside;
    if (begins) {
        death.rehearse = false;
        irsafs_core_commit(core, fuzz_block_give_back);
        memcpy(before, core, STATE_SIZE);
    }
    return begins;
}

static void rehearsal_ends(struct irsafs_core *core)
{
    irsafs_core_roll_back(core);
    FUZZ_ASSERT(memcmp(before, core, STATE_SIZE) == 0);
}

/* ---- what the linker leads here */

void __real_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size);
void __wrap_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size);
void __real_irsafs_undo_commit(struct irsafs_undo *undo);
void __wrap_irsafs_undo_commit(struct irsafs_undo *undo);

void __wrap_irsafs_undo_save(struct irsafs_undo *undo, const void *at, size_t size)
{
    fuzz_place();
    __real_irsafs_undo_save(undo, at, size);
    fuzz_place();
}

void __wrap_irsafs_undo_commit(struct irsafs_undo *undo)
{
    fuzz_place();
    __real_irsafs_undo_commit(undo);
    if (!death.ends) {
        fuzz_place();
    }
}

static void end_event(struct irsafs_core *core, bool entered)
{
    if (entered) {
        death.ends = true;
        irsafs_core_commit(core, fuzz_block_give_back);
        death.ends = false;
    }
    fuzz_death_leaves(entered);
}

/* An event that the caller has for the worker: again and again, until one has lived to commit it. */
#define EVENT(call)                                                                                \
    do {                                                                                           \
        if (rehearsal_begins(core)) {                                                              \
            call;                                                                                  \
            rehearsal_ends(core);                                                                  \
        }                                                                                          \
        bool entered = fuzz_death_enters();                                                        \
        while (entered && setjmp(fuzz_death_at) != 0) {                                            \
            core = fuzz_death_next();                                                              \
        }                                                                                          \
        call;                                                                                      \
        end_event(core, entered);                                                                  \
    } while (0)

/* DEFINE(name, (parameters), (arguments)): of a function without a result. */
#define DEFINE(name, parameters, arguments)                                                        \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters                                                                  \
    {                                                                                              \
        EVENT(__real_##name arguments);                                                            \
    }

/* And of one with a result. */
#define DEFINE_RESULT(type, name, parameters, arguments)                                           \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        static type result;                                                                        \
        EVENT(result = __real_##name arguments);                                                   \
        return result;                                                                             \
    }

DEFINE_RESULT(struct irsafs_entry,
              irsafs_core_lookup_config,
              (struct irsafs_core * core, int64_t now_ms, struct timespec real),
              (core, now_ms, real))
DEFINE_RESULT(bool,
              irsafs_core_lookup_status,
              (struct irsafs_core * core, int64_t now_ms, struct irsafs_entry *ret_entry),
              (core, now_ms, ret_entry))
DEFINE(
    irsafs_core_publish_status,
    (struct irsafs_core * core, struct irsafs_str document, int64_t now_ms, struct timespec real),
    (core, document, now_ms, real))
DEFINE_RESULT(enum irsafs_look,
              irsafs_core_look,
              (struct irsafs_core * core,
               const struct irsafs_request *request,
               int64_t now_ms,
               struct timespec real,
               irsafs_waiter_id *ret_waiter),
              (core, request, now_ms, real, ret_waiter))
DEFINE_RESULT(enum irsafs_look,
              irsafs_core_touch,
              (struct irsafs_core * core,
               const struct irsafs_request *request,
               int64_t now_ms,
               struct timespec real,
               irsafs_waiter_id *ret_waiter),
              (core, request, now_ms, real, ret_waiter))
DEFINE(irsafs_core_interrupt, (struct irsafs_core * core, irsafs_waiter_id waiter), (core, waiter))
DEFINE(irsafs_core_forget, (struct irsafs_core * core, uint64_t ino, uint64_t n), (core, ino, n))
DEFINE(irsafs_core_landed,
       (struct irsafs_core * core,
        uint64_t number,
        const struct irsafs_landing *landing,
        int64_t now_ms,
        struct timespec real),
       (core, number, landing, now_ms, real))
DEFINE(irsafs_core_told, (struct irsafs_core * core, uint64_t told), (core, told))
DEFINE(irsafs_core_tick,
       (struct irsafs_core * core, int64_t now_ms, struct timespec real),
       (core, now_ms, real))
DEFINE(irsafs_core_stop,
       (struct irsafs_core * core, int64_t now_ms, struct timespec real),
       (core, now_ms, real))
DEFINE_RESULT(struct irsafs_effects,
              irsafs_core_effects,
              (struct irsafs_core * core, int64_t now_ms, struct timespec real),
              (core, now_ms, real))
DEFINE(irsafs_core_answered, (struct irsafs_core * core), (core))
