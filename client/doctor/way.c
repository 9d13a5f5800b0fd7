/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/options.h"
#include "client/daemon.h"
#include "client/doctor/checks.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static enum irsafs_way way_of(const char *mode)
{
    return mode == NULL                ? IRSAFS_WAY_MOUNT
           : strcmp(mode, "file") == 0 ? IRSAFS_WAY_FILE
           : strcmp(mode, "fd") == 0   ? IRSAFS_WAY_FD
                                       : IRSAFS_WAY_MOUNT;
}

/* In another container the number is somebody else's, or nobody's. */
static bool is_irsafs(int64_t pid)
{
    char path[48];
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf name = IRSAFS_BUF_INIT(64);
    (void)snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)pid);
    return irsafs_file_read(path, &name) == 0 && name.len == 7 &&
           memcmp(name.data, "irsafs\n", 7) == 0;
}

bool irsafs_doctor_is_sidecar(void)
{
    return is_irsafs(1);
}

/* What irsafs says of itself counts; without it, what the container's variables make of it. */
void irsafs_doctor_way(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf json = IRSAFS_BUF_INIT(IRSAFS_STATUS_MAX);
    struct irsafs_error err;
    const char *mode = irsafs_env("IRSAFS_MODE");
    bool is_sidecar = mode != NULL || irsafs_env("IRSAFS_FD_SOCKET") != NULL;
    b->way = way_of(mode == NULL && is_sidecar ? "fd" : mode);
    b->here = is_sidecar;
    if (irsafs_daemon_status_control(d->request->daemon, &json, &err) != IRSAFS_OK) {
        return;
    }
    json_t *doc = irsafs_daemon_parse((struct irsafs_str){json.data, json.len});
    if (doc != NULL) {
        b->way = way_of(json_string_value(json_object_get(doc, "mode")));
        b->here = is_sidecar || is_irsafs(json_integer_value(json_object_get(doc, "pid")));
    }
    json_decref(doc);
}
