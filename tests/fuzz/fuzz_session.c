/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a program of kernel requests and events, two characters each, in any order:
 *   vN  settings no. N (first of all); from a on the first worker dies, while it starts or later
 *   cN sN eN  LOOKUP of config, status, refresh     nN  of another name    pN  of config below an inode
 *   gN rN  GETATTR, READ of the N-th newest inode   RN  READ somewhere in it
 *   dN  READDIR from N    DN  with a small buffer, or of a file
 *   tN wN  SETATTR, WRITE of refresh    TN  SETATTR of refresh's mode or of another inode
 *   mN  a mutation    ?N  a question that has no answer here
 *   iN  INTERRUPT of the N-th waiting request       IN  of one that is not there
 *   fN oN bN  FORGET one, all lookups of the N-th inode, BATCH_FORGET of all inodes
 *   GN BN aN FN KN uN ZN +N kN qN !N  as in fuzz_core.c
 * The requests are well-formed, as the kernel's are: libfuse trusts their lengths. A worker may die
 * (death.h) after a request is read, before and after a reply is written, and at every undo record and
 * commit; the next one finds block, journal and requests at another address. Asserted, beside world.c:
 * every request that wants a reply gets exactly one, and no worker writes a second one unless another
 * one died; who is interrupted while it waits is answered; no mutation succeeds; attributes and bytes
 * are those of the generation; the counts of lookups are always the kernel's, and zero when all is
 * forgotten; the slots in use are those of the requests that wait. */
#include "base/attr.h"
#include "fs/fuse/ops.h"
#include "tests/fuzz/death.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>

static const char letters[] = "csenpgrRdDtwTm?iIfobGBaF+kq!vKuZ";

enum {
    FUSE_FD = 1 << 20, /* no descriptor of ours: see readv and writev below */
    REQUEST_MAX = 8192,
    QUEUE_MAX = 64,
    REPLY_MAX = 8192,
    UNIQUES_MAX = 1 << 14,
    INIT_UNIQUE = 2,
    INO_REFRESH = 2,
    FOREIGN_INO = 999, /* never handed out: ESTALE */
};

struct request {
    size_t len;
    union {
        struct fuse_in_header header;
        char bytes[REQUEST_MAX];
    };
};

/* What the kernel remembers of a request until its reply comes. */
struct asked {
    uint64_t unique; /* 0: free */
    uint32_t opcode;
    uint64_t ino;
    uint64_t offset;
    uint32_t size;
    uint64_t needed_flight;
    uint64_t park_id; /* of world.h, for what may wait; 0: answered at once */
    enum irsafs_kind kind;
    bool mutation, interrupted, other_name;
    bool early; /* interrupted before it came */
};

static struct kernel {
    struct fuzz_world world;
    struct irsafs_session *session;
    struct request queue[QUEUE_MAX];
    size_t n_queued, n_read;
    struct asked asked[FUZZ_PARKED_MAX + QUEUE_MAX];
    uint64_t last_unique;
    uint16_t life[UNIQUES_MAX]; /* of request 2 * i: the worker that answered it, from 1 */
    bool greeted;               /* a worker has seen the kernel take the reply to FUSE_INIT */
    unsigned together;
    unsigned n_interrupts;
    uint64_t n_status;
} kernel;

/* ---- the device and the clock (the linker's --wrap leads here) */

int64_t __wrap_irsafs_clock_boot_ms(void);
struct timespec __wrap_irsafs_clock_real(void);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
ssize_t __real_readv(int fd, const struct iovec *iov, int count);
ssize_t __real_writev(int fd, const struct iovec *iov, int count);

int64_t __wrap_irsafs_clock_boot_ms(void)
{
    return kernel.world.now_ms;
}

struct timespec __wrap_irsafs_clock_real(void)
{
    return fuzz_world_real(&kernel.world);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    (void)fds;
    (void)n;
    (void)timeout_ms;
    return 1;
}

ssize_t __wrap_readv(int fd, const struct iovec *iov, int count)
{
    struct kernel *k = &kernel;
    if (fd != FUSE_FD) {
        return __real_readv(fd, iov, count);
    }
    fuzz_place();
    if (k->n_read == k->n_queued) {
        k->n_read = k->n_queued = 0;
        errno = EAGAIN;
        return -1;
    }
    const struct request *r = &k->queue[k->n_read++];
    size_t done = 0;
    for (int i = 0; i < count; i++) {
        size_t left = r->len - done;
        size_t take = left < iov[i].iov_len ? left : iov[i].iov_len;
        memcpy(iov[i].iov_base, r->bytes + done, take);
        done += take;
    }
    FUZZ_ASSERT(done == r->len);
    fuzz_place();
    return (ssize_t)r->len;
}

