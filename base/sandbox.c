/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <string.h>

#if defined(__has_feature) /* clang */
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                     \
        __has_feature(memory_sanitizer)
#        define SANITIZED 1
#    endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* gcc */
#    define SANITIZED 1
#endif
#ifndef SANITIZED
#    define SANITIZED 0
#endif

static const char *const mode_names[] = {
    [IRSAFS_SANDBOX_OFF] = "off",
    [IRSAFS_SANDBOX_BEST_EFFORT] = "best-effort",
    [IRSAFS_SANDBOX_REQUIRED] = "required",
};

bool irsafs_sandbox_mode_parse(const char *text, enum irsafs_sandbox_mode *ret_mode)
{
    for (size_t i = 0; text != NULL && i < IRSAFS_COUNT(mode_names); i++) {
        if (strcmp(text, mode_names[i]) == 0) {
            *ret_mode = (enum irsafs_sandbox_mode)i;
            return true;
        }
    }
    return false;
}

enum irsafs_sandbox_mode irsafs_sandbox_mode_default(void)
{
    return SANITIZED ? IRSAFS_SANDBOX_OFF : IRSAFS_SANDBOX_BEST_EFFORT;
}

const char *irsafs_sandbox_mode_name(enum irsafs_sandbox_mode mode)
{
    return mode_names[mode];
}

size_t irsafs_sandbox_names(const struct irsafs_sandbox_report *report,
                            const char *ret_names[IRSAFS_SANDBOX_NAMES_MAX])
{
    const struct {
        bool took;
        const char *name;
    } all[IRSAFS_SANDBOX_NAMES_MAX] = {
        {report->uid, "uid"},
        {report->capabilities, "capabilities"},
        {report->no_new_privs, "no_new_privs"},
        {report->seccomp, "seccomp"},
        {report->landlock, "landlock"},
    };
    size_t n = 0;
    for (size_t i = 0; i < IRSAFS_COUNT(all); i++) {
        if (all[i].took) {
            ret_names[n++] = all[i].name;
        }
    }
    return n;
}

enum irsafs_code irsafs_sandbox_note(enum irsafs_sandbox_mode mode,
                                     const char *what,
                                     int errnum,
                                     bool *took,
                                     struct irsafs_error *err)
{
    *took = errnum == 0;
    if (errnum == ENOMEM) {
        return irsafs_error_set(err, IRSAFS_E_MEMORY, "%s: %s", what, strerrordesc_np(errnum));
    }
    return *took || mode != IRSAFS_SANDBOX_REQUIRED
               ? IRSAFS_OK
               : irsafs_error_set(err, IRSAFS_E_SANDBOX, "%s: %s", what, strerrordesc_np(errnum));
}
