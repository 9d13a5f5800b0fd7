/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/rewrite.h"

#include "base/awsconfig/canon.h"
#include "base/awsconfig/config.h"

enum irsafs_code irsafs_config_rewrite(struct irsafs_str text,
                                       const char *token_path,
                                       struct irsafs_buf *out,
                                       struct irsafs_rewritten *result,
                                       struct irsafs_error *err)
{
    IRSAFS_CLEANUP(irsafs_config_deinit) struct irsafs_config config = {0};
    *result = (struct irsafs_rewritten){0};
    enum irsafs_code code = irsafs_config_parse(text, token_path, &config, &result->dropped, err);
    if (code == IRSAFS_OK) {
        code = irsafs_config_resolve(&config, &result->dropped, err);
    }
    if (code == IRSAFS_OK) {
        code = irsafs_config_emit(&config, token_path, out, &result->n_profiles, err);
    }
    result->n_renamed = config.n_renamed;
    result->n_shared = config.n_shared;
    result->n_cr = config.n_cr;
    result->had_bom = config.had_bom;
    size_t offset = 0;
    const char *reason =
        code == IRSAFS_OK ? irsafs_canon_check(out->data, out->len, token_path, &offset) : NULL;
    if (reason != NULL) {
        return irsafs_error_set(err, IRSAFS_E_NOT_CANONICAL, "own text refused at byte %zu: %s",
                                offset, reason);
    }
    return code;
}
