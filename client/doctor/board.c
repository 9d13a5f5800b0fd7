/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor/board.h"

#include "base/ascii.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void clean(char text[256])
{
    irsafs_ascii_clean(text, strlen(text));
}

static void add(struct irsafs_board *board,
                enum irsafs_level level,
                enum irsafs_code code,
                const char *remedy,
                const char *fmt,
                va_list args) IRSAFS_PRINTF(5, 0);

static void add(struct irsafs_board *board,
                enum irsafs_level level,
                enum irsafs_code code,
                const char *remedy,
                const char *fmt,
                va_list args)
{
    if (board->n >= IRSAFS_FINDINGS_MAX) {
        return;
    }
    struct irsafs_finding *f = &board->findings[board->n];
    *f = (struct irsafs_finding){.check = board->check, .level = level, .code = code};
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    (void)snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
    clean(f->text);
    clean(f->remedy);
    board->n++; /* last: who is killed before this leaves no half finding */
}

void irsafs_board_ok(struct irsafs_board *board, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(board, IRSAFS_LEVEL_OK, IRSAFS_OK, "", fmt, args);
    va_end(args);
}

void irsafs_board_note(
    struct irsafs_board *board, enum irsafs_level level, const char *remedy, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(board, level, IRSAFS_OK, remedy, fmt, args);
    va_end(args);
}

static void add_error(struct irsafs_board *board,
                      enum irsafs_level level,
                      const struct irsafs_error *err,
                      const char *fmt,
                      ...) IRSAFS_PRINTF(4, 5);

static void add_error(struct irsafs_board *board,
                      enum irsafs_level level,
                      const struct irsafs_error *err,
                      const char *fmt,
                      ...)
{
    va_list args;
    va_start(args, fmt);
    add(board, level, err->code, irsafs_code_remedy(err->code), fmt, args);
    va_end(args);
}

void irsafs_board_error(struct irsafs_board *board,
                        enum irsafs_level level,
                        const struct irsafs_error *err)
{
    add_error(board, level, err, "%s (IRSAFS-E%03d)", err->message, (int)err->code);
}

static bool is_finding_of(const struct irsafs_finding *f, size_t first, size_t end)
{
    unsigned level;
    memcpy(&level, &f->level, sizeof(level)); /* it may be none */
    return f->check >= first && f->check < end && level < IRSAFS_LEVELS;
}

void irsafs_board_take(struct irsafs_board *board,
                       const struct irsafs_board *before,
                       size_t first,
                       size_t end)
{
    const struct irsafs_board left = *board;
    *board = *before;
    board->check = left.check >= first && left.check < end ? left.check : first;
    board->profile_missing = left.profile_missing;
    for (size_t i = before->n; i < left.n && i < IRSAFS_FINDINGS_MAX; i++) {
        struct irsafs_finding f = left.findings[i];
        if (is_finding_of(&f, first, end)) {
            f.text[sizeof(f.text) - 1] = '\0';
            f.remedy[sizeof(f.remedy) - 1] = '\0';
            clean(f.text);
            clean(f.remedy);
            board->findings[board->n++] = f;
        }
    }
}

bool irsafs_board_is_good(const struct irsafs_board *board, size_t check)
{
    bool found = false;
    for (size_t i = 0; i < board->n; i++) {
        const struct irsafs_finding *f = &board->findings[i];
        if (f->check == check &&
            (f->level == IRSAFS_LEVEL_FAIL || f->level == IRSAFS_LEVEL_NOT_TRIED)) {
            return false;
        }
        found = found || f->check == check;
    }
    return found;
}
