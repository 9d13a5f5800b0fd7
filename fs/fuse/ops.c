/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fuse/ops.h"

#include "fs/core/place.h"
#include "fs/fuse/refuse.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 255,
    CONSTANT_TIMEOUT_S = 60, /* of what never changes; finite, so that a dead daemon is noticed */
    BLOCK = 512,
    STATUS_MODE = 0444,
};

static struct irsafs_session *session_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000.0;
}

/* ---- attributes */

static struct stat attributes(const struct irsafs_session *s, fuse_ino_t ino, mode_t mode)
{
    return (struct stat){
        .st_ino = ino,
        .st_mode = mode,
        .st_nlink = S_ISDIR(mode) ? 2 : 1,
        .st_uid = s->settings.uid,
        .st_gid = s->settings.gid,
        .st_blksize = 4096,
        .st_atim = s->journal->started,
        .st_mtim = s->journal->started,
        .st_ctim = s->journal->started,
    };
}

static struct stat refresh_attributes(const struct irsafs_session *s)
{
    struct stat st = attributes(s, IRSAFS_INO_REFRESH, S_IFREG | s->settings.refresh_mode);
    st.st_atim = st.st_mtim = st.st_ctim = s->journal->refreshed;
    return st;
}

static struct stat file_attributes(const struct irsafs_session *s, const struct irsafs_entry *e)
{
    mode_t mode = e->kind == IRSAFS_KIND_STATUS ? STATUS_MODE : s->settings.config_mode;
    struct stat st = attributes(s, e->ino, S_IFREG | mode);
    st.st_size = (off_t)e->size;
    st.st_blocks = (blkcnt_t)((e->size + BLOCK - 1) / BLOCK);
    st.st_atim = st.st_mtim = st.st_ctim = e->mtime;
    return st;
}

/* ---- names */

static void reply_constant(fuse_req_t req, fuse_ino_t ino, const struct stat *st)
{
    struct fuse_entry_param entry = {
        .ino = ino, /* 0: no such name, to be remembered */
        .attr_timeout = CONSTANT_TIMEOUT_S,
        .entry_timeout = CONSTANT_TIMEOUT_S,
    };
    if (st != NULL) {
        entry.attr = *st;
    }
    (void)fuse_reply_entry(req, &entry);
}

/* again: an earlier worker had got so far, and perhaps further. */
static void reply_file(fuse_req_t req, const struct irsafs_entry *e, bool again)
{
    struct irsafs_session *s = session_of(req);
    struct fuse_entry_param entry = {
        .ino = e->ino,
        .attr = file_attributes(s, e),
        .attr_timeout = seconds(e->attr_timeout_ms),
        .entry_timeout = seconds(e->entry_timeout_ms),
    };
    int error = fuse_reply_entry(req, &entry);
    bool had_arrived = again && error == -ENOENT;
    if (error != 0 && !had_arrived) {
        irsafs_core_forget(s->core, e->ino, 1); /* not received: the kernel will not forget it */
    }
}

static void save_record(struct irsafs_session *s)
{
    irsafs_core_save(s->core, &s->current->ino,
                     sizeof(*s->current) - offsetof(struct irsafs_slot, ino));
}

/* The event has happened; the reply says which inode. */
static void record_done(struct irsafs_session *s, uint64_t ino)
{
    save_record(s);
    s->current->ino = ino;
    s->current->state = IRSAFS_SLOT_DONE;
}

static void lookup_again(fuse_req_t req)
{
    struct irsafs_session *s = session_of(req);
    struct irsafs_entry entry;
    if (irsafs_core_entry(s->core, s->current->ino, irsafs_clock_boot_ms(), irsafs_clock_real(),
                          &entry)) {
        reply_file(req, &entry, true);
    } else {
        (void)fuse_reply_err(req, ESTALE);
    }
}

static void lookup_config(fuse_req_t req)
{
    struct irsafs_session *s = session_of(req);
    struct irsafs_entry entry =
        irsafs_core_lookup_config(s->core, irsafs_clock_boot_ms(), irsafs_clock_real());
    record_done(s, entry.ino);
    reply_file(req, &entry, false);
}

