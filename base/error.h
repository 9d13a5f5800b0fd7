/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_ERROR_H
#define IRSAFS_BASE_ERROR_H

#include "base/attr.h"

/* What went wrong, said once. Fallible functions return enum irsafs_code, fill *err when err is
 * not NULL, and leave their ret_ outputs untouched on failure. Nothing here allocates. */

enum irsafs_code {
    IRSAFS_OK = 0,
#define X(name, number, class, remedy) IRSAFS_E_##name = (number),
#include "base/error.def"
#undef X
};

/* The groups of `status.error.class`. */
enum irsafs_class {
    IRSAFS_CLASS_CONFIG,
    IRSAFS_CLASS_TOKEN,
    IRSAFS_CLASS_UNREACHABLE,
    IRSAFS_CLASS_DENIED,
    IRSAFS_CLASS_NO_RUN,
    IRSAFS_CLASS_SERVICE,
    IRSAFS_CLASS_BAD_ANSWER,
    IRSAFS_CLASS_LOCAL,
};

enum { IRSAFS_MESSAGE_MAX = 192 }; /* with the NUL; what fits a comment line of `config` */

struct irsafs_error {
    enum irsafs_code code;
    char message[IRSAFS_MESSAGE_MAX]; /* what and why: lower case, no full stop, printable ASCII */
};

/* Fills err (may be NULL) and returns code. The text is cut at the limit, and every byte that is
 * not printable ASCII becomes '?': values from outside may be put in as they are. */
enum irsafs_code
irsafs_error_set(struct irsafs_error *err, enum irsafs_code code, const char *fmt, ...)
    IRSAFS_PRINTF(3, 4);

/* Process exit status of a code: 0, 2..9, 10, 13 or 75 (design: exit codes are stable). */
int irsafs_code_exit_status(enum irsafs_code code);
enum irsafs_class irsafs_code_class(enum irsafs_code code);
/* Default advice. Static string, never NULL. */
const char *irsafs_code_remedy(enum irsafs_code code);
/* "config", "token", ... Static string. */
const char *irsafs_class_name(enum irsafs_class class_);
/* The code with this number, or IRSAFS_E_CLIENT_DIED when there is none (a foreign number). */
enum irsafs_code irsafs_code_from_number(long number);

/* Writes the error as people see it on a terminal, to stderr, in one write:
 *   irsafs: mount point /x is not empty (IRSAFS-E905)
 *     -> choose an empty directory, or add --allow-nonempty
 * Returns the exit status, so that main can `return irsafs_error_report(...)`. */
int irsafs_error_report(const char *program, const struct irsafs_error *err);
/* The same with a remedy that fits better than the code's own. */
int irsafs_error_report_with(const char *program,
                             const struct irsafs_error *err,
                             const char *remedy);

#endif
