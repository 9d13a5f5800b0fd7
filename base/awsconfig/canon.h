/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_CANON_H
#define IRSAFS_BASE_AWSCONFIG_CANON_H

#include "base/attr.h"

#include <stddef.h>

/* The last gate before a reader: is this text exactly of the form that our emitter writes?
 *
 *   file     = *6comment *section             LF only, ends with LF (or is empty), <= 1 MiB
 *   comment  = "#" SP *198( %x20-7E ) LF      only at the top; a line of <= 200 characters
 *   section  = header *pair                   at most 8192 of them
 *   header   = "[default]" LF / "[profile " name "]" LF
 *   name     = 1*128( ALPHA / DIGIT / "_-./%@:+" )      neither "default" nor "__proto__"; unique
 *   pair     = key ( " = " / "=" ) value LF             each key at most once per section
 *   key      = "role_arn" / "source_profile" / "web_identity_token_file"
 *   value    = 1*1024( %x21-7E except "#;[]\"'\\" )
 *
 * and in every section a role_arn that is an IAM role ARN (words.h), and exactly one of
 *   source_profile           naming a section of this file (anywhere; [default] is "default")
 *                            that has a web_identity_token_file
 *   web_identity_token_file  equal to token_path
 *
 * The grammar is the subset that all AWS SDK parsers we know read in the same way. Allocates
 * nothing (66 KiB of stack), never blocks, linear time. On refusal *ret_offset is the place (the
 * line at fault; for a section that lacks a key the end of that section) and the returned string the
 * reason (static); NULL means canonical, and then *ret_offset is untouched. */
const char *irsafs_canon_check(const char *text,
                               size_t len,
                               const char *token_path,
                               size_t *ret_offset) IRSAFS_MUST_CHECK;

#endif