static void lookup_status(fuse_req_t req)
{
    struct irsafs_session *s = session_of(req);
    struct irsafs_entry entry;
    int64_t now_ms = irsafs_clock_boot_ms();
    if (!irsafs_core_lookup_status(s->core, now_ms, &entry)) {
        struct irsafs_str document = s->settings.render_status(s->settings.user);
        if (document.len == 0) {
            (void)fuse_reply_err(req, ENOMEM);
            return;
        }
        irsafs_core_publish_status(s->core, document, now_ms, irsafs_clock_real());
        if (!irsafs_core_lookup_status(s->core, now_ms, &entry)) {
            (void)fuse_reply_err(req, EIO); /* cannot be: it was published a moment ago */
            return;
        }
    }
    record_done(s, entry.ino);
    reply_file(req, &entry, false);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct irsafs_session *s = session_of(req);
    irsafs_place(IRSAFS_PLACE_LOOKUP_DURING_NOTIFY);
    if (parent != IRSAFS_INO_ROOT) {
        (void)fuse_reply_err(req, ENOTDIR);
    } else if (s->current->state == IRSAFS_SLOT_DONE) {
        lookup_again(req);
    } else if (strcmp(name, "config") == 0) {
        lookup_config(req);
    } else if (strcmp(name, "status") == 0) {
        lookup_status(req);
    } else if (strcmp(name, "refresh") == 0) {
        struct stat st = refresh_attributes(s);
        reply_constant(req, IRSAFS_INO_REFRESH, &st);
    } else if (strlen(name) > NAME_MAX_BYTES) {
        (void)fuse_reply_err(req, ENAMETOOLONG);
    } else {
        reply_constant(req, 0, NULL);
    }
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
    irsafs_core_forget(session_of(req)->core, ino, n);
    irsafs_place(IRSAFS_PLACE_FORGET_BEFORE);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++) {
        irsafs_core_forget(session_of(req)->core, forgets[i].ino, forgets[i].nlookup);
    }
    irsafs_place(IRSAFS_PLACE_FORGET_BEFORE);
    fuse_reply_none(req);
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    static const struct {
        const char *name;
        fuse_ino_t ino; /* generations have no number that lasts: all ones means unknown */
        mode_t type;
    } names[] = {
        {".", IRSAFS_INO_ROOT, S_IFDIR}, {"..", IRSAFS_INO_ROOT, S_IFDIR},
        {"config", UINT32_MAX, S_IFREG}, {"refresh", IRSAFS_INO_REFRESH, S_IFREG},
        {"status", UINT32_MAX, S_IFREG},
    };
    (void)fi;
    if (ino != IRSAFS_INO_ROOT) {
        (void)fuse_reply_err(req, ENOTDIR);
        return;
    }
    char buf[512];
    size_t used = 0;
    size_t room = size < sizeof(buf) ? size : sizeof(buf);
    for (size_t i = off < 0 ? 0 : (size_t)off; i < IRSAFS_COUNT(names); i++) {
        struct stat st = {.st_ino = names[i].ino, .st_mode = names[i].type};
        size_t need =
            fuse_add_direntry(req, buf + used, room - used, names[i].name, &st, (off_t)i + 1);
        if (need > room - used) {
            break;
        }
        used += need;
    }
    (void)fuse_reply_buf(req, buf, used);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_MAX_BYTES};
    (void)fuse_reply_statfs(req, &st);
}

/* ---- content */

static void
reply_read(fuse_req_t req, const struct irsafs_generation *g, const struct irsafs_request *request)
{
    struct irsafs_str parts[2];
    irsafs_files_parts(session_of(req)->core, g, parts);
    struct iovec iov[IRSAFS_COUNT(parts)];
    int n = 0;
    size_t skip = request->offset > 0 ? (size_t)request->offset : 0;
    size_t want = request->size;
    for (size_t i = 0; i < IRSAFS_COUNT(parts); i++) {
        size_t size = parts[i].len;
        if (skip >= size) {
            skip -= size;
            continue;
        }
        size_t take = size - skip < want ? size - skip : want;
        /* libfuse's iovec is not const; it only reads. */
        iov[n++] = (struct iovec){(char *)(uintptr_t)(parts[i].ptr + skip), take};
        want -= take;
        skip = 0;
    }
    (void)fuse_reply_iov(req, iov, n);
}

