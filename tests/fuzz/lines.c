/* SPDX-License-Identifier: Apache-2.0 */
/* For targets whose input is lines: every other mutation moves, doubles or removes a whole line or cuts
 * the end off, which changes of single bytes hardly ever do. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* The begin of the line at or after a place, which may be the end of the text. */
static size_t line_at(const uint8_t *data, size_t size, size_t at)
{
    while (at > 0 && at < size && data[at - 1] != '\n') {
        at++;
    }
    return at;
}

static size_t line_end(const uint8_t *data, size_t size, size_t at)
{
    const uint8_t *lf = at < size ? memchr(data + at, '\n', size - at) : NULL;
    return lf != NULL ? (size_t)(lf - data) + 1 : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint8_t line[1024];
    size_t from = line_at(data, size, size > 0 ? seed / 16 % size : 0);
    size_t end = line_end(data, size, from);
    size_t len = end - from;
    unsigned kind = seed % 10;   /* 0, 1: double; 2: move; 3: remove; 4: cut; else bytes */
    if (kind == 4 && size > 1) { /* an empty text is no mutation for libFuzzer */
        size_t cut = seed / 16 % 8 == 0 ? seed / 128 % (size - 1) : 0;
        return size - 1 - cut;
    }
    if (kind > 3 || len == 0 || len == size || len > sizeof(line) || size + len > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(line, data + from, len);
    if (kind >= 2) {
        memmove(data + from, data + end, size - end);
        size -= len;
    }
    if (kind == 3) {
        return size;
    }
    size_t to = line_at(data, size, size > 0 ? seed / 16 * 7919 % (size + 1) : 0);
    memmove(data + to + len, data + to, size - to);
    memcpy(data + to, line, len);
    return size + len;
}
