/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_FUZZ_DEATH_H
#define IRSAFS_TESTS_FUZZ_DEATH_H

#include "fs/shared/block.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

/* The block that outlives workers, and the death of workers.
 *
 * The linker's --wrap leads every event of the core through here, and every undo record and commit:
 * these, and the reads and writes of a target, are the places at which a worker may die. Which one it
 * is, is armed before. A dead worker goes on nowhere: longjmp(3) ends it, and its successor finds the
 * block at another address (the old one is not mapped any more), takes it over and does again what was
 * under way.
 *
 * An event may be rehearsed: it happens, is rolled back, and then the block is compared with what it
 * was: whatever an event changes without an undo record is found. */

/* Zeroed, in the address space of its own; one at a time. */
struct irsafs_block *fuzz_block_new(void);
/* To another address. */
struct irsafs_block *fuzz_block_move(void);
/* As irsafs_core_commit has it: what was given back reads as zero. */
void fuzz_block_give_back(void *at, size_t size);

/* take_over starts a successor, which may die too, and returns its core. */
void fuzz_death_init(struct irsafs_core *(*take_over)(void *user), void *user);
/* The worker (when one is armed already: the next one) dies at the n-th place from now, from 1. */
void fuzz_death_arm(unsigned n);
void fuzz_death_disarm(void);
/* The next event of the core is rehearsed. */
void fuzz_death_rehearse(void);
/* So many have died. */
unsigned fuzz_deaths(void);
/* A worker may die here. */
void fuzz_place(void);

/* The worker does something: FUZZ_LIVE(core) something; fuzz_lived(); in which it may die; then it is
 * done again. Does not nest: within another one it is only a part of it. */
extern jmp_buf fuzz_death_at;
bool fuzz_death_enters(void);
void fuzz_death_leaves(bool entered);
struct irsafs_core *fuzz_death_next(void);

#endif
