/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/consistency/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { NAME_LEN = 38, COUNT_AT = 31, INDEX_AT = 35, TOLD_MAX = 20 };

struct counters *counted;

bool judge_init(void)
{
    void *shared =
        mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    counted = shared != MAP_FAILED ? shared : NULL;
    return counted != NULL;
}

uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void raise_to(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t seen = atomic_load(counter);
    while (seen < value && !atomic_compare_exchange_weak(counter, &seen, value)) {
    }
}

/* --- the text (see tests/standin/stamped.py) --------------------------------------------------- */

struct view {
    const char *at, *end;
};

/* Takes one line that is prefix + anything + suffix. */
static bool take_line(struct view *text, const char *prefix, const char *suffix, size_t suffix_len)
{
    const char *eol = memchr(text->at, '\n', (size_t)(text->end - text->at));
    size_t prefix_len = strlen(prefix);
    if (!eol || (size_t)(eol - text->at) < prefix_len + suffix_len) {
        return false;
    }
    bool good = memcmp(text->at, prefix, prefix_len) == 0 &&
                memcmp(eol - suffix_len, suffix, suffix_len) == 0;
    text->at = eol + 1;
    return good;
}

/* A line that is exactly prefix + name + tail. */
static bool take_exact(struct view *text, const char *prefix, const char *name, const char *tail)
{
    char line[256];
    int len = snprintf(line, sizeof(line), "%s%.*s%s\n", prefix, NAME_LEN, name, tail);
    if (text->end - text->at < len || memcmp(text->at, line, (size_t)len) != 0) {
        return false;
    }
    text->at += len;
    return true;
}

static bool take_role(struct view *text, const char *name)
{
    return take_exact(text, "[profile ", name, "]") &&
           take_exact(text, "source_profile = src_", name, "") &&
           take_line(text, "role_arn=arn:aws:iam::", name, NAME_LEN) &&
           take_exact(text, "[profile src_", name, "]") &&
           take_line(text, "web_identity_token_file = /", "/token", 6) &&
           take_line(text, "role_arn=arn:aws:iam::", name, NAME_LEN);
}

/* Whether the text is whole and of one answer; if so, the stamp. */
static bool
text_is_whole(const char *data, size_t len, uint64_t *ret_sequence, uint64_t *ret_asked_ns)
{
    const size_t first = strlen("[profile ");
    if (len < first + NAME_LEN || data[first] != 'g') {
        return false;
    }
    char name[NAME_LEN + 1];
    memcpy(name, data + first, NAME_LEN);
    name[NAME_LEN] = '\0';
    unsigned long count = strtoul(name + COUNT_AT, NULL, 10);
    struct view text = {data, data + len};
    for (unsigned long i = 0; i < count; i++) {
        snprintf(name + INDEX_AT, 4, "%03lu", i % 1000);
        if (!take_role(&text, name)) {
            return false;
        }
    }
    *ret_sequence = strtoull(name + 1, NULL, 10);
    *ret_asked_ns = strtoull(name + 10, NULL, 10);
    return count > 0 && text.at == text.end;
}

/* --- how long looks take: microseconds, 16 steps to each doubling ------------------------------- */

static unsigned step_of(uint64_t us)
{
    unsigned shift = us < 32 ? 0 : 59 - (unsigned)__builtin_clzll(us);
    unsigned step = shift * 16 + (unsigned)(us >> shift);
    return step < TIMES ? step : TIMES - 1;
}

/* The longest time that falls into a step. */
static uint64_t end_of_step(unsigned step)
{
    unsigned shift = step < 32 ? 0 : step / 16 - 1;
    return ((uint64_t)(step - shift * 16 + 1) << shift) - 1;
}

uint64_t judge_time_us(unsigned first_kind, unsigned last_kind, uint64_t per_million)
{
    uint64_t looks = 0;
    uint64_t seen = 0;
    for (unsigned kind = first_kind; kind <= last_kind; kind++) {
        looks += atomic_load(&counted->looks_of[kind]);
    }
    for (unsigned step = 0; step < TIMES; step++) {
        for (unsigned kind = first_kind; kind <= last_kind; kind++) {
            seen += atomic_load(&counted->times_of[kind][step]);
        }
        if (seen > 0 && seen * 1000000 >= looks * per_million) {
            return end_of_step(step);
        }
    }
    return 0;
}

/* --- the judgement ----------------------------------------------------------------------------- */

struct look look_begin(void)
{
    return (struct look){.touched_ns = atomic_load(&counted->newest_touch),
                         .seen = atomic_load(&counted->newest_seen),
                         .began_ns = now_ns()};
}

void look_end(const struct look *look, unsigned kind)
{
    uint64_t took_us = (now_ns() - look->began_ns) / 1000;
    raise_to(&counted->slowest_us, took_us);
    raise_to(&counted->slowest_us_of[kind], took_us);
    atomic_fetch_add(&counted->times_of[kind][step_of(took_us)], 1);
    if (took_us > HANG_SECONDS * 1000000ull) {
        judge_fault(&counted->hang, "a look that took too long");
    }
    atomic_fetch_add(&counted->looks_of[kind], 1);
    atomic_fetch_add(&counted->looks, 1);
}

void judge_fault(_Atomic uint64_t *counter, const char *what)
{
    if (atomic_fetch_add(counter, 1) < TOLD_MAX) {
        fprintf(stderr, "fault: %s\n", what);
    }
}

void judge_failure(const char *what, int error)
{
    char text[128];
    snprintf(text, sizeof(text), "%s: %s", what, strerrorname_np(error));
    atomic_fetch_add(&counted->estale, error == ESTALE);
    judge_fault(&counted->error, text);
}

void judge_text(const struct look *look, const char *text, size_t len, size_t size)
{
    uint64_t sequence = 0;
    uint64_t asked_ns = 0;
    if (len == 0) {
        judge_fault(&counted->empty, "empty");
    } else if (text[0] == '#') {
        judge_fault(&counted->comment, "comment");
    } else if (len != size || !text_is_whole(text, len, &sequence, &asked_ns)) {
        judge_fault(&counted->torn, "torn");
    } else {
        if (asked_ns < look->touched_ns) {
            judge_fault(&counted->stale, "stale");
        }
        if (sequence < look->seen) {
            judge_fault(&counted->back, "back");
        }
        raise_to(&counted->newest_seen, sequence);
    }
}

void judge_touch(uint64_t began_ns)
{
    raise_to(&counted->newest_touch, began_ns);
    atomic_fetch_add(&counted->touches, 1);
}

void judge_report(void)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"looks", counted->looks},
               {"torn", counted->torn},
               {"empty", counted->empty},
               {"stale", counted->stale},
               {"back", counted->back},
               {"changed", counted->changed},
               {"comment", counted->comment},
               {"error", counted->error},
               {"estale", counted->estale},
               {"hang", counted->hang},
               {"touches", counted->touches},
               {"newest", counted->newest_seen},
               {"slowest_us", counted->slowest_us}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        printf("%s\"%s\":%ju", i > 0 ? "," : "", all[i].name, (uintmax_t)all[i].value);
    }
}