static bool take_reply(struct kernel *k, const struct fuse_out_header *header, const char *payload);

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
    static union {
        struct fuse_out_header header;
        char bytes[REPLY_MAX];
    } reply;
    size_t len = 0;
    if (fd != FUSE_FD) {
        return __real_writev(fd, iov, count);
    }
    fuzz_place();
    for (int i = 0; i < count; i++) {
        FUZZ_ASSERT(len + iov[i].iov_len <= sizeof(reply));
        if (iov[i].iov_len > 0) {
            memcpy(reply.bytes + len, iov[i].iov_base, iov[i].iov_len);
        }
        len += iov[i].iov_len;
    }
    FUZZ_ASSERT(len >= sizeof(reply.header) && reply.header.len == len);
    if (!take_reply(&kernel, &reply.header, reply.bytes + sizeof(reply.header))) {
        errno = ENOENT;
        return -1;
    }
    fuzz_place();
    return (ssize_t)len;
}

/* ---- replies */

static struct asked *find_asked(struct kernel *k, uint64_t unique)
{
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) {
        if (k->asked[i].unique == unique) {
            return &k->asked[i];
        }
    }
    return NULL;
}

static struct fuzz_inode *find_inode(struct kernel *k, uint64_t ino)
{
    for (size_t i = 0; i < k->world.n_inodes; i++) {
        if (k->world.inodes[i].ino == ino) {
            return &k->world.inodes[i];
        }
    }
    return NULL;
}

static void assert_attr(const struct kernel *k, const struct fuse_attr *attr, uint64_t ino)
{
    bool directory = ino == FUSE_ROOT_ID;
    mode_t mode = directory ? S_IFDIR | 0755 : ino == INO_REFRESH ? S_IFREG | 0666 : S_IFREG | 0444;
    (void)k;
    FUZZ_ASSERT(attr->ino == ino && attr->mode == mode && attr->uid == 7 && attr->gid == 8);
    FUZZ_ASSERT(attr->nlink >= 1 && (ino != INO_REFRESH || attr->size == 0));
}

static void
assert_file_attr(struct kernel *k, struct fuzz_inode *inode, const struct fuse_attr *attr)
{
    assert_attr(k, attr, inode->ino);
    fuzz_world_see(&k->world, inode);
    FUZZ_ASSERT(attr->size == (inode->known ? inode->size : 0));
    FUZZ_ASSERT(!inode->known || (attr->mtime == (uint64_t)inode->mtime.tv_sec &&
                                  attr->mtimensec == (uint32_t)inode->mtime.tv_nsec));
}

static void take_entry(struct kernel *k, const struct asked *a, const struct fuse_entry_out *e)
{
    if (a->other_name) {
        FUZZ_ASSERT(e->nodeid == 0); /* no such name */
    } else if (a->ino == INO_REFRESH) {
        FUZZ_ASSERT(e->nodeid == INO_REFRESH);
        assert_attr(k, &e->attr, INO_REFRESH);
    } else {
        struct fuzz_inode *inode =
            fuzz_world_looked_up(&k->world, e->nodeid, a->kind, a->needed_flight);
        FUZZ_ASSERT(a->kind == IRSAFS_KIND_CONFIG || e->entry_valid + e->entry_valid_nsec == 0);
        FUZZ_ASSERT(inode->known || e->attr_valid + e->attr_valid_nsec == 0);
        assert_file_attr(k, inode, &e->attr);
    }
}

static void take_attr(struct kernel *k, const struct asked *a, const struct fuse_attr_out *out)
{
    struct fuzz_inode *inode = find_inode(k, a->ino);
    if (inode != NULL) {
        assert_file_attr(k, inode, &out->attr);
        FUZZ_ASSERT(inode->known);
    } else {
        assert_attr(k, &out->attr, a->ino);
    }
}

static void take_data(struct kernel *k, const struct asked *a, const char *data, size_t len)
{
    struct fuzz_inode *inode = find_inode(k, a->ino);
    if (inode == NULL) {
        FUZZ_ASSERT(a->ino == INO_REFRESH && len == 0);
        return;
    }
    fuzz_world_see(&k->world, inode);
    FUZZ_ASSERT(inode->known);
    size_t left = a->offset < inode->size ? inode->size - (size_t)a->offset : 0;
    FUZZ_ASSERT(len == (left < a->size ? left : a->size));
    FUZZ_ASSERT(len == 0 || memcmp(inode->content + a->offset, data, len) == 0);
}

