/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/notifier/notifier.h"

#include "base/attr.h"
#include "base/log.h"
#include "fs/core/place.h"
#include "fs/shared/confine.h"
#include "fs/shared/handed.h"

#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOTIFY_INC_EPOCH = 8 /* FUSE_NOTIFY_INC_EPOCH; linux/fuse.h has it since 6.16 */ };

static int write_inval_entry(void)
{
    static const char name[] = "config";
    struct {
        struct fuse_out_header header;
        struct fuse_notify_inval_entry_out entry;
        char name[sizeof(name)];
    } __attribute__((packed)) m = {
        .header = {.len = sizeof(m), .error = FUSE_NOTIFY_INVAL_ENTRY},
        .entry = {.parent = FUSE_ROOT_ID, .namelen = sizeof(name) - 1},
    };
    memcpy(m.name, name, sizeof(name));
    /* ENOENT: the kernel has no such name cached, which is what we want. */
    return write(IRSAFS_HANDED_FUSE, &m, sizeof(m)) < 0 && errno != ENOENT ? errno : 0;
}

static int write_inc_epoch(void)
{
    struct fuse_out_header m = {.len = sizeof(m), .error = NOTIFY_INC_EPOCH};
    return write(IRSAFS_HANDED_FUSE, &m, sizeof(m)) < 0 ? errno : 0;
}

/* False when the connection is gone. */
static bool notify(struct irsafs_bell *bell)
{
    atomic_store(&bell->busy, 1);
    int error = atomic_load(&bell->epoch) != 0 ? write_inc_epoch() : EINVAL;
    if (error == EINVAL) {
        error = write_inval_entry();
    }
    atomic_store(&bell->busy, 0);
    bool gone = error == ENODEV || error == ENOTCONN || error == EPERM;
    if (error != 0 && !gone) {
        atomic_store(&bell->error, (uint32_t)error); /* the supervisor says so */
        atomic_fetch_add(&bell->failures, 1);
    }
    return !gone;
}

static void serve(struct irsafs_bell *bell)
{
    const uint64_t one = 1;
    uint64_t rings;
    for (;;) {
        /* What was asked for before the write is done after it; also for a notifier that died. */
        uint64_t tell = atomic_load(&bell->tell);
        if (tell == atomic_load(&bell->told)) {
            if (read(IRSAFS_HANDED_RING, &rings, sizeof(rings)) < 0 && errno != EINTR) {
                return;
            }
            continue;
        }
        if (!notify(bell)) {
            return;
        }
        irsafs_place(IRSAFS_PLACE_NOTIFIED);
        atomic_store(&bell->told, tell);
        if (write(IRSAFS_HANDED_TOLD, &one, sizeof(one)) < 0 && errno != EAGAIN) {
            return;
        }
    }
}

int irsafs_notifier_main(int argc, char **argv)
{
    static const int ignored[] = {SIGHUP,  SIGINT,  SIGTERM, SIGUSR1,
                                  SIGUSR2, SIGPIPE, SIGTTOU, SIGXFSZ};
    struct irsafs_sandbox_report report;
    struct irsafs_error err;
    (void)prctl(PR_SET_NAME, "irsafs-notifier");
    for (size_t i = 0; i < IRSAFS_COUNT(ignored); i++) {
        (void)signal(ignored[i], SIG_IGN); /* these are for the supervisor, which ends us */
    }
    struct irsafs_bell *bell =
        mmap(NULL, sizeof(*bell), PROT_READ | PROT_WRITE, MAP_SHARED, IRSAFS_HANDED_BELL, 0);
    enum irsafs_sandbox_mode mode = IRSAFS_SANDBOX_REQUIRED;
    enum irsafs_log_format format;
    if (bell == MAP_FAILED || !irsafs_sandbox_mode_parse(argv[1], &mode)) {
        (void)irsafs_error_set(&err, IRSAFS_E_USAGE, "irsafs notifier is started by irsafs mount");
        return irsafs_error_report("irsafs", &err);
    }
    if (argc > 2 && irsafs_log_format_parse(argv[2], &format)) {
        irsafs_log_set_format(format);
    }
    irsafs_log_take_stderr();
    irsafs_places_open();
    if (irsafs_confine_notifier(mode, &report, &err) != IRSAFS_OK) {
        irsafs_log(IRSAFS_LOG_ERROR, "notifier_failed", IRSAFS_LOG_CODE("code", err.code),
                   IRSAFS_LOG_TEXT("error", err.message));
        return err.code == IRSAFS_E_SANDBOX ? IRSAFS_STATUS_NOT_CONFINED
                                            : irsafs_code_exit_status(err.code);
    }
    serve(bell);
    return 0;
}
