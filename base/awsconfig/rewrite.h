/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_REWRITE_H
#define IRSAFS_BASE_AWSCONFIG_REWRITE_H

#include "base/awsconfig/dropped.h"
#include "base/buf.h"
#include "base/error.h"

/* What became of a text. */
struct irsafs_rewritten {
    size_t n_profiles;
    size_t n_renamed; /* profiles that got another name */
    size_t n_shared;  /* profiles that were written twice */
    size_t n_cr;      /* lines that ended with CR LF */
    bool had_bom;
    struct irsafs_dropped dropped;
};

/* Any text in, canonical text (canon.h) out, appended to out, whose ceiling bounds it. token_path
 * must be a value (words.h). *result is filled in every case, as far as the work went.
 * E_NOT_CONFIG, E_TOO_BIG, E_NOTHING_VALID: the text is refused as a whole; E_NOT_CANONICAL: our own
 * work did not pass the check; E_MEMORY. out is then of no use. */
enum irsafs_code irsafs_config_rewrite(struct irsafs_str text,
                                       const char *token_path,
                                       struct irsafs_buf *out,
                                       struct irsafs_rewritten *result,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