static void take_names(const struct asked *a, const char *data, size_t len)
{
    static const char *const names[] = {".", "..", "config", "refresh", "status"};
    FUZZ_ASSERT(a->ino == FUSE_ROOT_ID && len <= a->size);
    size_t i = (size_t)a->offset;
    for (size_t at = 0; at < len; i++) {
        struct fuse_dirent entry;
        FUZZ_ASSERT(i < IRSAFS_COUNT(names) && len - at >= FUSE_NAME_OFFSET);
        memcpy(&entry, data + at, FUSE_NAME_OFFSET);
        FUZZ_ASSERT(entry.namelen == strlen(names[i]) && entry.off == i + 1);
        FUZZ_ASSERT(memcmp(data + at + FUSE_NAME_OFFSET, names[i], entry.namelen) == 0);
        at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
    }
}

static bool is_look(uint32_t opcode)
{
    return opcode == FUSE_GETATTR || opcode == FUSE_READ;
}

static void assert_error(struct kernel *k, const struct asked *a, int error)
{
    FUZZ_ASSERT(error < 0 && error > -512);
    FUZZ_ASSERT(!is_look(a->opcode) || find_inode(k, a->ino) != NULL || error == -ESTALE ||
                error == -EINTR);
    FUZZ_ASSERT(error != -EIO && error != -ENOMEM && error != -EAGAIN);
    FUZZ_ASSERT(error != -EINTR || a->interrupted);
    k->world.n_ghosts += error == -EINTR && a->early;
    if (a->mutation) {
        FUZZ_ASSERT(error == -EROFS || error == -ENOSYS || (a->interrupted && error == -EINTR));
    }
    if (is_look(a->opcode) && error == -ESTALE) {
        struct irsafs_entry entry;
        FUZZ_ASSERT(irsafs_core_file(k->world.core, a->ino, k->world.now_ms, &entry) == NULL);
    }
}

static void take_success(struct kernel *k,
                         const struct asked *a,
                         const struct fuse_out_header *header,
                         const char *payload)
{
    union {
        struct fuse_entry_out entry;
        struct fuse_attr_out attr;
        struct fuse_write_out write;
    } out = {.entry = {0}};
    size_t len = header->len - sizeof(*header);
    memcpy(&out, payload, len < sizeof(out) ? len : sizeof(out));
    FUZZ_ASSERT(!a->mutation);
    switch (a->opcode) {
    case FUSE_LOOKUP:
        FUZZ_ASSERT(len == sizeof(out.entry));
        take_entry(k, a, &out.entry);
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        FUZZ_ASSERT(len == sizeof(out.attr));
        take_attr(k, a, &out.attr);
        break;
    case FUSE_WRITE:
        FUZZ_ASSERT(len == sizeof(out.write) && out.write.size == a->size);
        break;
    case FUSE_READ:
        take_data(k, a, payload, len);
        break;
    case FUSE_READDIR:
        take_names(a, payload, len);
        break;
    default:
        break;
    }
}

/* False: nobody waits for it any more, because a worker that is dead has answered. */
static bool take_reply(struct kernel *k, const struct fuse_out_header *header, const char *payload)
{
    struct asked *a = find_asked(k, header->unique);
    FUZZ_ASSERT(header->unique != 0 && header->unique / 2 < UNIQUES_MAX);
    uint16_t *life = &k->life[header->unique / 2];
    if (a == NULL) {
        FUZZ_ASSERT(*life != 0 && *life <= fuzz_deaths());
        FUZZ_ASSERT(header->unique != INIT_UNIQUE || !k->greeted);
        return false;
    }
    *life = (uint16_t)(fuzz_deaths() + 1);
    struct asked copy = *a;
    if (copy.opcode == FUSE_INTERRUPT) { /* "the request is not here (yet)" */
        FUZZ_ASSERT(header->error == -EAGAIN);
        a->unique = 0;
        return true;
    }
    a->unique = 0;
    if (copy.park_id != 0) {
        fuzz_world_answered(&k->world, copy.park_id, header->error == 0);
    }
    if (header->error != 0) {
        assert_error(k, &copy, header->error);
    } else {
        take_success(k, &copy, header, payload);
    }
    return true;
}

/* ---- requests */

