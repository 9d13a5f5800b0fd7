/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "base/ascii.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn void fuzz_fail(const char *property, const char *file, int line)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "PROPERTY %s:%d: %.400s\n", file, line, property);
    (void)irsafs_write_all(STDERR_FILENO, text, (size_t)n);
    abort();
}

char *fuzz_copy(struct irsafs_str text)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    FUZZ_ASSERT(copy != NULL);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

static int files[FUZZ_FILES] = {-1, -1, -1};

const char *fuzz_file(size_t slot, struct irsafs_str bytes)
{
    static char paths[FUZZ_FILES][FUZZ_PATH_SIZE];
    if (files[slot] < 0) {
        files[slot] = memfd_create("fuzz", MFD_CLOEXEC);
    }
    FUZZ_ASSERT(files[slot] >= 0 && ftruncate(files[slot], 0) == 0);
    FUZZ_ASSERT(lseek(files[slot], 0, SEEK_SET) == 0);
    FUZZ_ASSERT(irsafs_write_all(files[slot], bytes.ptr, bytes.len));
    (void)snprintf(paths[slot], FUZZ_PATH_SIZE, "/proc/self/fd/%d", files[slot]);
    return paths[slot];
}

int fuzz_file_fd(size_t slot)
{
    return files[slot];
}

bool fuzz_is_print(struct irsafs_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!irsafs_is_print(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool fuzz_is_clean(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    return len < size && fuzz_is_print((struct irsafs_str){text, len});
}

struct irsafs_str fuzz_cut(struct irsafs_str *text, const char *mark)
{
    struct irsafs_str head = {text->ptr, 0};
    while (text->len > 0) {
        const char *lf = memchr(text->ptr, '\n', text->len);
        struct irsafs_str line = {text->ptr, lf != NULL ? (size_t)(lf - text->ptr) : text->len};
        size_t taken = line.len + (lf != NULL ? 1 : 0);
        text->ptr += taken;
        text->len -= taken;
        if (irsafs_str_is(line, mark)) {
            return head;
        }
        head.len += taken;
    }
    return head;
}

static unsigned argument(char c)
{
    if (irsafs_is_digit(c)) {
        return (unsigned)(c - '0');
    }
    return irsafs_is_alnum(c) ? (unsigned)((c | 0x20) - 'a') + 10 : (unsigned char)c;
}

/* Blanks, and comments: lines whose first byte is '#'. */
static void skip_blanks(struct irsafs_str *program)
{
    bool line_begins = false;
    while (program->len > 0) {
        size_t n = 1;
        if (line_begins && *program->ptr == '#') {
            const char *lf = memchr(program->ptr, '\n', program->len);
            n = lf != NULL ? (size_t)(lf - program->ptr) : program->len;
        } else if (*program->ptr != ' ' && *program->ptr != '\n') {
            return;
        }
        line_begins = *program->ptr == '\n';
        program->ptr += n;
        program->len -= n;
    }
}

bool fuzz_next_step(struct irsafs_str *program, const char *letters, struct fuzz_step *ret_step)
{
    skip_blanks(program);
    if (program->len < 2) {
        return false;
    }
    char c = program->ptr[0];
    const char *at = c != '\0' ? strchr(letters, c) : NULL;
    ret_step->op =
        at != NULL ? (unsigned)(at - letters) : (unsigned char)c % (unsigned)strlen(letters);
    ret_step->arg = argument(program->ptr[1]);
    program->ptr += 2;
    program->len -= 2;
    return true;
}
