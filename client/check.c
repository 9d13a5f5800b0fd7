/* SPDX-License-Identifier: Apache-2.0 */
#include "client/check.h"

#include "base/awsconfig/rewrite.h"
#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <stdio.h>

static size_t print_findings(const struct irsafs_rewritten *r)
{
    for (size_t i = 0; i < r->dropped.n_items; i++) {
        const struct irsafs_dropped_item *item = &r->dropped.items[i];
        (void)printf("[%s]%s%s: %s\n", item->section, item->key[0] != '\0' ? " " : "", item->key,
                     item->reason);
    }
    if (r->dropped.total > r->dropped.n_items) {
        (void)printf("... and %zu more of this kind\n", r->dropped.total - r->dropped.n_items);
    }
    const struct {
        size_t n;
        const char *what;
    } changes[] = {
        {r->had_bom ? 1 : 0, "byte order mark at the start"},
        {r->n_cr, "line(s) end with CR LF"},
        {r->n_renamed, "profile name(s) that SDKs read differently, or used twice"},
        {r->n_shared, "profile(s) written twice"},
    };
    size_t n_findings = r->dropped.total;
    for (size_t i = 0; i < IRSAFS_COUNT(changes); i++) {
        if (changes[i].n > 0) {
            (void)printf("%zu %s\n", changes[i].n, changes[i].what);
            n_findings += changes[i].n;
        }
    }
    return n_findings;
}

int irsafs_check(const char *program, const char *path, const char *token_path)
{
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    IRSAFS_CLEANUP(irsafs_buf_deinit) struct irsafs_buf out = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_rewritten result;
    struct irsafs_error err = {.message = ""};
    int errnum = irsafs_file_read(path, &text);
    if (errnum != 0) {
        enum irsafs_code code = errnum == EFBIG ? IRSAFS_E_TOO_BIG : IRSAFS_E_BAD_VALUE;
        (void)irsafs_error_set(&err, code, "%.150s: %s", path,
                               errnum == EINVAL ? "not a regular file" : strerrordesc_np(errnum));
        return irsafs_error_report_with(program, &err,
                                        "give a regular file of at most 1 MiB that you may read");
    }
    enum irsafs_code code = irsafs_config_rewrite((struct irsafs_str){text.data, text.len},
                                                  token_path, &out, &result, &err);
    size_t n_findings = print_findings(&result);
    if (code != IRSAFS_OK) {
        (void)fflush(stdout);
        return irsafs_error_report_with(program, &err,
                                        err.code == IRSAFS_E_MEMORY
                                            ? irsafs_code_remedy(err.code)
                                            : "correct the file: irsafs would not serve this");
    }
    if (n_findings > 0) {
        (void)printf("%s: %zu finding(s)\n", path, n_findings);
        return irsafs_code_exit_status(IRSAFS_E_NOTHING_VALID);
    }
    (void)printf("%s: ok, %zu profile(s)\n", path, result.n_profiles);
    return 0;
}