static void receive(struct kernel *k)
{
    while (k->n_queued > 0) { /* readv empties it when all are taken */
        bool entered = fuzz_death_enters();
        while (entered && setjmp(fuzz_death_at) != 0) {
            (void)fuzz_death_next();
        }
        FUZZ_ASSERT(irsafs_session_receive(k->session));
        fuzz_death_leaves(entered);
    }
}

static struct request *
begin(struct kernel *k, uint32_t opcode, uint64_t ino, const void *arg, size_t size)
{
    if (k->n_queued == QUEUE_MAX) {
        receive(k);
    }
    struct request *r = &k->queue[k->n_queued++];
    r->header = (struct fuse_in_header){
        .opcode = opcode, .unique = k->last_unique += 2, .nodeid = ino, .uid = 1000, .gid = 1000};
    r->len = sizeof(r->header);
    if (size > 0) {
        memcpy(r->bytes + r->len, arg, size);
    }
    r->len += size;
    r->header.len = (uint32_t)r->len;
    return r;
}

static void append(struct request *r, const void *bytes, size_t len)
{
    FUZZ_ASSERT(r->len + len <= REQUEST_MAX);
    memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
    r->header.len = (uint32_t)r->len;
}

static struct asked *
ask(struct kernel *k, uint32_t opcode, uint64_t ino, const void *arg, size_t size)
{
    struct asked *a = find_asked(k, 0);
    FUZZ_ASSERT(a != NULL);
    const struct request *r = begin(k, opcode, ino, arg, size);
    *a = (struct asked){.unique = r->header.unique,
                        .opcode = opcode,
                        .ino = ino,
                        .needed_flight = k->world.needed_flight};
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) { /* an interrupt may come first */
        const struct asked *early = &k->asked[i];
        a->interrupted = a->interrupted || (early->unique != 0 && early->opcode == FUSE_INTERRUPT &&
                                            early->offset == a->unique);
    }
    a->early = a->interrupted;
    return a;
}

static struct asked *ask_name(
    struct kernel *k, uint32_t opcode, uint64_t ino, const void *arg, size_t n, const char *name)
{
    struct asked *a = ask(k, opcode, ino, arg, n);
    append(&k->queue[k->n_queued - 1], name, strlen(name) + 1);
    return a;
}

/* A request that may wait. */
static void wait_for(struct kernel *k, struct asked *a, enum irsafs_request_kind kind)
{
    struct fuzz_parked *p = fuzz_world_ask(&k->world, kind, a->ino);
    FUZZ_ASSERT(p != NULL);
    a->park_id = p->id;
}

static bool is_full(struct kernel *k)
{
    size_t n = 0;
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) {
        n += k->asked[i].unique != 0 ? 1 : 0;
    }
    return n >= FUZZ_PARKED_MAX - 8 || k->world.n_inodes + QUEUE_MAX >= FUZZ_INODES_MAX;
}

static void lookup(struct kernel *k, uint64_t parent, const char *name, unsigned arg)
{
    static char long_name[300];
    static const char *const others[] = {"credentials", "Config", "config ", ".",      "..", "",
                                         "config\n",    "\xff",   "%s%n",    long_name};
    memset(long_name, 'x', sizeof(long_name) - 1);
    bool other = name == NULL;
    struct asked *a = ask_name(k, FUSE_LOOKUP, parent, NULL, 0,
                               other ? others[arg % IRSAFS_COUNT(others)] : name);
    a->kind = !other && name[0] == 's' ? IRSAFS_KIND_STATUS : IRSAFS_KIND_CONFIG;
    a->ino = !other && name[0] == 'r' ? INO_REFRESH : 0;
    a->other_name = other || parent != FUSE_ROOT_ID; /* a file has no names below it */
}

static void getattr(struct kernel *k, uint64_t ino)
{
    const struct fuse_getattr_in in = {.getattr_flags = 0};
    struct asked *a = ask(k, FUSE_GETATTR, ino, &in, sizeof(in));
    if (find_inode(k, ino) != NULL) {
        wait_for(k, a, IRSAFS_REQUEST_GETATTR);
    }
}

static void read_at(struct kernel *k, uint64_t ino, uint64_t offset, uint32_t size)
{
    const struct fuse_read_in in = {.offset = offset, .size = size};
    struct asked *a = ask(k, FUSE_READ, ino, &in, sizeof(in));
    a->offset = offset;
    a->size = size;
    if (find_inode(k, ino) != NULL) {
        wait_for(k, a, IRSAFS_REQUEST_READ);
    }
}

