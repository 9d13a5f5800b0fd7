/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/file.h"
#include "client/daemon.h"
#include "client/doctor/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTART "restart the sidecar: a start of irsafs replaces the dead mount"
#define MUTATION                                                                                   \
    "the mutation mounts the volume: restart its webhook (domsed), then start the run anew"
#define NO_NEED_FILE "not needed: file mode"
#define NO_NEED_FD   "not needed: fd mode, the driver has mounted it"
#define PROPAGATE                                                                                  \
    "mountPropagation: HostToContainer on this container's volume mount, Bidirectional in the "    \
    "sidecar's"

/* ---- facts */

static size_t count_own(const struct irsafs_layer *layers, size_t n)
{
    size_t n_own = 0;
    for (size_t i = 0; i < n; i++) {
        n_own += layers[i].ours ? 1 : 0;
    }
    return n_own;
}

/* Layout subdir: config is a link, and the mount is where it leads. */
static bool is_subdir(const char *mountpoint, char ret_live[PATH_MAX])
{
    char config[PATH_MAX + 8];
    char target[16];
    (void)snprintf(config, sizeof(config), "%s/config", mountpoint);
    ssize_t len = readlink(config, target, sizeof(target));
    size_t room = PATH_MAX - strlen("/.live");
    return len == 12 && memcmp(target, ".live/config", 12) == 0 && strlen(mountpoint) < room &&
           snprintf(ret_live, PATH_MAX, "%.*s/.live", (int)room, mountpoint) > 0;
}

/* Mode fd: the driver has mounted it, under a type of its own. */
static bool is_handed(const struct irsafs_doctor *d, const struct irsafs_layer *top)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf json = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    struct irsafs_error err;
    return !top->ours && strncmp(top->type, "fuse", 4) == 0 &&
           irsafs_daemon_status_files(d->request->daemon, &json, &err) == IRSAFS_OK;
}

void irsafs_doctor_survey(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    struct irsafs_layer layers[IRSAFS_LAYERS_MAX];
    char given[PATH_MAX];
    struct statx st;
    b->sidecar = irsafs_doctor_is_sidecar();
    irsafs_daemon_mountpoint(d->request->daemon, given);
    (void)snprintf(b->mountpoint, sizeof(b->mountpoint), "%s", given);
    (void)snprintf(b->files, sizeof(b->files), "%s", given);
    char *real = realpath(given, NULL); /* opens nothing, so asks nobody */
    if (real == NULL) {
        b->mountpoint_errnum = errno;
        return;
    }
    (void)snprintf(b->mountpoint, sizeof(b->mountpoint), "%s", real);
    free(real);
    size_t n = 0;
    (void)snprintf(b->files, sizeof(b->files), "%s", b->mountpoint);
    b->mountpoint_errnum = irsafs_layers_read(b->files, layers, &n);
    b->n_own_layers = count_own(layers, n);
    if (b->n_own_layers == 0 && is_subdir(b->mountpoint, b->files) && b->mountpoint_errnum == 0) {
        b->mountpoint_errnum = irsafs_layers_read(b->files, layers, &n);
        b->n_own_layers = count_own(layers, n);
    }
    const struct irsafs_layer *top = irsafs_layers_top(layers, n);
    if (top == NULL) {
        return;
    }
    b->top = *top;
    b->n_layers = n;
    if (is_handed(d, top)) {
        b->n_own_layers++;
        b->life = IRSAFS_LIFE_ALIVE;
        b->way = IRSAFS_WAY_FD;
    } else if (top->ours) {
        b->life = IRSAFS_LIFE_SILENT; /* until it answers */
        int r = statx(AT_FDCWD, b->files, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st);
        bool dead = r != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
        b->life = dead ? IRSAFS_LIFE_DEAD : IRSAFS_LIFE_ALIVE;
    }
}

/* Mode fd: in the container of irsafs nothing is seen of the mount, and nothing need be. */
static bool is_elsewhere(const struct irsafs_board *b)
{
    return b->way == IRSAFS_WAY_FD && b->here && b->life == IRSAFS_LIFE_NONE;
}

/* ---- checks */

