/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_SANDBOX_H
#define IRSAFS_BASE_SANDBOX_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What --sandbox asks for and what of it took effect. Pure; the walls themselves are base/seccomp.h,
 * base/landlock.h and base/privileges.h, the profiles fs/shared/confine.h and client/sandbox.h. */

enum irsafs_sandbox_mode {
    IRSAFS_SANDBOX_OFF,         /* nothing is changed */
    IRSAFS_SANDBOX_BEST_EFFORT, /* what cannot be had is left out, and the report says so */
    IRSAFS_SANDBOX_REQUIRED,    /* what cannot be had is an error: E_SANDBOX */
};

/* Of one process. */
struct irsafs_sandbox_report {
    bool uid; /* no user or group id is root's; supervisor: it can give such ids to others */
    bool capabilities; /* none, or only those that the profile needs */
    bool no_new_privs;
    bool seccomp; /* the profile's own filter; that of the container's runtime does not count */
    bool landlock;
};

enum { IRSAFS_SANDBOX_NAMES_MAX = 5 };

/* "required", "best-effort", "off". False for anything else, NULL included: *ret_mode is untouched. */
bool irsafs_sandbox_mode_parse(const char *text,
                               enum irsafs_sandbox_mode *ret_mode) IRSAFS_MUST_CHECK;
/* best-effort; off in a build with a sanitizer, whose runtime starts threads, opens files and traces
 * processes on its own. */
enum irsafs_sandbox_mode irsafs_sandbox_mode_default(void);
/* Static string. */
const char *irsafs_sandbox_mode_name(enum irsafs_sandbox_mode mode);

/* What took effect, in words ("uid", "capabilities", "no_new_privs", "seccomp", "landlock"), static
 * strings; how many. */
size_t irsafs_sandbox_names(const struct irsafs_sandbox_report *report,
                            const char *ret_names[IRSAFS_SANDBOX_NAMES_MAX]);

/* What became of one wall: errnum 0 sets *took. Otherwise OK unless the mode is required, then
 * E_SANDBOX: "what: why". In every mode E_MEMORY for ENOMEM: a wall that the machine has does not stay
 * away because memory was short for a moment. */
enum irsafs_code irsafs_sandbox_note(enum irsafs_sandbox_mode mode,
                                     const char *what,
                                     int errnum,
                                     bool *took,
                                     struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
