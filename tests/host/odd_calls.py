# SPDX-License-Identifier: Apache-2.0
"""Odd calls on a mounted irsafs: `odd_calls.py MOUNTPOINT SCRATCH` prints {name: outcome} as JSON.

An outcome is the name of an errno, or "ok", or "ok: " and what was seen where that matters. Each call
runs in a child of its own, so that none finds what another left behind and a signal is an outcome too.
"""
from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import select
import signal
import socket
import stat
import struct
import sys

DIR, SCRATCH = sys.argv[1], sys.argv[2]
CONFIG, STATUS, REFRESH = f"{DIR}/config", f"{DIR}/status", f"{DIR}/refresh"
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
O_TMPFILE = os.O_DIRECTORY | 0o20000000
CALLS: dict = {}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(name: str):
    def add(function):
        assert name not in CALLS, name
        CALLS[name] = function
        return function

    return add


def check(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def c(function: str, *args) -> int:
    """A function of libc; a failure is an OSError."""
    wrapped = [a.encode() if isinstance(a, str) else ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return check(getattr(libc, function)(*wrapped))


def content() -> bytes:
    with open(CONFIG, "rb") as file:
        return file.read()


def whole(fd: int) -> str:
    """Reads to the end and says whether that was the text."""
    data = b""
    while True:
        more = os.read(fd, 1 << 16)
        if not more:
            return "the text" if data == content() else f"{len(data)} other bytes"
        data += more


# ---- open, with every flag

for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_NOATIME", "O_SYNC", "O_DSYNC", "O_ASYNC", "O_NOFOLLOW", "O_NOCTTY",
             "O_LARGEFILE", "O_DIRECT", "O_APPEND", "O_EXCL"):
    call(f"open config O_RDONLY|{flag}")(lambda f=flag: whole(os.open(CONFIG, os.O_RDONLY | getattr(os, f))))
for flag in ("O_WRONLY", "O_RDWR", "O_WRONLY|O_APPEND", "O_RDWR|O_DIRECT", "O_RDWR|O_SYNC"):
    bits = 0
    for word in flag.split("|"):
        bits |= getattr(os, word)
    call(f"open config {flag}")(lambda b=bits: os.open(CONFIG, b) and None)
    call(f"open status {flag}")(lambda b=bits: os.open(STATUS, b) and None)
for target in (CONFIG, STATUS):
    for mode in ("O_RDONLY", "O_WRONLY", "O_RDWR"):
        call(f"open {os.path.basename(target)} {mode}|O_TRUNC")(
            lambda t=target, m=mode: os.open(t, getattr(os, m) | os.O_TRUNC) and None)
call("open config O_DIRECTORY")(lambda: os.open(CONFIG, os.O_DIRECTORY))
call("open config O_CREAT")(lambda: whole(os.open(CONFIG, os.O_RDONLY | os.O_CREAT, 0o600)))
call("open config O_CREAT|O_EXCL")(lambda: os.open(CONFIG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
call("open config O_PATH")(lambda: os.fstat(os.open(CONFIG, os.O_PATH)).st_size == len(content()) or "wrong size")
call("read from O_PATH")(lambda: os.read(os.open(CONFIG, os.O_PATH), 1))
call("open with access mode 3")(lambda: os.open(CONFIG, 3) and None)
call("open directory O_WRONLY")(lambda: os.open(DIR, os.O_WRONLY))
call("open directory O_TMPFILE")(lambda: os.open(DIR, os.O_RDWR | O_TMPFILE, 0o600))
call("open directory O_CREAT")(lambda: os.open(DIR, os.O_RDONLY | os.O_CREAT, 0o600))
call("creat a new name")(lambda: os.open(f"{DIR}/new", os.O_WRONLY | os.O_CREAT, 0o600))
call("reopen through /proc/self/fd")(lambda: whole(os.open(f"/proc/self/fd/{os.open(CONFIG, os.O_PATH)}", os.O_RDONLY)))
call("openat2 RESOLVE_CACHED|BENEATH")(lambda: whole(openat2(0x20 | 0x08)))
call("openat2 RESOLVE_NO_XDEV")(lambda: whole(openat2(0x01)))


def openat2(resolve: int) -> int:
    how = struct.pack("QQQ", os.O_RDONLY, 0, resolve)
    return check(libc.syscall(437, os.open(DIR, os.O_PATH), b"config", how, len(how)))


# ---- reading

@call("read in pieces of one byte")
def _():
    fd = os.open(CONFIG, os.O_RDONLY)
    data = b"".join(iter(lambda: os.read(fd, 1), b""))
    return "the text" if data == content() else "other bytes"


@call("pread everywhere")
def _():
    text, fd = content(), os.open(CONFIG, os.O_RDONLY)
    size = len(text)
    for offset in (0, 1, size // 2, size - 1, size, size + 1, 4096, 1 << 20, 1 << 31, 1 << 32, 1 << 62):
        for length in (0, 1, 7, 4096, 1 << 20):
            if os.pread(fd, length, offset) != text[offset : offset + length]:
                return f"wrong at {offset}+{length}"
    return "the text"


call("pread at 2^63-1")(lambda: os.pread(os.open(CONFIG, os.O_RDONLY), 1, (1 << 63) - 1) and None)
call("pread at -1")(lambda: os.pread(os.open(CONFIG, os.O_RDONLY), 1, -1))
call("pread into bad memory")(lambda: c("pread", os.open(CONFIG, os.O_RDONLY), 1, 10, 0))
call("preadv with 1024 buffers")(lambda: "%d" % (
    os.preadv(os.open(CONFIG, os.O_RDONLY), [bytearray(1) for _ in range(1024)], 0) == min(1024, len(content()))))
call("preadv2 RWF_NOWAIT after a read")(lambda: "%d" % (
    content() == bytes(os.pread(nowait_fd(), 1 << 16, 0))))


def nowait_fd() -> int:
    fd = os.open(CONFIG, os.O_RDONLY)
    buffer = bytearray(1 << 16)
    whole(fd)
    n = os.preadv(fd, [buffer], 0, os.RWF_NOWAIT)
    assert buffer[:n] == content()
    return fd


def seek(target: str, offset: int, whence: int) -> int:
    return os.lseek(os.open(target, os.O_RDONLY), offset, whence)


call("lseek SEEK_DATA 0")(lambda: f"{seek(CONFIG, 0, os.SEEK_DATA)}")
call("lseek SEEK_HOLE 0")(lambda: "size" if seek(CONFIG, 0, os.SEEK_HOLE) == len(content()) else "wrong")
call("lseek SEEK_HOLE in the middle")(lambda: "size" if seek(CONFIG, 100, os.SEEK_HOLE) == len(content()) else "wrong")
call("lseek SEEK_DATA at the end")(lambda: seek(CONFIG, len(content()), os.SEEK_DATA))
call("lseek SEEK_END")(lambda: "size" if seek(CONFIG, 0, os.SEEK_END) == len(content()) else "wrong")
call("lseek SEEK_END of refresh")(lambda: f"{seek(REFRESH, 0, os.SEEK_END)}")
call("lseek SEEK_HOLE of refresh")(lambda: seek(REFRESH, 0, os.SEEK_HOLE))
call("lseek -1")(lambda: seek(CONFIG, -1, os.SEEK_SET))
call("lseek to 2^63-1")(lambda: seek(CONFIG, (1 << 63) - 1, os.SEEK_SET) and None)
call("lseek with whence 99")(lambda: seek(CONFIG, 0, 99))


@call("read after lseek far beyond the end")
def _():
    fd = os.open(CONFIG, os.O_RDONLY)
    os.lseek(fd, 1 << 40, os.SEEK_SET)
    return f"{os.read(fd, 10)!r}"


@call("mmap shared, read only")
def _():
    with open(CONFIG, "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        return "the text" if m[:] == content() else "other bytes"


@call("mmap private, written")
def _():
    with open(CONFIG, "rb") as file:
        m = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        m[0:1] = b"X"
        return "own copy" if content()[:1] != b"X" else "the text was changed"


def mapped_byte(target: str, offset: int) -> int:
    """A byte of a mapping that lies beyond the end of the file, which mmap.mmap would not make."""
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, os.open(target, os.O_RDONLY), ctypes.c_long(offset))
    return ctypes.string_at(address, 1)[0]


call("mmap beyond the end")(lambda: mapped_byte(CONFIG, 1 << 20))


call("mmap PROT_EXEC")(lambda: mmap.mmap(
    os.open(CONFIG, os.O_RDONLY), 100, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_EXEC) and None)
call("mmap shared and writable on a read only handle")(lambda: mmap.mmap(
    os.open(CONFIG, os.O_RDONLY), 100, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) and None)
call("mmap of refresh")(lambda: mapped_byte(REFRESH, 0))
call("posix_fadvise")(lambda: [os.posix_fadvise(os.open(CONFIG, os.O_RDONLY), 0, 0, a) for a in range(6)] and None)
call("readahead")(lambda: c("readahead", os.open(CONFIG, os.O_RDONLY), 0, 4096) and None)
call("sync_file_range")(lambda: c("sync_file_range", os.open(CONFIG, os.O_RDONLY), 0, 0, 7) and None)
call("fsync")(lambda: os.fsync(os.open(CONFIG, os.O_RDONLY)))
call("fdatasync")(lambda: os.fdatasync(os.open(STATUS, os.O_RDONLY)))
call("fsync of the directory")(lambda: os.fsync(os.open(DIR, os.O_RDONLY)))
call("syncfs")(lambda: c("syncfs", os.open(CONFIG, os.O_RDONLY)) and None)
call("fsync of refresh")(lambda: os.fsync(os.open(REFRESH, os.O_RDONLY)))


@call("poll, select and epoll say readable")
def _():
    fd, epoll, poll = os.open(CONFIG, os.O_RDONLY), select.epoll(), select.poll()
    epoll.register(fd, select.EPOLLIN)
    poll.register(fd, select.POLLIN)
    return f"{len(epoll.poll(5))} {len(poll.poll(5000))} {len(select.select([fd], [], [], 5)[0])}"


# ---- moving bytes between files

def out(move) -> str:
    """What a call moves from config into a file of ours."""
    target = os.open(f"{SCRATCH}/{os.getpid()}", os.O_RDWR | os.O_CREAT, 0o600)
    moved = move(os.open(CONFIG, os.O_RDONLY), target)
    return "the text" if os.pread(target, 1 << 20, 0) == content() else f"other bytes, {moved}"


def through_pipe(source: int, target: int) -> None:
    r, w = os.pipe()
    while os.splice(source, w, 1 << 16):
        os.splice(r, target, 1 << 16)


def into(move):
    """A call that moves bytes of ours into config, on a handle that root may open."""
    source = os.open(f"{SCRATCH}/{os.getpid()}", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(source, b"x" * 100)
    os.lseek(source, 0, os.SEEK_SET)
    return move(source, os.open(CONFIG, os.O_RDWR))


def splice_in(source: int, target: int) -> int:
    r, w = os.pipe()
    os.write(w, b"x" * 100)
    return os.splice(r, target, 100)


call("sendfile out")(lambda: out(lambda s, t: os.sendfile(t, s, 0, 1 << 20)))
call("splice out")(lambda: out(through_pipe))
call("copy_file_range out")(lambda: out(lambda s, t: os.copy_file_range(s, t, 1 << 20)))
call("FICLONE out")(lambda: out(lambda s, t: fcntl.ioctl(t, 0x40049409, s)))
call("sendfile in")(lambda: into(lambda s, t: os.sendfile(t, s, 0, 100)))
call("splice in")(lambda: into(splice_in))
call("copy_file_range in")(lambda: into(lambda s, t: os.copy_file_range(s, t, 100)))
call("copy_file_range within")(lambda: os.copy_file_range(os.open(STATUS, os.O_RDONLY), os.open(CONFIG, os.O_RDWR), 9))
call("FICLONE in")(lambda: into(lambda s, t: fcntl.ioctl(t, 0x40049409, s)))


# ---- writing, on a handle that root may open

def rw(target: str = CONFIG, flags: int = 0) -> int:
    return os.open(target, os.O_RDWR | flags)


call("write")(lambda: os.write(rw(), b"x"))
call("write to status")(lambda: os.write(rw(STATUS), b"x"))
call("write of nothing")(lambda: f"{os.write(rw(), b'')}")
call("append")(lambda: os.write(rw(flags=os.O_APPEND), b"x"))
call("pwrite beyond the end")(lambda: os.pwrite(rw(), b"x", 1 << 20))
call("pwritev")(lambda: os.pwritev(rw(), [b"a", b"b"], 0))
call("write O_SYNC")(lambda: os.write(rw(flags=os.O_SYNC), b"x"))


@call("write O_DIRECT")
def _():
    with mmap.mmap(-1, 4096) as page:
        return os.write(rw(flags=os.O_DIRECT), page)


call("ftruncate to nothing")(lambda: os.ftruncate(rw(), 0))
call("ftruncate to the same size")(lambda: os.ftruncate(rw(), len(content())))
call("ftruncate to more")(lambda: os.ftruncate(rw(), 1 << 20))
call("truncate")(lambda: os.truncate(CONFIG, 5))
call("truncate status")(lambda: os.truncate(STATUS, 5))
call("truncate to -1")(lambda: os.truncate(CONFIG, -1))
call("truncate the directory")(lambda: os.truncate(DIR, 0))
for mode, name in ((0, "plain"), (1, "KEEP_SIZE"), (3, "PUNCH_HOLE"), (8, "COLLAPSE"), (16, "ZERO"), (32, "INSERT"),
                   (64, "UNSHARE")):
    call(f"fallocate {name}")(lambda m=mode: c("fallocate", rw(), m, 0, 4096) and None)
call("fallocate on a read only handle")(lambda: c("fallocate", os.open(CONFIG, os.O_RDONLY), 0, 0, 1) and None)

# ---- attributes

call("chmod")(lambda: os.chmod(CONFIG, 0o666))
call("chmod status")(lambda: os.chmod(STATUS, 0o666))
call("chmod refresh")(lambda: os.chmod(REFRESH, 0o600))
call("chmod directory")(lambda: os.chmod(DIR, 0o777))
call("fchmod on a read only handle")(lambda: os.fchmod(os.open(CONFIG, os.O_RDONLY), 0o600))
call("chmod to the same mode")(lambda: os.chmod(CONFIG, stat.S_IMODE(os.stat(CONFIG).st_mode)))
call("chown")(lambda: os.chown(CONFIG, 1, 1))
call("chown to oneself")(lambda: os.chown(CONFIG, os.getuid(), os.getgid()))
call("chown of the directory")(lambda: os.chown(DIR, 1, 1))
call("utime")(lambda: os.utime(CONFIG))
call("utime to a date")(lambda: os.utime(CONFIG, (1, 1)))
call("utime of status")(lambda: os.utime(STATUS))
call("utime of the directory")(lambda: os.utime(DIR))
call("futimens on a handle")(lambda: os.utime(os.open(CONFIG, os.O_RDONLY)))
call("utimensat UTIME_OMIT")(lambda: c(
    "utimensat", AT_FDCWD, CONFIG, struct.pack("qqqq", 0, (1 << 30) - 2, 0, (1 << 30) - 2), 0) and None)
for name in ("user.x", "trusted.x", "security.capability", "security.selinux", "system.posix_acl_access"):
    call(f"setxattr {name}")(lambda n=name: os.setxattr(CONFIG, n, b"1"))
    call(f"getxattr {name}")(lambda n=name: os.getxattr(CONFIG, n) and None)
call("listxattr")(lambda: f"{os.listxattr(CONFIG)}")
call("removexattr")(lambda: os.removexattr(CONFIG, "user.x"))
call("setxattr on refresh")(lambda: os.setxattr(REFRESH, "user.x", b"1"))
call("setxattr on the directory")(lambda: os.setxattr(DIR, "user.x", b"1"))
call("statx with every mask")(lambda: [
    c("statx", AT_FDCWD, CONFIG, flags, mask, ctypes.create_string_buffer(256))
    for mask in (0, 0x7FF, 0xFFF, 0x7FFFFFFF) for flags in (0, 0x2000, 0x4000, 0x100)] and None)
call("statx with a reserved mask")(lambda: c("statx", AT_FDCWD, CONFIG, 0, 1 << 31, ctypes.create_string_buffer(256)))
call("statfs")(lambda: f"{os.statvfs(CONFIG).f_namemax}")
call("access R_OK")(lambda: f"{os.access(CONFIG, os.R_OK)}")
call("access X_OK")(lambda: f"{os.access(CONFIG, os.X_OK)}")
call("access W_OK of refresh")(lambda: f"{os.access(REFRESH, os.W_OK)}")

# ---- ioctl, fcntl, locks

IOCTLS = {
    "TCGETS": 0x5401, "FIBMAP": 1, "FIGETBSZ": 2, "FS_IOC_GETFLAGS": 0x80086601, "FS_IOC_SETFLAGS": 0x40086602,
    "FS_IOC_FSGETXATTR": 0x801C581F, "FS_IOC_FSSETXATTR": 0x401C5820, "FS_IOC_FIEMAP": 0xC020660B,
    "FS_IOC_GETVERSION": 0x80087601, "FIFREEZE": 0xC0045877, "FITHAW": 0xC0045878, "FITRIM": 0xC0185879,
    "BLKGETSIZE64": 0x80081272, "FS_IOC_ENABLE_VERITY": 0x40806685, "FS_IOC_SET_ENCRYPTION_POLICY": 0x800C6613,
    "FIDEDUPERANGE": 0xC0189436, "FS_IOC_GETFSLABEL": 0x81009431, "FUSE_DEV_IOC_CLONE": 0x8004E500,
    "of no meaning": 0x5A5A,
}
for name, number in IOCTLS.items():
    call(f"ioctl {name}")(lambda n=number: fcntl.ioctl(os.open(CONFIG, os.O_RDONLY), n, bytearray(512)) and None)
call("ioctl on the directory")(lambda: fcntl.ioctl(os.open(DIR, os.O_RDONLY), 0x80086601, bytearray(8)))
call("ioctl on refresh")(lambda: fcntl.ioctl(os.open(REFRESH, os.O_RDONLY), 0x5401, bytearray(64)))
call("ioctl FIONREAD")(lambda: "size" if struct.unpack("i", fcntl.ioctl(
    os.open(CONFIG, os.O_RDONLY), 0x541B, bytes(4)))[0] == len(content()) else "wrong")
call("flock shared")(lambda: fcntl.flock(os.open(CONFIG, os.O_RDONLY), fcntl.LOCK_SH))
call("flock exclusive")(lambda: fcntl.flock(os.open(CONFIG, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
call("lockf shared")(lambda: fcntl.lockf(os.open(CONFIG, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB))
call("lockf exclusive on a read only handle")(lambda: fcntl.lockf(
    os.open(CONFIG, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
call("F_SETLEASE read")(lambda: fcntl.fcntl(os.open(CONFIG, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK) and None)
call("F_NOTIFY on the directory")(lambda: fcntl.fcntl(os.open(DIR, os.O_RDONLY), fcntl.F_NOTIFY, 0) and None)
call("F_SETPIPE_SZ")(lambda: fcntl.fcntl(os.open(CONFIG, os.O_RDONLY), 1031, 4096))
call("F_ADD_SEALS")(lambda: fcntl.fcntl(os.open(CONFIG, os.O_RDONLY), 1033, 15))
call("F_SETFL O_NONBLOCK|O_DIRECT|O_APPEND")(lambda: fcntl.fcntl(
    os.open(CONFIG, os.O_RDONLY), fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT | os.O_APPEND) and None)
call("name_to_handle_at")(lambda: handle(0) and None)
call("name_to_handle_at AT_HANDLE_FID")(lambda: handle(0x200) and None)
call("open_by_handle_at")(lambda: whole(open_handle()))
call("inotify_add_watch")(lambda: c("inotify_add_watch", libc.inotify_init(), CONFIG, 0xFFF) and None)


def handle(flags: int) -> ctypes.Array:
    buffer = ctypes.create_string_buffer(struct.pack("II", 128, 0), 200)
    c("name_to_handle_at", AT_FDCWD, CONFIG, buffer, ctypes.byref(ctypes.c_int()), flags)
    return buffer


def open_handle() -> int:
    content()
    return c("open_by_handle_at", os.open(DIR, os.O_RDONLY), handle(0), os.O_RDONLY)


# ---- names

call("unlink config")(lambda: os.unlink(CONFIG))
call("unlink refresh")(lambda: os.unlink(REFRESH))
call("unlink a missing name")(lambda: os.unlink(f"{DIR}/missing"))
call("rmdir config")(lambda: os.rmdir(CONFIG))
call("rmdir of the mount point")(lambda: os.rmdir(DIR))
call("rename config")(lambda: os.rename(CONFIG, f"{DIR}/other"))
call("rename status over config")(lambda: os.rename(STATUS, CONFIG))
call("rename config onto itself")(lambda: os.rename(CONFIG, CONFIG))
call("rename out of the mount")(lambda: os.rename(CONFIG, f"{SCRATCH}/config"))
for flags, name in ((1, "NOREPLACE"), (2, "EXCHANGE"), (4, "WHITEOUT")):
    call(f"renameat2 {name}")(lambda f=flags: c("renameat2", AT_FDCWD, CONFIG, AT_FDCWD,
                                                STATUS if f == 2 else f"{DIR}/other", f) and None)
call("rename of the mount point")(lambda: os.rename(DIR, f"{DIR}x"))
call("link config")(lambda: os.link(CONFIG, f"{DIR}/other"))
call("link out of the mount")(lambda: os.link(CONFIG, f"{SCRATCH}/other"))
call("linkat AT_EMPTY_PATH")(lambda: c("linkat", os.open(CONFIG, os.O_PATH), "", AT_FDCWD, f"{DIR}/other", AT_EMPTY_PATH))
call("symlink")(lambda: os.symlink("config", f"{DIR}/other"))
call("symlink over config")(lambda: os.symlink("x", CONFIG))
call("readlink config")(lambda: os.readlink(CONFIG))
call("mkdir")(lambda: os.mkdir(f"{DIR}/other"))
call("mkdir over config")(lambda: os.mkdir(CONFIG))
for kind, name in ((stat.S_IFREG, "file"), (stat.S_IFIFO, "FIFO"), (stat.S_IFSOCK, "socket")):
    call(f"mknod of a {name}")(lambda k=kind: os.mknod(f"{DIR}/other", k | 0o600))
call("mknod of a device")(lambda: os.mknod(f"{DIR}/other", stat.S_IFCHR | 0o600, os.makedev(1, 3)))
call("bind a socket")(lambda: socket.socket(socket.AF_UNIX).bind(f"{DIR}/s"))
call("execute config")(lambda: os.execv(CONFIG, ["config"]))
call("chdir into config")(lambda: os.chdir(CONFIG))
call("chdir into the directory")(lambda: os.chdir(DIR))
call("chroot into the directory")(lambda: os.chroot(DIR))
call("swapon")(lambda: c("swapon", CONFIG, 0))

NAMES = {
    "255 bytes": "x" * 255, "256 bytes": "x" * 256, "4000 bytes": "x" * 4000, "5000 bytes": "x" * 5000,
    "byte 0xff": "\udcff", "newline": "a\nb", "..x": "..x", "CONFIG": "CONFIG", "config and a blank": "config ",
    "config/": "config/", "config/.": "config/.", "config/x": "config/x", "escape": "\x1b[2J", ".live": ".live",
    "umlaut": "cönfig", ".hidden": ".fuse_hidden0001", "percent": "%s%n", "backslash": "\\config",
}
for name, text in NAMES.items():
    call(f"stat of {name}")(lambda t=text: os.stat(f"{DIR}/{t}") and None)
call("stat of nothing")(lambda: os.stat(""))
call("stat of ./config")(lambda: os.stat(f"{DIR}/./config") and None)
call("stat of //config")(lambda: os.stat(f"{DIR}//config") and None)
call("stat of ../NAME/config")(lambda: os.stat(f"{DIR}/../{os.path.basename(DIR)}/config") and None)
call("create of 256 bytes")(lambda: os.open(f"{DIR}/{'x' * 256}", os.O_CREAT | os.O_WRONLY, 0o600))

# ---- the directory

call("read of the directory")(lambda: os.read(os.open(DIR, os.O_RDONLY), 100))
call("write to the directory")(lambda: os.write(os.open(DIR, os.O_RDONLY), b"x"))


def getdents(fd: int, size: int) -> list:
    """One getdents64 with a buffer of that size: the names with their cookies."""
    buffer = ctypes.create_string_buffer(size)
    n = check(libc.syscall(217, fd, buffer, size))
    found, at = [], 0
    while at < n:
        _, cookie, length, _ = struct.unpack_from("QqHB", buffer.raw, at)
        found.append((buffer.raw[at + 19 : at + length].split(b"\0")[0].decode(), cookie))
        at += length
    return found


def walk(size: int) -> list:
    fd, found = os.open(DIR, os.O_RDONLY), []
    while True:
        more = getdents(fd, size)
        if not more:
            return found
        found += more


for size in (32, 64, 100, 4096, 1 << 20):
    call(f"getdents with {size} bytes")(lambda s=size: " ".join(name for name, _ in walk(s)))
call("getdents with 24 bytes")(lambda: walk(24))
call("getdents with no buffer")(lambda: walk(0))


@call("seekdir to every cookie")
def _():
    fd = os.open(DIR, os.O_RDONLY)
    entries = getdents(fd, 4096)
    for i, (_, cookie) in enumerate(entries):
        os.lseek(fd, cookie, os.SEEK_SET)
        if getdents(fd, 4096) != entries[i + 1 :]:
            return f"wrong after {entries[i]}"
    os.lseek(fd, 0, os.SEEK_SET)
    return "same" if getdents(fd, 4096) == entries else "wrong after rewind"


@call("seekdir to nowhere")
def _():
    fd, found = os.open(DIR, os.O_RDONLY), []
    for offset in (6, 1000, 1 << 31, 1 << 40, (1 << 63) - 1):
        os.lseek(fd, offset, os.SEEK_SET)
        found += getdents(fd, 4096)
    return f"{found}"


call("seekdir to -1")(lambda: os.lseek(os.open(DIR, os.O_RDONLY), -1, os.SEEK_SET))


# ---- running them

def outcome(function) -> str:
    try:
        seen = function()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok" if seen is None or seen is True or isinstance(seen, int) and seen == 0 else f"ok: {seen}"


def in_child(function) -> str:
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)               # the default action: an outcome of its own
        try:
            said = outcome(function)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(w, said.encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else said


print(json.dumps({name: in_child(function) for name, function in CALLS.items()}, indent=1))