void irsafs_doctor_settings(struct irsafs_doctor *d)
{
    struct irsafs_error err = {.message = ""};
    enum irsafs_code code = irsafs_client_settings_check(d->request->client_table, &err);
    if (code == IRSAFS_OK) {
        code = irsafs_daemon_settings_check(d->request->daemon, &err);
    }
    if (code == IRSAFS_OK) {
        irsafs_board_ok(d->board, "flags and variables are well-formed");
    } else {
        irsafs_board_error(d->board, IRSAFS_LEVEL_FAIL, &err);
    }
}

void irsafs_doctor_fuse(struct irsafs_doctor *d)
{
    if (d->board->way == IRSAFS_WAY_FILE) {
        irsafs_board_ok(d->board, NO_NEED_FILE);
        return;
    }
    if (d->board->way == IRSAFS_WAY_FD) {
        irsafs_board_ok(d->board, "not needed: fd mode, the driver opens it");
        return;
    }
    IRSAFS_CLEANUP(irsafs_fd_closep) int fd = irsafs_fuse_open(0);
    if (fd >= 0) {
        irsafs_board_ok(d->board, "/dev/fuse opens");
    } else if (d->board->life == IRSAFS_LIFE_ALIVE) {
        irsafs_board_ok(d->board, "no /dev/fuse, and none needed: the mount is there");
    } else {
        /* Only root can mount: whoever is not, is in a container that shall see a mount. */
        irsafs_board_note(d->board, geteuid() == 0 ? IRSAFS_LEVEL_FAIL : IRSAFS_LEVEL_WARN,
                          "the sidecar needs the device (a device plugin, or privileged); in "
                          "other containers this is no fault",
                          "/dev/fuse: %s", strerrordesc_np(errno));
    }
}

static void explain_no_mount(const struct irsafs_board *b, char ret_text[192])
{
    struct stat st;
    char config[PATH_MAX];
    int n = snprintf(config, sizeof(config), "%s/config", b->mountpoint);
    bool there = n > 0 && (size_t)n < sizeof(config) && stat(config, &st) == 0;
    (void)snprintf(ret_text, 192, "no irsafs is mounted on %.80s%s%.31s%s", b->files,
                   b->n_layers > 0 ? " but " : "", b->n_layers > 0 ? b->top.type : "",
                   !there ? ""
                   : strcmp(b->files, b->mountpoint) != 0
                       ? "; its config is the last good text"
                       : "; its config is a plain file of somebody else");
}

/* Mode file: in place of a mount. */
static void judge_folder(struct irsafs_board *b)
{
    struct stat st;
    char config[PATH_MAX + 8];
    (void)snprintf(config, sizeof(config), "%s/config", b->mountpoint);
    int errnum = lstat(config, &st) == 0 ? 0 : errno;
    if (b->here && faccessat(AT_FDCWD, b->mountpoint, W_OK | X_OK, AT_EACCESS) != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, irsafs_code_remedy(IRSAFS_E_NOT_WRITABLE),
                          "file mode, but %.120s cannot be written as user %u: %s", b->mountpoint,
                          (unsigned)geteuid(), strerrordesc_np(errno));
    } else if (errnum != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                          "see 'daemon', and that this container has the sidecar's volume",
                          "file mode, but %.150s: %s", config, strerrordesc_np(errnum));
    } else if (!S_ISREG(st.st_mode)) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, "touch refresh: irsafs puts its file there",
                          "file mode, but %.150s is no regular file", config);
    } else {
        irsafs_board_ok(b, NO_NEED_FILE "; %.150s is there", config);
    }
}

