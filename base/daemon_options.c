/* SPDX-License-Identifier: Apache-2.0 */
#include "base/daemon_options.h"

#include "base/url.h"

#include <stdio.h>
#include <string.h>

static const char default_mountpoint[] = "/var/run/.aws";

static const struct irsafs_option options[] = {
    {.name = "control",
     .env = "IRSAFS_CONTROL",
     .type = IRSAFS_OPT_STRING,
     .offset = offsetof(struct irsafs_daemon_settings, control),
     .arg = "ADDR:PORT",
     .shown_default = IRSAFS_DEFAULT_CONTROL,
     .help = "control endpoint of irsafs, asked first;\noff: only the mount is asked"},
    {.name = "mountpoint",
     .type = IRSAFS_OPT_STRING,
     .offset = offsetof(struct irsafs_daemon_settings, mountpoint),
     .arg = "DIR",
     .shown_default = "directory of AWS_CONFIG_FILE,\n"
                      "                                 else /var/run/.aws",
     .help = "mount point of irsafs, asked second"},
};

const struct irsafs_option_table irsafs_which_options = {
    .title = "Which irsafs",
    .options = options,
    .n_options = IRSAFS_COUNT(options),
};

struct irsafs_option_table irsafs_daemon_options(struct irsafs_daemon_settings *settings)
{
    *settings = (struct irsafs_daemon_settings){.control = IRSAFS_DEFAULT_CONTROL};
    struct irsafs_option_table table = irsafs_which_options;
    table.settings = settings;
    return table;
}

/* HOST:PORT and nothing else. */
static bool is_address(const char *value)
{
    char text[320];
    struct irsafs_url url;
    int n = snprintf(text, sizeof(text), "http://%s", value);
    if (n <= 0 || (size_t)n >= sizeof(text) || strpbrk(value, "/?") != NULL ||
        !irsafs_url_parse(text, &url)) {
        return false;
    }
    const char *rest = url.host.ptr + url.host.len;
    return rest[0] == ':' || (rest[0] == ']' && rest[1] == ':');
}

enum irsafs_code irsafs_daemon_settings_check(const struct irsafs_daemon_settings *settings,
                                              struct irsafs_error *err)
{
    if (strcmp(settings->control, "off") == 0 || is_address(settings->control)) {
        return IRSAFS_OK;
    }
    bool from_environment = irsafs_env("IRSAFS_CONTROL") == settings->control;
    return irsafs_error_set(err, from_environment ? IRSAFS_E_BAD_VALUE : IRSAFS_E_BAD_FLAG_VALUE,
                            "%s '%.64s' is not ADDR:PORT or off",
                            from_environment ? "IRSAFS_CONTROL" : "--control", settings->control);
}

void irsafs_default_mountpoint(char ret_path[PATH_MAX])
{
    const char *file = irsafs_env("AWS_CONFIG_FILE");
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    size_t len = slash != NULL ? (size_t)(slash - file) : 0;
    if (len > 0 && len < PATH_MAX) {
        memcpy(ret_path, file, len);
        ret_path[len] = '\0';
    } else {
        memcpy(ret_path, default_mountpoint, sizeof(default_mountpoint));
    }
}
