/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_CONSISTENCY_JUDGE_H
#define IRSAFS_TESTS_CONSISTENCY_JUDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every look is judged, and the processes of a crowd count together:
 *   torn   not of one piece: another stamp, a section missing, a wrong line, a size that fstat denies
 *   empty  no bytes at all
 *   stale  asked for before a touch that had returned before the look began
 *   back   older than a text that some look, ended before this one began, has seen
 *   changed  a handle that is held gives other bytes than at first
 *   comment  comment lines on top: the service was not reached
 *   error  a system call failed; estale: those among them that failed with ESTALE
 *   hang   a look that took longer than HANG_SECONDS, or has not ended when all shall end */
enum { HANG_SECONDS = 10, KINDS_MAX = 8, TIMES = 512 };

struct counters {
    _Atomic uint64_t torn, empty, stale, back, changed, comment, error, estale, hang;
    _Atomic uint64_t looks, touches, slowest_us;
    _Atomic uint64_t looks_of[KINDS_MAX], slowest_us_of[KINDS_MAX];
    _Atomic uint64_t times_of[KINDS_MAX][TIMES]; /* see judge_time_us */
    _Atomic uint64_t newest_seen;  /* highest sequence that a finished look has seen */
    _Atomic uint64_t newest_touch; /* latest beginning of a touch that has returned, ns */
    _Atomic bool stop;
};

extern struct counters *counted; /* shared by all processes */

/* To be called before the first process starts. */
bool judge_init(void);

/* What a look must not fall behind; taken before it begins. */
struct look {
    uint64_t began_ns, touched_ns, seen;
};

struct look look_begin(void);
void look_end(const struct look *look, unsigned kind);

/* A text that a look has read; size is what fstat says of the same handle. */
void judge_text(const struct look *look, const char *text, size_t len, size_t size);
/* A system call that failed with this errno; the first ones are told on stderr. */
void judge_failure(const char *what, int error);
/* One of the counters above goes up; the first times are told on stderr. */
void judge_fault(_Atomic uint64_t *counter, const char *what);
/* A touch that began then has returned. */
void judge_touch(uint64_t began_ns);

/* What so many of a million looks of these kinds do not exceed, to one part in 16. */
uint64_t judge_time_us(unsigned first_kind, unsigned last_kind, uint64_t per_million);
/* "name":count pairs without braces, on stdout. */
void judge_report(void);

uint64_t now_ns(void);

#endif