void irsafs_doctor_mount(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    char text[192];
    if (is_elsewhere(b)) {
        irsafs_board_ok(b, NO_NEED_FD " for the other containers");
        return;
    }
    if (b->mountpoint_errnum != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, MUTATION, "%.150s: %s", b->mountpoint,
                          strerrordesc_np(b->mountpoint_errnum));
        return;
    }
    if (b->way == IRSAFS_WAY_FILE) {
        judge_folder(b);
        return;
    }
    switch (b->life) {
    case IRSAFS_LIFE_NONE:
        explain_no_mount(b, text);
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                          b->n_own_layers > 0
                              ? "unmount what covers it"
                              : "see that the sidecar runs, and 'propagation'; without a mount: "
                                "irsafs-client > FILE",
                          "%s", text);
        return;
    case IRSAFS_LIFE_DEAD:
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, RESTART, "the irsafs of %.150s was killed",
                          b->files);
        return;
    case IRSAFS_LIFE_SILENT:
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, irsafs_code_remedy(IRSAFS_E_SILENT),
                          "the irsafs of %.150s does not answer", b->mountpoint);
        return;
    case IRSAFS_LIFE_ALIVE:
        break;
    }
    if (b->n_own_layers > 1) {
        irsafs_board_note(
            b, IRSAFS_LEVEL_FAIL, "unmount all but one, and see what starts a second irsafs",
            "%zu irsafs lie on top of each other on %.150s", b->n_own_layers, b->mountpoint);
        return;
    }
    irsafs_board_ok(b, "%.180s: one irsafs, alive", b->mountpoint);
}

/* ---- the daemon behind it */

static const char *text_of(const json_t *doc, const char *key)
{
    const char *text = json_string_value(json_object_get(doc, key));
    return text != NULL ? text : "?";
}

static const char *remedy_of(const json_t *error)
{
    const char *code = text_of(error, "code");
    const char *digits = strstr(code, "-E");
    return irsafs_code_remedy(
        irsafs_code_from_number(digits != NULL ? strtol(digits + 2, NULL, 10) : 0));
}

static void judge_status(struct irsafs_board *b, const json_t *doc, const char *source)
{
    const char *state = text_of(doc, "state");
    const json_t *error = json_object_get(doc, "error");
    bool stale = json_is_true(json_object_get(doc, "stale"));
    bool none = strcmp(state, "none") == 0;
    if (none || stale || json_is_object(error)) {
        irsafs_board_note(b, none ? IRSAFS_LEVEL_FAIL : IRSAFS_LEVEL_WARN, remedy_of(error),
                          "%s: %.150s (%.16s)",
                          none    ? "it has nothing to serve"
                          : stale ? "it serves an old text"
                                  : "its last fetch failed",
                          text_of(error, "message"), text_of(error, "code"));
        return;
    }
    irsafs_board_ok(b, "%.20s%s (asked %s)", state,
                    strcmp(state, "empty") == 0 ? ": nobody has looked at config yet" : "", source);
}

static void judge_file(struct irsafs_board *b, const json_t *file)
{
    const char *error = json_string_value(json_object_get(file, "error"));
    if (error != NULL) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          "see that its folder has room and may be written to",
                          "what it has is not in its file: %.150s", error);
    }
}

static void judge_endpoint(struct irsafs_board *b, const json_t *control)
{
    if (strcmp(text_of(control, "state"), "taken") == 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          "end who listens there ('ss -ltnp'), or choose another --control; irsafs "
                          "tries again by itself",
                          "its port %.60s is taken by somebody else", text_of(control, "address"));
    }
}

void irsafs_doctor_daemon(struct irsafs_doctor *d)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf json = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    struct irsafs_error err = {.message = ""};
    enum irsafs_daemon_source source = IRSAFS_DAEMON_FILES;
    struct irsafs_board *b = d->board;
    if (irsafs_daemon_status(d->request->daemon, &json, &source, &err) != IRSAFS_OK) {
        irsafs_board_error(b, IRSAFS_LEVEL_FAIL, &err);
        return;
    }
    json_t *doc = irsafs_daemon_parse((struct irsafs_str){json.data, json.len});
    if (doc == NULL) {
        (void)irsafs_error_set(&err, IRSAFS_E_MEMORY, "no memory for the status");
        irsafs_board_error(b, IRSAFS_LEVEL_FAIL, &err);
        return;
    }
    (void)snprintf(b->served, sizeof(b->served), "%s", text_of(doc, "mountpoint"));
    judge_status(b, doc,
                 source == IRSAFS_DAEMON_CONTROL ? "over its endpoint" : "through its mount");
    judge_file(b, json_object_get(doc, "file"));
    judge_endpoint(b, json_object_get(doc, "control"));
    json_decref(doc);
}

/* ---- other containers */

