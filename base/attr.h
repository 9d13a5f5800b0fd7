/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_ATTR_H
#define IRSAFS_BASE_ATTR_H

/* Attributes that only a macro can spell. */
#define IRSAFS_MUST_CHECK        __attribute__((warn_unused_result))
#define IRSAFS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* A local that owns something: FREE gets the address of the local when the scope ends. */
#define IRSAFS_CLEANUP(FREE) __attribute__((cleanup(FREE)))
#define IRSAFS_COUNT(array)  (sizeof(array) / sizeof((array)[0]))

#endif
