/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_CONFIG_H
#define IRSAFS_BASE_AWSCONFIG_CONFIG_H

#include "base/attr.h"
#include "base/awsconfig/dropped.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* An AWS config on its way through our hands: parse (parse.c) -> resolve (resolve.c) -> emit
 * (emit.c). irsafs_config_rewrite (rewrite.c) is all of it. Nothing here blocks; everything is linear
 * in the length of the text, which stays within the ceilings of base/limits.h. */

/* Kept sections have a role_arn and either has_token ("direct" profile, what src_ sections are) or
 * a source (the "asset" that the direct profile leads to). */
struct irsafs_section {
    struct irsafs_str name; /* "default" for [default] */
    struct irsafs_str role_arn;
    struct irsafs_str account; /* of role_arn */
    struct irsafs_str source;  /* name of the source profile; empty in a direct profile */
    uint32_t source_index;     /* of that section; set by resolve */
    uint32_t owner_index;      /* the first asset that leads here, or NONE; set by resolve */
    bool is_default;
    bool has_token;
    bool kept;
};

struct irsafs_config {
    struct irsafs_section *sections;
    size_t n_sections; /* kept or not: as many as there were headers */
    char *names;       /* bytes of names that are not as they were in the text */
    size_t names_len, names_cap;
    /* What had to be changed without being dropped. */
    size_t n_renamed; /* changes of a section's name */
    size_t n_shared;  /* direct profiles that were equal to an earlier one of the same name */
    size_t n_cr;      /* lines that ended with CR LF */
    bool had_bom;
};

void irsafs_config_deinit(struct irsafs_config *config);
/* Takes a section out and says so. key may be empty. */
void irsafs_config_drop(struct irsafs_section *section,
                        struct irsafs_dropped *dropped,
                        struct irsafs_str key,
                        const char *reason);

/* Reads text into sections. The config keeps views into text: text must live as long. token_path is
 * the path that will replace the value of web_identity_token_file.
 * E_NOT_CONFIG: there is something else than comments before the first section; E_TOO_BIG;
 * E_MEMORY. Sections and keys that are not allowed go to *dropped. */
enum irsafs_code irsafs_config_parse(struct irsafs_str text,
                                     const char *token_path,
                                     struct irsafs_config *ret_config,
                                     struct irsafs_dropped *dropped,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Leads every asset to its source and gives every section a name of its own:
 * - the source is the nearest direct profile of the name, first of all the one right below;
 * - a second section of a name becomes NAME@ACCOUNT when its role is in another account, and is
 *   dropped otherwise; its source is renamed along (with the account of the asset);
 * - an asset called src_x makes way for the direct profile src_x: it becomes src_x@ACCOUNT;
 * - equal direct profiles of one name become one.
 * E_MEMORY. */
enum irsafs_code irsafs_config_resolve(struct irsafs_config *config,
                                       struct irsafs_dropped *dropped,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Appends the canonical text (canon.h), in the layout of the service that irsafs replaces. A config
 * without sections is one comment line. Returns the number of profiles in *ret_profiles.
 * E_NOTHING_VALID: there were sections and none is kept; E_TOO_BIG: longer than out may become. */
enum irsafs_code irsafs_config_emit(const struct irsafs_config *config,
                                    const char *token_path,
                                    struct irsafs_buf *out,
                                    size_t *ret_profiles,
                                    struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
