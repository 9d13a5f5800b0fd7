/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

enum { LETTERS_MAX = 40 }; /* longer words are not looked at */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: the table of slips between all beginnings, row by row; three rows do. */
static size_t count_slips(struct irsafs_str a, struct irsafs_str b)
{
    size_t rows[3][LETTERS_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *higher = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                row[j] = least(row[j], higher[j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

void irsafs_nearest_offer(struct irsafs_nearest *nearest, const char *candidate)
{
    struct irsafs_str other = {candidate, strlen(candidate)};
    struct irsafs_str word = nearest->word;
    if (word.len == 0 || word.len > LETTERS_MAX || other.len > LETTERS_MAX) {
        return;
    }
    bool begins =
        word.len >= 3 && other.len > word.len && memcmp(candidate, word.ptr, word.len) == 0;
    size_t slips = begins ? 1 : count_slips(word, other);
    size_t allowed = other.len <= 3 ? 1 : other.len <= 7 ? 2 : 3;
    if (slips <= allowed && slips < word.len && (nearest->best == NULL || slips < nearest->slips)) {
        nearest->best = candidate;
        nearest->slips = slips;
    }
}
