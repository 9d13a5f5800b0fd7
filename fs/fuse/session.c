/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fuse/session.h"

#include "base/log.h"
#include "fs/core/place.h"
#include "fs/fuse/ops.h"

#include <errno.h>
#include <fuse_log.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REQUESTS_PER_TURN = 16, /* then the loop looks at its other descriptors */
    HELLO_WAIT_MS = 5000,
    PAGE = 4096,
};

/* ---- what libfuse does with the device */

/* The recorded reply to FUSE_INIT stands: the kernel has obeyed it. The first worker's goes out; when
 * that worker is killed before it has noted so, the kernel refuses the second one (ENOENT). */
static ssize_t say_hello(struct irsafs_session *s, int fd, const struct iovec *iov, int count)
{
    struct irsafs_journal *j = s->journal;
    char reply[IRSAFS_HELLO_MAX];
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > sizeof(reply) - len) {
            errno = EMSGSIZE;
            return -1;
        }
        memcpy(reply + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    struct fuse_out_header header = {.error = -EIO};
    memcpy(&header, reply, len < sizeof(header) ? len : sizeof(header));
    if (header.error != 0) {
        return (ssize_t)len; /* no memory: the kernel must not hear it, the next worker has some */
    }
    bool known = j->hello_reply_len != 0;
    if (known && (len != j->hello_reply_len || memcmp(reply, j->hello_reply, len) != 0)) {
        s->missing = "a libfuse that answers FUSE_INIT as the one before did";
        return (ssize_t)len; /* libfuse would write an error to stderr itself */
    }
    memcpy(j->hello_reply, reply, len);
    atomic_signal_fence(memory_order_seq_cst); /* the length says that the rest is there */
    j->hello_reply_len = (uint32_t)len;
    if (j->hello_done == 0 && writev(fd, iov, count) < 0 && errno != ENOENT) {
        return -1;
    }
    j->hello_done = 1;
    s->greeted = true;
    return (ssize_t)len;
}

/* A SIGKILL that finds the kernel copying from a page which this process has not touched yet makes
 * the reader's request fail with EIO. */
static void touch_pages(const struct iovec *iov, int count)
{
    for (int i = 0; i < count; i++) {
        const volatile char *at = iov[i].iov_base;
        for (size_t k = 0; k < iov[i].iov_len; k += PAGE) {
            (void)at[k];
        }
        if (iov[i].iov_len > 0) {
            (void)at[iov[i].iov_len - 1];
        }
    }
}

static bool is_forget(const struct irsafs_slot *slot)
{
    return slot->in.opcode == FUSE_FORGET || slot->in.opcode == FUSE_BATCH_FORGET;
}

static bool has_no_reply(const struct irsafs_slot *slot)
{
    return is_forget(slot) || slot->in.opcode == FUSE_INTERRUPT;
}

/* libfuse also answers, meanwhile, an interrupt that it has kept. */
static bool is_reply_to(const struct irsafs_slot *slot, const struct iovec *iov)
{
    struct fuse_out_header header;
    memcpy(&header, iov->iov_base, sizeof(header)); /* always the first piece */
    return header.unique == slot->in.unique;
}

/* Every reply goes through here: what it follows from is committed first. */
static ssize_t io_writev(int fd, struct iovec *iov, int count, void *user)
{
    struct irsafs_session *s = user;
    if (s->hello) {
        return say_hello(s, fd, iov, count);
    }
    if (s->current != NULL && has_no_reply(s->current) && is_reply_to(s->current, iov)) {
        /* These have no reply: libfuse says that it had no memory. The next worker has some, and the
         * slot; otherwise what is counted would be counted for ever. */
        irsafs_log(IRSAFS_LOG_ERROR, "no_memory", IRSAFS_LOG_TEXT("request", "forget"));
        _exit(irsafs_code_exit_status(IRSAFS_E_MEMORY));
    }
    irsafs_core_commit(s->core, s->settings.give_back);
    if (s->current != NULL && s->current->in.opcode == FUSE_LOOKUP) {
        irsafs_place(IRSAFS_PLACE_CHARGED);
    }
    touch_pages(iov, count);
    return writev(fd, iov, count);
}

/* libfuse is handed its requests and never reads. */
static ssize_t io_read(int fd, void *buf, size_t size, void *user)
{
    (void)fd;
    (void)buf;
    (void)size;
    (void)user;
    errno = EIO;
    return -1;
}

/* libfuse would write to stderr itself, and wait there for whoever does not read it. */
static void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list args)
    IRSAFS_PRINTF(2, 0);
static void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list args)
{
    char text[200];
    (void)vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    irsafs_log(level <= FUSE_LOG_WARNING ? IRSAFS_LOG_WARN : IRSAFS_LOG_DEBUG, "libfuse",
               IRSAFS_LOG_TEXT("text", text));
}