static void readdir(struct kernel *k, uint64_t ino, uint64_t offset, uint32_t size)
{
    const struct fuse_read_in in = {.offset = offset, .size = size};
    struct asked *a = ask(k, FUSE_READDIR, ino, &in, sizeof(in));
    a->offset = offset;
    a->size = size;
}

static void setattr(struct kernel *k, uint64_t ino, uint32_t valid)
{
    const struct fuse_setattr_in in = {.valid = valid, .size = 0, .mtime = 1};
    struct asked *a = ask(k, FUSE_SETATTR, ino, &in, sizeof(in));
    a->mutation = ino != INO_REFRESH || (valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) != 0;
    if (!a->mutation) {
        wait_for(k, a, IRSAFS_REQUEST_SETATTR);
    }
}

static void write_to(struct kernel *k, uint64_t ino, uint32_t size)
{
    static const char zeros[4096];
    const struct fuse_write_in in = {.size = size};
    struct asked *a = ask(k, FUSE_WRITE, ino, &in, sizeof(in));
    append(&k->queue[k->n_queued - 1], zeros, size);
    a->size = size;
    a->mutation = ino != INO_REFRESH;
    if (!a->mutation) {
        wait_for(k, a, IRSAFS_REQUEST_WRITE);
    }
}

/* What root may try. An argument is a struct of the protocol, zeroed, and two names. */
static void mutate(struct kernel *k, unsigned arg, uint64_t ino)
{
    static const struct {
        uint32_t opcode;
        uint32_t size;
        unsigned n_names;
        bool in_root;
    } kinds[] = {
        {FUSE_MKNOD, sizeof(struct fuse_mknod_in), 1, true},
        {FUSE_MKDIR, sizeof(struct fuse_mkdir_in), 1, true},
        {FUSE_UNLINK, 0, 1, true},
        {FUSE_RMDIR, 0, 1, true},
        {FUSE_SYMLINK, 0, 2, true},
        {FUSE_LINK, sizeof(struct fuse_link_in), 1, true},
        {FUSE_RENAME, sizeof(struct fuse_rename_in), 2, true},
        {FUSE_RENAME2, sizeof(struct fuse_rename2_in), 2, true},
        {FUSE_CREATE, sizeof(struct fuse_create_in), 1, true},
        {FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), 0, false},
        {FUSE_REMOVEXATTR, 0, 1, false},
        {FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in), 0, false},
    };
    static const char zeros[128];
    unsigned i = arg % IRSAFS_COUNT(kinds);
    struct asked *a =
        ask(k, kinds[i].opcode, kinds[i].in_root ? FUSE_ROOT_ID : ino, zeros, kinds[i].size);
    for (unsigned n = 0; n < kinds[i].n_names; n++) {
        append(&k->queue[k->n_queued - 1], n == 0 ? "config" : "other", n == 0 ? 7 : 6);
    }
    a->mutation = true;
}

static void question(struct kernel *k, unsigned arg, uint64_t ino)
{
    static const struct {
        uint32_t opcode;
        uint32_t size;
        bool named;
    } kinds[] = {
        {FUSE_OPEN, sizeof(struct fuse_open_in), false},
        {FUSE_OPENDIR, sizeof(struct fuse_open_in), false},
        {FUSE_STATFS, 0, false},
        {FUSE_ACCESS, sizeof(struct fuse_access_in), false},
        {FUSE_READLINK, 0, false},
        {FUSE_LISTXATTR, sizeof(struct fuse_getxattr_in), false},
        {FUSE_GETXATTR, sizeof(struct fuse_getxattr_in), true},
        {FUSE_IOCTL, sizeof(struct fuse_ioctl_in), false},
        {FUSE_POLL, sizeof(struct fuse_poll_in), false},
        {FUSE_LSEEK, sizeof(struct fuse_lseek_in), false},
        {FUSE_FLUSH, sizeof(struct fuse_flush_in), false},
        {FUSE_FSYNC, sizeof(struct fuse_fsync_in), false},
        {FUSE_GETLK, sizeof(struct fuse_lk_in), false},
        {FUSE_SYNCFS, sizeof(struct fuse_syncfs_in), false},
        {9999, 0, false}, /* a kernel of the future */
    };
    static const char zeros[128];
    unsigned i = arg % IRSAFS_COUNT(kinds);
    (void)ask(k, kinds[i].opcode, ino, zeros, kinds[i].size);
    if (kinds[i].named) {
        append(&k->queue[k->n_queued - 1], "user.x", 7);
    }
}

