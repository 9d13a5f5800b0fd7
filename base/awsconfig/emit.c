/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/config.h"

static bool put(struct irsafs_buf *out, struct irsafs_str text)
{
    return irsafs_buf_append(out, text.ptr, text.len);
}

/* The blanks around '=' are those of the service that irsafs replaces, byte for byte. */
static bool
emit_section(const struct irsafs_section *s, const char *token_path, struct irsafs_buf *out)
{
    bool ok = s->is_default ? irsafs_buf_puts(out, "[default]\n")
                            : irsafs_buf_puts(out, "[profile ") && put(out, s->name) &&
                                  irsafs_buf_puts(out, "]\n");
    if (s->has_token) {
        ok = ok && irsafs_buf_puts(out, "web_identity_token_file = ") &&
             irsafs_buf_puts(out, token_path);
    } else {
        ok = ok && irsafs_buf_puts(out, "source_profile = ") && put(out, s->source);
    }
    return ok && irsafs_buf_puts(out, "\nrole_arn=") && put(out, s->role_arn) &&
           irsafs_buf_puts(out, "\n");
}

enum irsafs_code irsafs_config_emit(const struct irsafs_config *config,
                                    const char *token_path,
                                    struct irsafs_buf *out,
                                    size_t *ret_profiles,
                                    struct irsafs_error *err)
{
    size_t n_profiles = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < config->n_sections; i++) {
        if (config->sections[i].kept) {
            ok = emit_section(&config->sections[i], token_path, out);
            n_profiles++;
        }
    }
    if (config->n_sections == 0) {
        ok = irsafs_buf_puts(out, "# irsafs: the mapping service maps no role to you\n");
    } else if (n_profiles == 0) {
        return irsafs_error_set(err, IRSAFS_E_NOTHING_VALID,
                                "none of the %zu sections of the answer can be used",
                                config->n_sections);
    }
    if (!ok) {
        return irsafs_error_set(err, IRSAFS_E_TOO_BIG, "the text is longer than %zu bytes",
                                out->max);
    }
    *ret_profiles = n_profiles;
    return IRSAFS_OK;
}