/* ---- life */

/* Free slots are taken last-in first-out, the lowest first: only as many pages are touched as requests
 * wait. */
static void find_free_slots(struct irsafs_session *s)
{
    for (unsigned i = IRSAFS_SLOTS; i > 0; i--) {
        if (i > s->journal->slots_used || s->journal->slots[i - 1].in.len == 0) {
            s->free_slots[s->n_free++] = (uint16_t)(i - 1);
        }
    }
}

enum irsafs_code irsafs_session_new(const struct irsafs_session_settings *settings,
                                    int fuse_fd,
                                    struct irsafs_session **ret_session,
                                    struct irsafs_error *err)
{
    static const struct fuse_custom_io io = {.writev = io_writev, .read = io_read};
    char name[] = "irsafs"; /* all that libfuse reads from argv: mount options are ours alone */
    char *argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct irsafs_session *s = calloc(1, sizeof(*s));
    fuse_set_log_func(on_fuse_log);
    if (s == NULL) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for the FUSE session");
    }
    s->settings = *settings;
    s->core = settings->core;
    s->journal = settings->journal;
    s->fuse_fd = fuse_fd;
    if (s->journal->started.tv_sec == 0) {
        s->journal->started = s->journal->refreshed = irsafs_clock_real();
    }
    s->long_request = malloc(IRSAFS_SLOT_REQUEST + IRSAFS_OVERFLOW);
    s->fuse = fuse_session_new(&args, irsafs_fuse_ops(), sizeof(struct fuse_lowlevel_ops), s);
    fuse_opt_free_args(&args); /* libfuse made a copy of them in there */
    if (s->long_request == NULL || s->fuse == NULL ||
        fuse_session_custom_io(s->fuse, &io, fuse_fd) != 0) {
        (void)irsafs_session_free(s);
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "the FUSE session could not be made");
    }
    /* As with replies: a page that is missing when a SIGKILL comes costs a reader its request. */
    for (size_t k = 0; k < sizeof(s->journal->overflow); k += PAGE) {
        volatile char *at = s->journal->overflow + k;
        char kept = *at; /* it may be the rest of a request that is to be handled again */
        *at = kept;
    }
    *ret_session = s;
    return IRSAFS_OK;
}

struct irsafs_session *irsafs_session_free(struct irsafs_session *s)
{
    if (s != NULL) {
        if (s->fuse != NULL) {
            fuse_session_destroy(s->fuse);
        }
        free(s->long_request);
        free(s);
    }
    return NULL;
}

enum irsafs_code irsafs_session_hello(struct irsafs_session *s, struct irsafs_error *err)
{
    struct irsafs_journal *j = s->journal;
    irsafs_core_roll_back(s->core); /* a slot that was being let go of is in use again */
    find_free_slots(s);
    if (j->hello.in.len == 0) {
        struct pollfd p = {.fd = s->fuse_fd, .events = POLLIN};
        struct iovec iov[] = {{j->hello.bytes, sizeof(j->hello.bytes)},
                              {j->overflow, sizeof(j->overflow)}};
        ssize_t n = poll(&p, 1, HELLO_WAIT_MS) > 0 ? readv(s->fuse_fd, iov, 2) : 0;
        if (n < 0 && (errno == ENODEV || errno == ENOTCONN || errno == ECONNABORTED)) {
            return irsafs_error_set(err, IRSAFS_E_CONNECTION_LOST, "unmounted at once");
        }
        if (n < (ssize_t)sizeof(j->hello.in) || n > (ssize_t)sizeof(j->hello.bytes)) {
            j->hello.in.len = 0;
            return irsafs_error_set(err, IRSAFS_E_IO, "the kernel's first request did not come");
        }
    }
    if (j->hello.in.opcode != FUSE_INIT) { /* of a descriptor that we were handed */
        return irsafs_error_set(
            err, IRSAFS_E_FD_LOST,
            "somebody else has served this file system: its first request is not FUSE_INIT");
    }
    s->hello = true;
    const struct fuse_buf buf = {.mem = j->hello.bytes, .size = j->hello.in.len};
    fuse_session_process_buf(s->fuse, &buf);
    s->hello = false;
    if (s->missing != NULL) {
        return irsafs_error_set(err, IRSAFS_E_KERNEL, "this kernel's FUSE lacks %s", s->missing);
    }
    return s->greeted ? IRSAFS_OK
                      : irsafs_error_set(err, IRSAFS_E_IO, "the kernel's first request failed");
}

/* ---- requests */