void irsafs_fuse_answer(struct irsafs_session *s,
                        fuse_req_t req,
                        const struct irsafs_request *request)
{
    struct irsafs_entry entry;
    struct stat st;
    const struct irsafs_generation *g;
    switch ((enum irsafs_request_kind)request->kind) {
    case IRSAFS_REQUEST_SETATTR:
        st = refresh_attributes(s);
        (void)fuse_reply_attr(req, &st, CONSTANT_TIMEOUT_S);
        return;
    case IRSAFS_REQUEST_WRITE:
        (void)fuse_reply_write(req, request->size);
        return;
    case IRSAFS_REQUEST_GETATTR:
    case IRSAFS_REQUEST_READ:
        break;
    }
    g = irsafs_core_file(s->core, request->ino, irsafs_clock_boot_ms(), &entry);
    if (g == NULL) {
        (void)fuse_reply_err(req, ESTALE);
    } else if (request->kind == IRSAFS_REQUEST_READ) {
        reply_read(req, g, request);
    } else {
        st = file_attributes(s, &entry);
        (void)fuse_reply_attr(req, &st, seconds(entry.attr_timeout_ms));
    }
}

/* A parked request whose caller was interrupted or killed: without this it stays in D state until
 * the text comes. */
static void on_interrupt(fuse_req_t req, void *slot)
{
    struct irsafs_session *s = session_of(req);
    unsigned i = (unsigned)((struct irsafs_slot *)slot - s->journal->slots);
    (void)fuse_reply_err(req, EINTR);
    irsafs_session_unpark(s, i);
}

/* From now on this request is answered by irsafs_session_answer, or interrupted. */
static void wait_for_answer(fuse_req_t req)
{
    struct irsafs_session *s = session_of(req);
    s->requests[s->current - s->journal->slots] = req;
    fuse_req_interrupt_func(req, on_interrupt, s->current);
}

typedef enum irsafs_look look_fn(struct irsafs_core *core,
                                 const struct irsafs_request *request,
                                 int64_t now_ms,
                                 struct timespec real,
                                 irsafs_waiter_id *ret_waiter);

static void look_or_park(fuse_req_t req, look_fn *look, struct irsafs_request request)
{
    struct irsafs_session *s = session_of(req);
    irsafs_waiter_id waiter = 0;
    request.handle = (uint64_t)(s->current - s->journal->slots);
    if (s->current->state == IRSAFS_SLOT_PARKED) { /* by an earlier worker */
        wait_for_answer(req);
        return;
    }
    if (s->current->state == IRSAFS_SLOT_DONE) {
        irsafs_fuse_answer(s, req, &request);
        return;
    }
    /* Asked before the callback is set: libfuse 3.14 would call it and then touch the request,
     * which the callback has freed. One thread: nothing can come in between. */
    if (fuse_req_interrupted(req)) {
        (void)fuse_reply_err(req, EINTR);
        return;
    }
    switch (look(s->core, &request, irsafs_clock_boot_ms(), irsafs_clock_real(), &waiter)) {
    case IRSAFS_LOOK_READY:
        record_done(s, 0);
        irsafs_fuse_answer(s, req, &request);
        return;
    case IRSAFS_LOOK_PARKED:
        save_record(s);
        s->current->state = IRSAFS_SLOT_PARKED;
        s->current->waiter = waiter;
        wait_for_answer(req);
        return;
    case IRSAFS_LOOK_GONE:
        (void)fuse_reply_err(req, ESTALE);
        return;
    case IRSAFS_LOOK_FULL:
        (void)fuse_reply_err(req, EAGAIN);
        return;
    }
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct irsafs_session *s = session_of(req);
    (void)fi;
    if (ino == IRSAFS_INO_ROOT || ino == IRSAFS_INO_REFRESH) {
        struct stat st =
            ino == IRSAFS_INO_ROOT ? attributes(s, ino, S_IFDIR | 0755) : refresh_attributes(s);
        (void)fuse_reply_attr(req, &st, CONSTANT_TIMEOUT_S);
        return;
    }
    look_or_park(req, irsafs_core_look,
                 (struct irsafs_request){.kind = IRSAFS_REQUEST_GETATTR, .ino = ino});
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    (void)fi;
    if (ino == IRSAFS_INO_REFRESH) {
        (void)fuse_reply_buf(req, NULL, 0);
        return;
    }
    look_or_park(
        req, irsafs_core_look,
        (struct irsafs_request){
            .kind = IRSAFS_REQUEST_READ, .ino = ino, .offset = off, .size = (uint32_t)size});
}

