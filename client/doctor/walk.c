/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/deadline.h"
#include "client/doctor/checks.h"
#include "client/doctor/print.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Where a check runs, and how long it may take. Nothing runs in the first process: a file system or a
 * resolver that hangs cannot hold it up. */
enum place {
    APART, /* a child of its own, with our rights */
    FETCH, /* one child for all in a row, with the rights of a fetch */
};

enum {
    APART_MS = 1500,
    WAY_MS = 2500,    /* asks for 2 s */
    DAEMON_MS = 4500, /* asks twice, 2 s each */
    FETCH_MS = 19000,
};

static const struct check {
    const char *name;
    void (*run)(struct irsafs_doctor *d);
    enum place place;
    int limit_ms;
    const char *needs[3]; /* not tried when one of these failed */
} checks[] = {
    {"settings", irsafs_doctor_settings, APART, APART_MS, {0}},
    {"fuse", irsafs_doctor_fuse, APART, APART_MS, {0}},
    {"mount", irsafs_doctor_mount, APART, APART_MS, {0}},
    {"daemon", irsafs_doctor_daemon, APART, DAEMON_MS, {"settings"}},
    {"propagation", irsafs_doctor_propagation, APART, APART_MS, {0}},
    {"access", irsafs_doctor_access, APART, APART_MS, {"mount"}},
    {"rights", irsafs_doctor_rights, FETCH, FETCH_MS, {0}},
    {"labels", irsafs_doctor_labels, FETCH, FETCH_MS, {"rights", "settings"}},
    {"token", irsafs_doctor_token, FETCH, FETCH_MS, {"rights", "settings"}},
    {"endpoint", irsafs_doctor_endpoint, FETCH, FETCH_MS, {"rights", "settings"}},
    {"dns", irsafs_doctor_dns, FETCH, FETCH_MS, {"endpoint"}},
    {"tcp", irsafs_doctor_tcp, FETCH, FETCH_MS, {"dns"}},
    {"tls", irsafs_doctor_tls, FETCH, FETCH_MS, {"tcp"}},
    {"mapping", irsafs_doctor_mapping, FETCH, FETCH_MS, {"labels", "token", "tls"}},
    {"clock", irsafs_doctor_clock, FETCH, FETCH_MS, {"rights"}},
    {"web-identity", irsafs_doctor_identity, FETCH, FETCH_MS, {"rights"}},
    {"aws-env", irsafs_doctor_aws, APART, APART_MS, {0}},
};

const char *irsafs_doctor_check_name(size_t check)
{
    return checks[check].name;
}

static bool is_good(const struct irsafs_board *board, const char *name)
{
    for (size_t i = 0; i < IRSAFS_COUNT(checks); i++) {
        if (strcmp(checks[i].name, name) == 0) {
            return irsafs_board_is_good(board, i);
        }
    }
    return false;
}

/* Checks first to end - 1, all of one place, one after the other. */
struct row {
    struct irsafs_doctor *d;
    size_t first, end;
};

static int run_row(const void *arg, int fd)
{
    const struct row *row = arg;
    struct irsafs_board *board = row->d->board;
    (void)fd; /* what is found is on the board */
    for (size_t i = row->first; i < row->end; i++) {
        const char *missing = NULL;
        board->check = i;
        for (size_t k = 0; k < IRSAFS_COUNT(checks[i].needs) && missing == NULL; k++) {
            const char *need = checks[i].needs[k];
            missing = need != NULL && !is_good(board, need) ? need : NULL;
        }
        if (missing != NULL) {
            irsafs_board_note(board, IRSAFS_LEVEL_NOT_TRIED, "", "not tried, because of '%s'",
                              missing);
        } else {
            checks[i].run(row->d);
        }
    }
    return 0;
}

static void note_end(struct irsafs_board *board, int errnum)
{
    struct irsafs_error err = {.message = ""};
    if (errnum == ETIMEDOUT) {
        irsafs_board_note(board, IRSAFS_LEVEL_FAIL,
                          "see which file system or name server does not answer",
                          "no end of this check in time");
    } else if (errnum == EIO) {
        (void)irsafs_error_set(&err, IRSAFS_E_CLIENT_DIED, "the check crashed");
        irsafs_board_error(board, IRSAFS_LEVEL_FAIL, &err);
    } else {
        (void)irsafs_error_set(&err, IRSAFS_E_IO, "the check: %s", strerrordesc_np(errnum));
        irsafs_board_error(board, IRSAFS_LEVEL_FAIL, &err);
    }
}

static void walk_row(struct irsafs_doctor *d, size_t first, size_t end)
{
    struct irsafs_buf nothing = IRSAFS_BUF_INIT(1);
    const struct row row = {d, first, end};
    const struct irsafs_board before = *d->board;
    d->board->check = first;
    d->deadline_ms = irsafs_clock_boot_ms() + checks[first].limit_ms;
    int errnum = irsafs_deadline_run(run_row, &row, d->deadline_ms, &nothing);
    if (checks[first].place == FETCH) {
        irsafs_board_take(d->board, &before, first, end);
    }
    if (errnum != 0) {
        note_end(d->board, errnum);
        while (++d->board->check < end) {
            irsafs_board_note(d->board, IRSAFS_LEVEL_NOT_TRIED, "", "not tried: no time was left");
        }
    }
    irsafs_buf_deinit(&nothing);
}

static int survey(const void *arg, int fd)
{
    const struct row *row = arg;
    (void)fd;
    irsafs_doctor_survey(row->d);
    return 0;
}

static int find_way(const void *arg, int fd)
{
    const struct row *row = arg;
    (void)fd;
    irsafs_doctor_way(row->d);
    return 0;
}

static void walk(struct irsafs_doctor *d)
{
    struct irsafs_buf nothing = IRSAFS_BUF_INIT(1);
    const struct row all = {d, 0, IRSAFS_COUNT(checks)};
    int errnum = irsafs_deadline_run(survey, &all, irsafs_clock_boot_ms() + APART_MS, &nothing);
    if (errnum != 0 && d->board->life == IRSAFS_LIFE_NONE) { /* else it hung in the mount itself */
        d->board->mountpoint_errnum = errnum;
    }
    if (d->board->life == IRSAFS_LIFE_NONE) {
        (void)!irsafs_deadline_run(find_way, &all, irsafs_clock_boot_ms() + WAY_MS, &nothing);
    }
    d->identity_errnum = irsafs_deadline_run(irsafs_doctor_read_identity, d,
                                             irsafs_clock_boot_ms() + APART_MS, &d->identity);
    for (size_t first = 0, end; first < IRSAFS_COUNT(checks); first = end) {
        end = first + 1;
        while (checks[first].place == FETCH && end < IRSAFS_COUNT(checks) &&
               checks[end].place == FETCH) {
            end++;
        }
        walk_row(d, first, end);
    }
}

int irsafs_doctor(const struct irsafs_doctor_request *request)
{
    struct irsafs_error err = {.message = ""};
    struct irsafs_board *board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        (void)irsafs_error_set(&err, IRSAFS_E_MEMORY, "no memory for the findings");
        return irsafs_error_report("irsafs-client", &err);
    }
    struct irsafs_doctor d = {
        .request = request,
        .client = *request->client,
        .board = board,
        .identity = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX + 64),
    };
    irsafs_fetch_init(&d.fetch);
    walk(&d);
    int status = request->json ? irsafs_doctor_print_json(board) : irsafs_doctor_print(board);
    irsafs_buf_deinit(&d.identity);
    (void)munmap(board, sizeof(*board));
    return status;
}