/* Its request has been answered. In one transaction with whatever else was not committed yet. */
static void clear_slot(struct irsafs_session *s, unsigned i)
{
    struct irsafs_slot *slot = &s->journal->slots[i];
    irsafs_place(IRSAFS_PLACE_REPLIED);
    irsafs_core_save(s->core, &slot->in, sizeof(slot->in.len));
    slot->in.len = 0;
    irsafs_core_commit(s->core, s->settings.give_back);
    s->requests[i] = NULL;
    s->free_slots[s->n_free++] = (uint16_t)i;
    s->handled++;
}

static void handle(struct irsafs_session *s, unsigned i)
{
    struct irsafs_slot *slot = &s->journal->slots[i];
    size_t len = slot->in.len;
    bool forget = is_forget(slot);
    struct fuse_buf buf = {.mem = slot->request, .size = len};
    irsafs_place(slot->in.opcode == FUSE_INTERRUPT ? IRSAFS_PLACE_INTERRUPT : IRSAFS_PLACE_READ);
    if (len > IRSAFS_SLOT_REQUEST) {
        memcpy(s->long_request, slot->request, IRSAFS_SLOT_REQUEST);
        memcpy(s->long_request + IRSAFS_SLOT_REQUEST, s->journal->overflow,
               len - IRSAFS_SLOT_REQUEST);
        buf.mem = s->long_request;
    }
    s->current = slot;
    fuse_session_process_buf(s->fuse, &buf);
    s->current = NULL;
    if (slot->state != IRSAFS_SLOT_PARKED) {
        clear_slot(s, i);
    } else {
        irsafs_core_commit(s->core, s->settings.give_back);
    }
    if (forget) {
        irsafs_place(IRSAFS_PLACE_FORGET_AFTER);
    }
}

unsigned irsafs_session_replay(struct irsafs_session *s)
{
    unsigned n = 0;
    /* Interrupts last: what they are for is parked by then, and libfuse knows it by its number. */
    for (int interrupts = 0; interrupts <= 1; interrupts++) {
        for (unsigned i = 0; i < s->journal->slots_used; i++) {
            const struct irsafs_slot *slot = &s->journal->slots[i];
            if (slot->in.len != 0 && (slot->in.opcode == FUSE_INTERRUPT) == (interrupts == 1) &&
                s->requests[i] == NULL) {
                irsafs_place(IRSAFS_PLACE_REPLAY);
                handle(s, i);
                n++;
            }
        }
    }
    return n;
}

/* 1: one was handled; 0: none is there; -1: the connection is gone. */
static int receive_one(struct irsafs_session *s)
{
    unsigned i = s->free_slots[s->n_free - 1];
    struct irsafs_slot *slot = &s->journal->slots[i];
    if (i >= s->journal->slots_used) {
        s->journal->slots_used = i + 1;
    }
    memset(slot, 0, sizeof(*slot)); /* no old record, and the page is there (see touch_pages) */
    struct iovec iov[] = {{slot->request, sizeof(slot->request)},
                          {s->journal->overflow, sizeof(s->journal->overflow)}};
    ssize_t n = readv(s->fuse_fd, iov, 2);
    if (n <= 0) {
        int error = errno;
        slot->in.len = 0;
        if (n == 0) {
            return -1;
        }
        /* ENOENT: the request was aborted while it was read. */
        return error == EINTR || error == ENOENT ? 1 : error == EAGAIN || error == ENOMEM ? 0 : -1;
    }
    if (slot->in.len != (uint32_t)n) {
        slot->in.len = 0; /* cannot be: the kernel counts its own bytes */
        return 1;
    }
    s->n_free--;
    handle(s, i);
    return 1;
}

bool irsafs_session_receive(struct irsafs_session *s)
{
    int r = 1;
    for (int i = 0; i < REQUESTS_PER_TURN && r == 1 && s->n_free > 0; i++) {
        r = receive_one(s);
    }
    return r >= 0;
}

void irsafs_session_answer(struct irsafs_session *s)
{
    struct irsafs_request request;
    while (irsafs_core_next_answer(s->core, &request)) {
        unsigned i = (unsigned)request.handle;
        if (s->requests[i] != NULL) {
            irsafs_fuse_answer(s, s->requests[i], &request);
        }
        irsafs_core_answered(s->core);
        clear_slot(s, i);
    }
}

void irsafs_session_unpark(struct irsafs_session *s, unsigned i)
{
    irsafs_core_interrupt(s->core, s->journal->slots[i].waiter);
    clear_slot(s, i);
}

struct irsafs_session_facts irsafs_session_facts(const struct irsafs_session *s)
{
    return (struct irsafs_session_facts){.protocol_major = s->protocol_major,
                                         .protocol_minor = s->protocol_minor,
                                         .slots_used = IRSAFS_SLOTS - s->n_free,
                                         .handled = s->handled};
}
