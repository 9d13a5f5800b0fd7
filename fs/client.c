/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/client.h"

#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "irsafs-client"

static bool is_executable(const char *path, char ret_path[PATH_MAX])
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL || access(real, X_OK) != 0) {
        return false;
    }
    memcpy(ret_path, real, sizeof(real));
    return true;
}

static bool beside_us(char ret_path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return false;
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL || (size_t)(slash + 1 - self) + sizeof(NAME) > sizeof(self)) {
        return false;
    }
    memcpy(slash + 1, NAME, sizeof(NAME));
    return is_executable(self, ret_path);
}

static bool in_path(char ret_path[PATH_MAX])
{
    const char *dirs = irsafs_env("PATH");
    while (dirs != NULL && *dirs != '\0') {
        int len = (int)strcspn(dirs, ":");
        char candidate[PATH_MAX];
        int n = snprintf(candidate, sizeof(candidate), "%.*s/%s", len, dirs, NAME);
        if (len > 0 && n > 0 && (size_t)n < sizeof(candidate) &&
            is_executable(candidate, ret_path)) {
            return true;
        }
        dirs += len + (dirs[len] == ':' ? 1 : 0);
    }
    return false;
}

enum irsafs_code
irsafs_client_find(const char *given, char ret_path[PATH_MAX], struct irsafs_error *err)
{
    if (given != NULL) {
        return is_executable(given, ret_path)
                   ? IRSAFS_OK
                   : irsafs_error_set(err, IRSAFS_E_BAD_FLAG_VALUE,
                                      "--client %s cannot be executed: %s", given,
                                      strerrordesc_np(errno));
    }
    if (beside_us(ret_path) || in_path(ret_path)) {
        return IRSAFS_OK;
    }
    return irsafs_error_set(err, IRSAFS_E_CLIENT_START,
                            NAME " is neither beside irsafs nor in PATH");
}
