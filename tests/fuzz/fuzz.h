/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_FUZZ_FUZZ_H
#define IRSAFS_TESTS_FUZZ_FUZZ_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput; it says
 * which property it asserts and how it reads its input. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process when the property does not hold: libFuzzer then keeps the input. */
#define FUZZ_ASSERT(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_fail(#condition, __FILE__, __LINE__);                                             \
        }                                                                                          \
    } while (0)
_Noreturn void fuzz_fail(const char *property, const char *file, int line);

/* A copy of exactly this size on the heap, so that a read beyond its end is seen. Freed with free(3);
 * never NULL. */
char *fuzz_copy(struct irsafs_str text);

/* A file in memory with these bytes, made anew with each call for the same slot. The path is good
 * until the next call. */
enum { FUZZ_FILES = 3, FUZZ_PATH_SIZE = 32 };
const char *fuzz_file(size_t slot, struct irsafs_str bytes);
/* Its descriptor. */
int fuzz_file_fd(size_t slot);

bool fuzz_is_print(struct irsafs_str text);
/* NUL-terminated within size, and printable ASCII. */
bool fuzz_is_clean(const char *text, size_t size);

/* Cuts the text up to the first line that is exactly `mark` off; the mark goes too. Without a mark it
 * is all of the text. */
struct irsafs_str fuzz_cut(struct irsafs_str *text, const char *mark);

/* A program: pairs of a letter and an argument; blanks and, after a newline, lines that begin with
 * '#' do not count.
 * Any bytes are a program. */
struct fuzz_step {
    unsigned op;  /* index in letters */
    unsigned arg; /* 0..9 for digits, 10..35 for letters of either case, else the byte */
};
bool fuzz_next_step(struct irsafs_str *program, const char *letters, struct fuzz_step *ret_step);

#endif
