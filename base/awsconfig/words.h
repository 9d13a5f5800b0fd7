/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_AWSCONFIG_WORDS_H
#define IRSAFS_BASE_AWSCONFIG_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The words of the canonical grammar (canon.h). */

enum { IRSAFS_ACCOUNT_LEN = 12 }; /* digits of an AWS account id */

bool irsafs_is_profile_name(const char *name, size_t len);
bool irsafs_is_config_value(const char *value, size_t len);
/* Whether this is arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME with a partition that AWS has
 * (2026-11), a role name of at most 64 characters and only characters of a value; then *ret_account
 * points at the account's digits inside arn. Source: IAM and STS API references. */
bool irsafs_role_arn_account(const char *arn, size_t len, const char **ret_account);

#endif
