/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fuse/session.h"

#include "base/log.h"
#include "fs/fuse/ops.h"

#include <errno.h>
#include <fuse_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUESTS_PER_TURN = 16 }; /* then the loop looks at its other descriptors */

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *user)
{
    (void)user;
    return writev(fd, iov, count);
}

static ssize_t io_read(int fd, void *buf, size_t size, void *user)
{
    (void)user;
    return read(fd, buf, size);
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
               "text=\"%s\"", text);
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
    s->started = irsafs_clock_real();
    s->refreshed = s->started;
    s->fuse = fuse_session_new(&args, irsafs_fuse_ops(), sizeof(struct fuse_lowlevel_ops), s);
    fuse_opt_free_args(&args); /* libfuse made a copy of them in there */
    if (s->fuse == NULL || fuse_session_custom_io(s->fuse, &io, fuse_fd) != 0) {
        (void)irsafs_session_free(s);
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "the FUSE session could not be made");
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
        free(s->request.mem);
        free(s);
    }
    return NULL;
}

bool irsafs_session_receive(struct irsafs_session *s)
{
    for (int i = 0; i < REQUESTS_PER_TURN; i++) {
        int n = fuse_session_receive_buf(s->fuse, &s->request);
        if (n == 0) {
            return false;
        }
        if (n < 0) {
            return n == -EAGAIN || n == -EINTR || n == -ENOMEM;
        }
        fuse_session_process_buf(s->fuse, &s->request);
        if (!s->kernel.ready) {
            return false; /* the first request is INIT: unanswered, the kernel refuses all others */
        }
    }
    return true;
}

void irsafs_session_answer(struct irsafs_session *s)
{
    struct irsafs_request request;
    while (irsafs_core_next_answer(s->core, &request)) {
        irsafs_fuse_answer(s, &request);
    }
}

struct irsafs_kernel irsafs_session_kernel(const struct irsafs_session *s)
{
    return s->kernel;
}