/* The mount that path lies in. False: not to be found. */
static bool find_mount_around(char path[PATH_MAX], struct irsafs_layer *ret_layer)
{
    struct irsafs_layer layers[IRSAFS_LAYERS_MAX];
    for (;;) {
        size_t n = 0;
        if (irsafs_layers_read(path, layers, &n) != 0) {
            return false;
        }
        const struct irsafs_layer *top = irsafs_layers_top(layers, n);
        if (top != NULL) {
            *ret_layer = *top;
            return true;
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL || strcmp(path, "/") == 0) {
            return false;
        }
        slash[slash == path ? 1 : 0] = '\0';
    }
}

void irsafs_doctor_propagation(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    if (b->way == IRSAFS_WAY_FILE) {
        irsafs_board_ok(b, NO_NEED_FILE);
        return;
    }
    if (b->way == IRSAFS_WAY_FD && (b->here || b->life != IRSAFS_LIFE_NONE)) {
        irsafs_board_ok(b, NO_NEED_FD);
        return;
    }
    if (b->life != IRSAFS_LIFE_NONE) {
        if (b->top.shared || b->top.follows) {
            irsafs_board_ok(b, "the mount is %s",
                            b->top.follows ? "received from another container" : "shared");
        } else {
            irsafs_board_note(b, IRSAFS_LEVEL_WARN, PROPAGATE,
                              "private: after a restart others see nothing or a dead mount");
        }
        return;
    }
    if (b->served[0] == '\0') {
        irsafs_board_note(b, IRSAFS_LEVEL_NOT_TRIED, "", "not tried: no irsafs is seen");
        return;
    }
    char path[PATH_MAX];
    struct irsafs_layer around = {.type = ""};
    (void)snprintf(path, sizeof(path), "%s", b->files);
    bool found = find_mount_around(path, &around);
    irsafs_board_note(
        b, IRSAFS_LEVEL_FAIL,
        b->way == IRSAFS_WAY_FD ? "mount the driver's volume in this container" : PROPAGATE,
        "irsafs serves %.100s, but not seen from this container%s", b->served,
        found && !around.follows && !around.shared ? ": its volume is private here" : "");
}

/* ---- who may read and touch */

/* As the kernel decides it, from attributes that it has: asking for new ones could start a fetch. */
static bool may_read(const struct statx *st)
{
    gid_t groups[256];
    int n = getgroups((int)IRSAFS_COUNT(groups), groups);
    if (geteuid() == 0) {
        return true;
    }
    if (st->stx_uid == geteuid()) {
        return (st->stx_mode & 0400U) != 0;
    }
    bool member = st->stx_gid == getegid();
    for (int i = 0; i < n; i++) {
        member = member || st->stx_gid == groups[i];
    }
    return (st->stx_mode & (member ? 0040U : 0004U)) != 0;
}

void irsafs_doctor_access(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    struct statx st = {0};
    if (is_elsewhere(b)) {
        irsafs_board_note(b, IRSAFS_LEVEL_NOT_TRIED, "", "not tried: the files are elsewhere");
        return;
    }
    IRSAFS_CLEANUP(irsafs_fd_closep)
    int dir = open(b->files, O_PATH | O_DIRECTORY | O_CLOEXEC);
    IRSAFS_CLEANUP(irsafs_fd_closep)
    int fd = dir >= 0 ? openat(dir, "config", O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                          "see --uid, --gid and --config-mode of irsafs mount", "config: %s",
                          strerrordesc_np(errno));
    } else if (!may_read(&st)) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                          "see --uid, --gid and --config-mode of irsafs mount",
                          "config (%u:%u %04o) is closed to %u:%u: SDKs find no profile",
                          st.stx_uid, st.stx_gid, st.stx_mode & 07777U, geteuid(), getegid());
    } else if (faccessat(dir, "refresh", W_OK, AT_EACCESS) != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          errno == EROFS ? "let the volume be writable here (readOnly: false)"
                                         : "see --refresh-mode of irsafs mount",
                          "config can be read, but refresh not touched: %s",
                          strerrordesc_np(errno));
    } else {
        irsafs_board_ok(b, "%u:%u can read config and touch refresh", geteuid(), getegid());
    }
}