/* ---- touching `refresh` */

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    (void)attr;
    (void)fi;
    if (ino != IRSAFS_INO_REFRESH ||
        (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
        (void)fuse_reply_err(req, EROFS);
        return;
    }
    session_of(req)->journal->refreshed = irsafs_clock_real();
    look_or_park(req, irsafs_core_touch,
                 (struct irsafs_request){.kind = IRSAFS_REQUEST_SETATTR, .ino = ino});
}

static void op_write(fuse_req_t req,
                     fuse_ino_t ino,
                     const char *buf,
                     size_t size,
                     off_t off,
                     struct fuse_file_info *fi)
{
    (void)buf;
    (void)off;
    (void)fi;
    if (ino != IRSAFS_INO_REFRESH) {
        (void)fuse_reply_err(req, EROFS);
        return;
    }
    session_of(req)->journal->refreshed = irsafs_clock_real();
    look_or_park(
        req, irsafs_core_touch,
        (struct irsafs_request){.kind = IRSAFS_REQUEST_WRITE, .ino = ino, .size = (uint32_t)size});
}

/* ---- hello */

static void op_init(void *user, struct fuse_conn_info *conn)
{
    struct irsafs_session *s = user;
    /* Generations are immutable: nothing to revalidate. ATOMIC_O_TRUNC would swallow the truncation
     * of `: > refresh` and zero the kernel's size of `config` on `echo > config`. Splicing buys
     * nothing for texts of this size. */
    conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC |
                              FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                              FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    conn->want |= conn->capable & FUSE_CAP_EXPLICIT_INVAL_DATA;
    conn->time_gran = 1;
    conn->max_write = IRSAFS_MAX_WRITE; /* what a journal slot and its overflow take */
    static const struct {
        unsigned flag;
        const char *name;
    } needed[] = {
        {FUSE_CAP_NO_OPEN_SUPPORT, "NO_OPEN_SUPPORT (Linux 3.15)"},
        {FUSE_CAP_NO_OPENDIR_SUPPORT, "NO_OPENDIR_SUPPORT (Linux 5.1)"},
        {FUSE_CAP_EXPLICIT_INVAL_DATA, "EXPLICIT_INVAL_DATA (Linux 5.2)"},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(needed); i++) {
        if ((conn->capable & needed[i].flag) == 0) {
            s->missing = needed[i].name;
        }
    }
    s->protocol_major = conn->proto_major;
    s->protocol_minor = conn->proto_minor;
}

const struct fuse_lowlevel_ops *irsafs_fuse_ops(void)
{
    /* Not here on purpose: xattr (the kernel says ENOTSUP), flush's and lseek's work (it does
     * without), access (default_permissions), release (not sent without open). */
    static const struct fuse_lowlevel_ops ops = {
        .init = op_init,
        .lookup = op_lookup,
        .forget = op_forget,
        .forget_multi = op_forget_multi,
        .getattr = op_getattr,
        .setattr = op_setattr,
        .readlink = irsafs_refuse_readlink,
        .mknod = irsafs_refuse_mknod,
        .mkdir = irsafs_refuse_mkdir,
        .unlink = irsafs_refuse_unlink,
        .rmdir = irsafs_refuse_unlink,
        .symlink = irsafs_refuse_symlink,
        .rename = irsafs_refuse_rename,
        .link = irsafs_refuse_link,
        .open = irsafs_refuse_open,
        .read = op_read,
        .write = op_write,
        .flush = irsafs_refuse_open,
        .opendir = irsafs_refuse_open,
        .readdir = op_readdir,
        .statfs = op_statfs,
        .create = irsafs_refuse_create,
        .ioctl = irsafs_refuse_ioctl,
        .poll = irsafs_refuse_poll,
        .fallocate = irsafs_refuse_fallocate,
    };
    return &ops;
}