static void interrupt(struct kernel *k, uint64_t unique)
{
    const struct fuse_interrupt_in in = {.unique = unique};
    struct asked *target = unique != 0 ? find_asked(k, unique) : NULL;
    bool waits = target != NULL && target->opcode != FUSE_INTERRUPT;
    if (is_full(k)) {
        return;
    }
    ask(k, FUSE_INTERRUPT, 0, &in, sizeof(in))->offset = unique;
    if (target != NULL) {
        target->interrupted = true;
    }
    k->n_interrupts++;
    receive(k);
    FUZZ_ASSERT(!waits || find_asked(k, unique) == NULL);
}

static void interrupt_waiting(struct kernel *k, unsigned arg)
{
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) {
        const struct asked *a = &k->asked[(i + arg) % IRSAFS_COUNT(k->asked)];
        if (a->unique != 0 && a->opcode != FUSE_INTERRUPT) {
            interrupt(k, a->unique);
            return;
        }
    }
}

static void forget(struct kernel *k, struct fuzz_inode *inode, uint64_t n)
{
    if (inode == NULL || n == 0 || inode->n_lookups < n ||
        fuzz_world_in_use(&k->world, inode->ino)) {
        return;
    }
    const struct fuse_forget_in in = {.nlookup = n};
    inode->n_lookups -= n;
    (void)begin(k, FUSE_FORGET, inode->ino, &in, sizeof(in));
}

static void forget_all(struct kernel *k)
{
    size_t done = 0;
    while (done < k->world.n_inodes) {
        struct fuse_batch_forget_in in = {.count = 0};
        struct request *r = begin(k, FUSE_BATCH_FORGET, 0, &in, sizeof(in));
        for (; done < k->world.n_inodes && in.count < 100; done++) {
            struct fuzz_inode *inode = &k->world.inodes[done];
            const struct fuse_forget_one one = {.nodeid = inode->ino, .nlookup = inode->n_lookups};
            if (inode->n_lookups > 0 && !fuzz_world_in_use(&k->world, inode->ino)) {
                append(r, &one, sizeof(one));
                in.count++;
                inode->n_lookups = 0;
            }
        }
        memcpy(r->bytes + sizeof(r->header), &in, sizeof(in));
    }
}

/* ---- the daemon's part */

static void take_answers(void *user)
{
    struct kernel *k = user;
    bool entered = fuzz_death_enters();
    while (entered && setjmp(fuzz_death_at) != 0) {
        (void)fuzz_death_next();
    }
    irsafs_session_answer(k->session);
    fuzz_death_leaves(entered);
}

static struct irsafs_str render_status(void *user)
{
    static char text[64];
    struct kernel *k = user;
    int len = snprintf(text, sizeof(text), "{\"n\":%llu}\n", (unsigned long long)++k->n_status);
    return (struct irsafs_str){text, (size_t)len};
}

/* What libfuse has allocated for the requests of a worker: dies with it. */
static struct {
    const volatile void *at[1024];
    size_t n;
    bool notes;
} memory;

static void on_malloc(const volatile void *at, size_t size)
{
    (void)size;
    if (memory.notes && memory.n < IRSAFS_COUNT(memory.at)) {
        memory.at[memory.n++] = at;
    }
}

static void on_free(const volatile void *at)
{
    for (size_t i = memory.n; i > 0 && at != NULL; i--) {
        if (memory.at[i - 1] == at) {
            memory.at[i - 1] = memory.at[--memory.n];
            return;
        }
    }
}

void __real_fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf);
void __wrap_fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf);
void __wrap_fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
    memory.notes = true;
    __real_fuse_session_process_buf(se, buf);
    memory.notes = false;
}

static void bury(struct kernel *k)
{
    memory.notes = false;
    while (memory.n > 0) {
        free((void *)(uintptr_t)memory.at[--memory.n]);
    }
    k->session = irsafs_session_free(k->session);
}

/* As fs/worker/worker.c does it. */
static void start_worker(struct kernel *k)
{
    const struct irsafs_session_settings settings = {.core = k->world.core,
                                                     .journal = &k->world.block->journal,
                                                     .give_back = fuzz_block_give_back,
                                                     .render_status = render_status,
                                                     .user = k,
                                                     .uid = 7,
                                                     .gid = 8,
                                                     .config_mode = 0444,
                                                     .refresh_mode = 0666};
    struct irsafs_error err;
    FUZZ_ASSERT(irsafs_session_new(&settings, FUSE_FD, &k->session, &err) == IRSAFS_OK);
    FUZZ_ASSERT(irsafs_session_hello(k->session, &err) == IRSAFS_OK);
    FUZZ_ASSERT(irsafs_session_facts(k->session).protocol_minor == 31);
    k->greeted = true;
}

