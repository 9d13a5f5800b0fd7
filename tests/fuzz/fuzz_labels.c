/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a labels file. A failure leaves the labels and the run alone; a run id that is found
 * has the form of one and stood in the file; and a file that was cut never gives another value: half a
 * label could be somebody else's run. */
#include "base/limits.h"
#include "client/labels.h"
#include "client/run.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { N_LABELS = 4 };

struct labels {
    struct irsafs_label of[N_LABELS];
};

static const char *const keys[N_LABELS] = {"dominodatalab.com/execution-id",
                                           "app.kubernetes.io/name", "app.kubernetes.io/instance",
                                           "dominodatalab.com/irsa-workload-type"};

static struct labels wanted(void)
{
    struct labels labels;
    memset(&labels, 0, sizeof(labels));
    for (size_t i = 0; i < N_LABELS; i++) {
        labels.of[i].key = keys[i];
    }
    return labels;
}

/* ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ */
static bool is_id(const char *id)
{
    static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char rest[80];
    memcpy(rest, alnum, sizeof(alnum));
    memcpy(rest + sizeof(alnum) - 1, "._-", 4);
    size_t len = strlen(id);
    return len >= 1 && len <= 63 && strspn(id, alnum) >= 1 && strspn(id, rest) == len;
}

static bool parse(struct irsafs_str text, struct labels *labels)
{
    char *exact = fuzz_copy(text);
    struct irsafs_error err = {.code = IRSAFS_OK};
    *labels = wanted();
    struct labels before = *labels;
    enum irsafs_code code =
        irsafs_labels_parse((struct irsafs_str){exact, text.len}, labels->of, N_LABELS, &err);
    FUZZ_ASSERT(code == err.code && (code == IRSAFS_OK || code == IRSAFS_E_LABELS));
    if (code != IRSAFS_OK) {
        FUZZ_ASSERT(memcmp(labels, &before, sizeof(before)) == 0);
        FUZZ_ASSERT(fuzz_is_clean(err.message, sizeof(err.message)));
    }
    for (size_t i = 0; i < N_LABELS; i++) {
        const struct irsafs_label *label = &labels->of[i];
        FUZZ_ASSERT(label->key == keys[i]);
        FUZZ_ASSERT(strnlen(label->value, sizeof(label->value)) < sizeof(label->value));
        FUZZ_ASSERT(label->present || label->value[0] == '\0');
    }
    free(exact);
    return code == IRSAFS_OK;
}

static void assert_cut_is_safe(struct irsafs_str text, const struct labels *whole)
{
    size_t step = text.len / 64 + 1; /* a few cuts for long files */
    for (size_t len = 0; len < text.len; len += step) {
        struct labels cut;
        if (!parse((struct irsafs_str){text.ptr, len}, &cut)) {
            continue;
        }
        for (size_t i = 0; i < N_LABELS; i++) {
            FUZZ_ASSERT(!cut.of[i].present ||
                        (whole->of[i].present && strcmp(cut.of[i].value, whole->of[i].value) == 0));
        }
    }
}

static bool has_run(const struct labels *labels, const char *id)
{
    for (size_t i = 0; i < 3; i++) {
        const char *value = labels->of[i].value;
        bool prefixed = strncmp(value, "run-", 4) == 0;
        if ((i == 0 || prefixed) && strcmp(value + (prefixed ? 4 : 0), id) == 0) {
            return true;
        }
    }
    return false;
}

static void assert_run(struct irsafs_str text, bool parsed, const struct labels *labels)
{
    struct irsafs_client_settings settings = {.labels = fuzz_file(0, text)};
    struct irsafs_error err = {.code = IRSAFS_OK};
    struct irsafs_run run;
    struct irsafs_run untouched;
    memset(&run, 0xA5, sizeof(run));
    memcpy(&untouched, &run, sizeof(run));
    enum irsafs_code code = irsafs_run_find(&settings, &run, &err);
    if (code != IRSAFS_OK) {
        FUZZ_ASSERT(code == IRSAFS_E_LABELS || code == IRSAFS_E_NO_RUN_ID);
        FUZZ_ASSERT(code == IRSAFS_E_LABELS || parsed);
        FUZZ_ASSERT(memcmp(&run, &untouched, sizeof(run)) == 0);
        return;
    }
    FUZZ_ASSERT(parsed && is_id(run.id) && has_run(labels, run.id));
    FUZZ_ASSERT(run.workload_type[0] == '\0' || is_id(run.workload_type));
    FUZZ_ASSERT(strcmp(run.workload_type, labels->of[3].value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct irsafs_str text = {(const char *)data, size};
    struct labels labels;
    if (size > IRSAFS_LABELS_MAX) {
        return -1;
    }
    bool parsed = parse(text, &labels);
    if (parsed) {
        assert_cut_is_safe(text, &labels);
    }
    assert_run(text, parsed, &labels);
    return 0;
}
