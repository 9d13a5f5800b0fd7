/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SUPER_ENVIRONMENT_H
#define IRSAFS_FS_SUPER_ENVIRONMENT_H

/* What worker and notifier get of our environment. Nothing of it is for them, and an API key may be in
 * there; but what tunes the C library, its loader or a sanitizer is for every program. The strings are
 * those of environ, the list is static. */
const char *const *irsafs_environment(void);

#endif