static struct irsafs_core *take_over(void *user)
{
    struct kernel *k = user;
    bury(k);
    fuzz_world_move(&k->world);
    start_worker(k);
    irsafs_core_take_over(k->world.core);
    irsafs_core_told(k->world.core, k->world.told);
    (void)irsafs_session_replay(k->session);
    return k->world.core;
}

/* While it sleeps. */
static void die(void)
{
    bool entered = fuzz_death_enters();
    (void)setjmp(fuzz_death_at);
    (void)fuzz_death_next();
    fuzz_death_leaves(entered);
}

/* Nothing is under way but what waits. */
static void assert_counts(struct kernel *k)
{
    uint64_t lookups = 0;
    uint32_t waiting = 0;
    for (size_t i = 0; i < k->world.n_inodes; i++) {
        lookups += k->world.inodes[i].n_lookups;
    }
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) {
        waiting += k->asked[i].unique != 0 && k->asked[i].opcode != FUSE_INTERRUPT;
    }
    struct irsafs_files_usage usage = irsafs_core_view(k->world.core, k->world.now_ms).usage;
    FUZZ_ASSERT(usage.n_lookups == lookups);
    uint32_t used = irsafs_session_facts(k->session).slots_used;
    FUZZ_ASSERT(used >= waiting && used <= waiting + k->world.n_ghosts);
}

static void settle(struct kernel *k)
{
    receive(k);
    fuzz_world_settle(&k->world);
    assert_counts(k);
}

/* ---- the program */

static void ask_step(struct kernel *k, char letter, unsigned arg)
{
    static const uint32_t touches[] = {FATTR_MTIME | FATTR_ATIME, FATTR_SIZE, FATTR_MTIME_NOW};
    static const uint32_t changes[] = {FATTR_MODE, FATTR_UID, FATTR_GID | FATTR_MTIME};
    struct fuzz_inode *inode = fuzz_world_inode(&k->world, arg);
    uint64_t ino = inode != NULL ? inode->ino : arg % 2 == 0 ? FUSE_ROOT_ID : FOREIGN_INO;
    switch (letter) {
    case 'c':
        lookup(k, FUSE_ROOT_ID, "config", 0);
        break;
    case 's':
        lookup(k, FUSE_ROOT_ID, "status", 0);
        break;
    case 'e':
        lookup(k, FUSE_ROOT_ID, "refresh", 0);
        break;
    case 'n':
        lookup(k, FUSE_ROOT_ID, NULL, arg);
        break;
    case 'p':
        if (inode != NULL) {
            lookup(k, ino, "config", 0);
        }
        break;
    case 'g':
        getattr(k, arg == 9 ? INO_REFRESH : ino);
        break;
    case 'r':
        read_at(k, ino, 0, 4096);
        break;
    case 'R':
        read_at(k, arg != 9 ? ino : INO_REFRESH, (uint64_t)arg * 37, arg * 11);
        break;
    case 'd':
        readdir(k, FUSE_ROOT_ID, arg % 8, 4096);
        break;
    case 'D':
        readdir(k, FUSE_ROOT_ID, arg % 3, arg * 16);
        break;
    case 't':
        setattr(k, INO_REFRESH, touches[arg % IRSAFS_COUNT(touches)]);
        break;
    case 'w':
        write_to(k, INO_REFRESH, arg);
        break;
    case 'T':
        if (arg % 2 == 0) {
            setattr(k, INO_REFRESH, changes[arg / 2 % IRSAFS_COUNT(changes)]);
        } else {
            setattr(k, ino, FATTR_SIZE);
        }
        break;
    case 'm':
        mutate(k, arg, ino);
        break;
    case '?':
        question(k, arg, ino);
        break;
    default:
        break;
    }
}

