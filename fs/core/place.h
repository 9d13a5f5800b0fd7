/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_CORE_PLACE_H
#define IRSAFS_FS_CORE_PLACE_H

#include <stdint.h>

/* The places at which a test lets a process die (tests/takeover): in the product they are nothing. */
enum irsafs_place {
    IRSAFS_PLACE_READ,                 /* a request is in the journal, not handled yet */
    IRSAFS_PLACE_TOUCHED,              /* a touch is committed, its notification not asked for */
    IRSAFS_PLACE_CHARGED,              /* a LOOKUP is committed, its reply not written */
    IRSAFS_PLACE_REPLIED,              /* a reply is written, its slot not cleared */
    IRSAFS_PLACE_FORGET_BEFORE,        /* a FORGET is done, not committed */
    IRSAFS_PLACE_FORGET_AFTER,         /* and committed */
    IRSAFS_PLACE_LANDED,               /* a new text is committed, nobody has it yet */
    IRSAFS_PLACE_REPLAY,               /* take-over: before a slot is handled again */
    IRSAFS_PLACE_LOOKUP_DURING_NOTIFY, /* a LOOKUP in hand that the notifier waits for */
    IRSAFS_PLACE_NOTIFIED,             /* the kernel has been told, the worker not */
    IRSAFS_PLACE_INTERRUPT,            /* an INTERRUPT in hand */
    IRSAFS_PLACE_SAVE,                 /* inside a transaction */
    IRSAFS_PLACE_STOPPING,             /* the worker was told to stop */
    IRSAFS_PLACE_FLIGHT,               /* a flight is committed, not asked for */
    IRSAFS_PLACE_LANDING,              /* what a client has left is in hand, not looked at */
    IRSAFS_PLACES
};

#ifdef IRSAFS_TEST_PLACES /* tests/places/places.c */
void irsafs_place(enum irsafs_place place);
/* In the supervisor: the file that the test has mapped, or -1. */
int irsafs_places_fd(void);
/* In a process that was handed it: maps it. */
void irsafs_places_open(void);
/* What the worker holds. */
void irsafs_places_count(uint64_t inodes, uint64_t lookups, uint64_t slots, uint64_t underflows);
#else
static inline void irsafs_place(enum irsafs_place place)
{
    (void)place;
}

static inline int irsafs_places_fd(void)
{
    return -1;
}

static inline void irsafs_places_open(void)
{
}
#endif

#endif
