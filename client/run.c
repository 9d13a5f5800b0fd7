/* SPDX-License-Identifier: Apache-2.0 */
#include "client/run.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "client/labels.h"

#include <errno.h>
#include <string.h>

enum { EXECUTION_ID, NAME, INSTANCE, WORKLOAD_TYPE, N_LABELS };

struct labels {
    struct irsafs_label of[N_LABELS];
};

static const struct labels wanted = {{
    [EXECUTION_ID] = {.key = "dominodatalab.com/execution-id"},
    [NAME] = {.key = "app.kubernetes.io/name"},
    [INSTANCE] = {.key = "app.kubernetes.io/instance"},
    [WORKLOAD_TYPE] = {.key = "dominodatalab.com/irsa-workload-type"},
}};

/* Run ids and label values have the same form on the wire. */
static bool take(char to[64], const char *from)
{
    size_t len = strlen(from);
    if (!irsafs_is_run_id(from, len)) {
        return false;
    }
    memcpy(to, from, len + 1);
    return true;
}

/* *ret_missing: there is no such file. */
static enum irsafs_code read_labels(const char *path,
                                    struct labels *ret_labels,
                                    bool *ret_missing,
                                    struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf buf = IRSAFS_BUF_INIT(IRSAFS_LABELS_MAX);
    *ret_missing = false;
    int errnum = irsafs_file_read(path, &buf);
    if (errnum != 0) {
        *ret_missing = errnum == ENOENT;
        char reason[IRSAFS_FILE_REASON_SIZE];
        irsafs_file_reason(path, errnum, "irsafs-client", reason);
        return irsafs_error_set(err, IRSAFS_E_LABELS, "labels file %.100s: %s", path, reason);
    }
    return irsafs_labels_parse((struct irsafs_str){buf.data, buf.len}, ret_labels->of, N_LABELS,
                               err);
}

/* The id that the labels give; false when they give none. */
static enum irsafs_code id_from_labels(const struct labels *labels,
                                       struct irsafs_run *run,
                                       bool *ret_found,
                                       struct irsafs_error *err)
{
    for (size_t i = EXECUTION_ID; i <= INSTANCE; i++) {
        const struct irsafs_label *label = &labels->of[i];
        bool has_prefix = strncmp(label->value, "run-", 4) == 0;
        if (label->value[0] == '\0' || (i != EXECUTION_ID && !has_prefix)) {
            continue; /* in a cluster's pod the name is that of the cluster's kind */
        }
        if (!take(run->id, label->value + (has_prefix ? 4 : 0))) {
            return irsafs_error_set(err, IRSAFS_E_LABELS, "label %s does not hold a run id",
                                    label->key);
        }
        run->from = label->key;
        *ret_found = true;
        return IRSAFS_OK;
    }
    *ret_found = false;
    return IRSAFS_OK;
}

/* labels: the file that does not have it, NULL: none was looked at. */
static enum irsafs_code
id_from_environment(const char *labels, struct irsafs_run *run, struct irsafs_error *err)
{
    const char *value = irsafs_env("DOMINO_RUN_ID");
    if (value == NULL && labels != NULL) {
        return irsafs_error_set(err, IRSAFS_E_NO_RUN_ID,
                                "labels file %.90s has no %s, and no run id is set", labels,
                                wanted.of[EXECUTION_ID].key);
    }
    if (value == NULL) {
        return irsafs_error_set(err, IRSAFS_E_NO_RUN_ID,
                                "neither labels nor settings say which run this is");
    }
    if (!take(run->id, value)) {
        return irsafs_error_set(err, IRSAFS_E_BAD_VALUE, "DOMINO_RUN_ID is not a run id");
    }
    run->from = "DOMINO_RUN_ID";
    return IRSAFS_OK;
}

static enum irsafs_code
take_workload_type(const struct labels *labels, char ret_type[64], struct irsafs_error *err)
{
    const struct irsafs_label *label = &labels->of[WORKLOAD_TYPE];
    if (label->value[0] != '\0' && !take(ret_type, label->value)) {
        return irsafs_error_set(err, IRSAFS_E_LABELS, "label %s is malformed", label->key);
    }
    return IRSAFS_OK;
}

enum irsafs_code irsafs_run_find(const struct irsafs_client_settings *settings,
                                 struct irsafs_run *ret_run,
                                 struct irsafs_error *err)
{
    struct irsafs_run run = {.from = "--run-id or IRSAFS_RUN_ID"};
    struct labels labels = wanted;
    bool found = settings->run_id != NULL && take(run.id, settings->run_id);
    if (settings->labels != NULL) {
        bool missing = false;
        enum irsafs_code code = read_labels(settings->labels, &labels, &missing, err);
        if (code != IRSAFS_OK && !found && !(missing && irsafs_env("DOMINO_RUN_ID") != NULL)) {
            return code;
        }
    }
    enum irsafs_code code = take_workload_type(&labels, run.workload_type, err);
    if (code == IRSAFS_OK && !found) {
        code = id_from_labels(&labels, &run, &found, err);
    }
    if (code == IRSAFS_OK && !found) {
        code = id_from_environment(settings->labels, &run, err);
    }
    if (code == IRSAFS_OK) {
        *ret_run = run;
    }
    return code;
}