static void event_step(struct kernel *k, char letter, unsigned arg)
{
    struct fuzz_world *w = &k->world;
    struct fuzz_inode *inode = fuzz_world_inode(w, arg);
    receive(k);
    switch (letter) {
    case 'i':
        interrupt_waiting(k, arg);
        break;
    case 'I':
        interrupt(k, arg % 2 == 0 ? k->last_unique + 2 * arg + 2 : k->last_unique - 2);
        break;
    case 'f':
        forget(k, inode, 1);
        break;
    case 'o':
        forget(k, inode, inode != NULL ? inode->n_lookups : 0);
        break;
    case 'b':
        forget_all(k);
        break;
    case 'G':
        fuzz_world_land_good(w, arg);
        break;
    case 'B':
        fuzz_world_land_bad(w, arg);
        break;
    case 'a':
        fuzz_world_told(w, w->tell - (arg < w->tell ? arg : w->tell));
        break;
    case 'F':
        w->fail_at_once = true;
        break;
    case '+':
        fuzz_world_pass(w, fuzz_world_duration_ms(arg));
        break;
    case 'k':
        fuzz_world_pass(w, w->next_tick_ms < INT64_MAX ? w->next_tick_ms - w->now_ms : 0);
        break;
    case 'K':
        fuzz_death_arm(arg + 1);
        break;
    case 'u':
        fuzz_death_rehearse();
        break;
    case 'Z':
        die();
        break;
    case 'q':
        k->together = arg % 32 + 1;
        break;
    case '!':
        fuzz_world_stop(w);
        break;
    default:
        break;
    }
}

static void say_hello(struct kernel *k)
{
    const struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
                                    .minor = 31,
                                    .max_readahead = 131072,
                                    .flags = (FUSE_INIT_EXT - 1U)};
    (void)ask(k, FUSE_INIT, 0, &in, sizeof(in));
}

static void start_first_worker(struct kernel *k, unsigned variant)
{
    if (variant >= 10) {
        fuzz_death_arm(variant - 9);
    }
    bool entered = fuzz_death_enters();
    if (setjmp(fuzz_death_at) == 0) {
        start_worker(k);
    } else {
        (void)fuzz_death_next(); /* which may come here again */
    }
    fuzz_death_leaves(entered);
}

static void init(struct kernel *k, unsigned variant)
{
    static bool hooked;
    if (!hooked) {
        hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
        FUZZ_ASSERT(hooked);
    }
    memset(k->asked, 0, sizeof(k->asked));
    memset(k->life, 0, sizeof(k->life));
    k->n_queued = k->n_read = 0;
    k->last_unique = 0;
    k->together = 0;
    k->n_interrupts = 0;
    k->greeted = false;
    fuzz_death_init(take_over, k);
    fuzz_world_init(&k->world, variant);
    k->world.answer = take_answers;
    k->world.user = k;
    say_hello(k);
    start_first_worker(k, variant);
    k->n_queued = k->n_read = 0;
    settle(k);
}

static void end(struct kernel *k)
{
    settle(k);
    fuzz_death_disarm();
    fuzz_world_told(&k->world, k->world.tell);
    fuzz_world_pass(&k->world, 6000);
    fuzz_world_told(&k->world, k->world.tell);
    settle(k);
    for (size_t i = 0; i < IRSAFS_COUNT(k->asked); i++) {
        FUZZ_ASSERT(k->asked[i].unique == 0 || k->asked[i].opcode == FUSE_INTERRUPT);
    }
    k->world.n_ghosts = 0; /* have had their time too */
    settle(k);
    forget_all(k);
    /* libfuse holds interrupts of what it does not know until other requests come. */
    for (unsigned n = k->n_interrupts; n > 0; n--) {
        getattr(k, FUSE_ROOT_ID);
        settle(k);
    }
    settle(k);
    struct irsafs_files_usage usage = irsafs_core_view(k->world.core, k->world.now_ms).usage;
    FUZZ_ASSERT(usage.n_lookups == 0 && usage.inodes <= IRSAFS_KINDS);
    k->session = irsafs_session_free(k->session);
    memory.n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kernel *k = &kernel;
    struct irsafs_str program = {(const char *)data, size};
    struct fuzz_step s;
    bool more = fuzz_next_step(&program, letters, &s);
    init(k, more && letters[s.op] == 'v' ? s.arg : 0);
    for (; more; more = fuzz_next_step(&program, letters, &s)) {
        char letter = letters[s.op];
        if (strchr("csenpgrRdDtwTm?", letter) == NULL) {
            event_step(k, letter, s.arg);
        } else if (!is_full(k)) {
            ask_step(k, letter, s.arg);
        }
        k->together -= k->together > 0 ? 1 : 0;
        if (k->together == 0) {
            settle(k);
        }
    }
    end(k);
    return 0;
}
