/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* mountinfo writes blank, tab, newline and backslash as \ooo (proc(5)). In place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' &&
                     from[3] != '\0';
        if (octal) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Reads a line of mountinfo, "36 35 98:0 /root MOUNTPOINT options [tags] - TYPE source options", and
 * says whether it is a mount on path. Takes the line apart. */
static bool read_layer(char *line, const char *path, struct irsafs_layer *ret_layer)
{
    struct irsafs_layer layer = {.type = ""};
    char *type = strstr(line, " - ");
    if (type != NULL) {
        type[1] = '\0'; /* the tags end here */
        type += 3;
        (void)snprintf(layer.type, sizeof(layer.type), "%.*s", (int)strcspn(type, " \n"), type);
    }
    char *fields[5] = {0};
    for (size_t i = 0; i < IRSAFS_COUNT(fields); i++) {
        fields[i] = strsep(&line, " ");
    }
    if (fields[4] == NULL) {
        return false;
    }
    unescape(fields[4]);
    layer.id = (int)strtol(fields[0], NULL, 10);
    layer.parent = (int)strtol(fields[1], NULL, 10);
    layer.ours = strcmp(layer.type, IRSAFS_FSTYPE) == 0;
    layer.shared = line != NULL && strstr(line, " shared:") != NULL;
    layer.follows = line != NULL && strstr(line, " master:") != NULL;
    *ret_layer = layer;
    return strcmp(fields[4], path) == 0;
}

int irsafs_layers_read(const char *path,
                       struct irsafs_layer layers[IRSAFS_LAYERS_MAX],
                       size_t *ret_n)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) {
        return errno;
    }
    size_t n = 0;
    char *line = NULL;
    size_t size = 0;
    while (n < IRSAFS_LAYERS_MAX && getline(&line, &size, file) > 0) {
        n += read_layer(line, path, &layers[n]) ? 1 : 0;
    }
    bool whole = n == IRSAFS_LAYERS_MAX || feof(file) != 0;
    free(line);
    (void)fclose(file);
    if (!whole) {
        return ENOMEM;
    }
    *ret_n = n;
    return 0;
}

bool irsafs_layer_is_bare(int id)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) {
        return false;
    }
    bool found = false;
    bool covered = false;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        struct irsafs_layer layer = {.id = -1, .parent = -1};
        (void)read_layer(line, "", &layer);
        found = found || (layer.ours && layer.id == id);
        covered = covered || layer.parent == id;
    }
    bool whole = feof(file) != 0;
    free(line);
    (void)fclose(file);
    return whole && found && !covered;
}

const struct irsafs_layer *irsafs_layers_top(const struct irsafs_layer *layers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool covered = false;
        for (size_t k = 0; k < n; k++) {
            covered = covered || layers[k].parent == layers[i].id;
        }
        if (!covered) {
            return &layers[i];
        }
    }
    return NULL;
}
