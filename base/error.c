/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/ascii.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct entry {
    int number;
    enum irsafs_class class_;
    const char *remedy;
};

static const struct entry catalogue[] = {
#define X(name, number, class, remedy) {(number), IRSAFS_CLASS_##class, (remedy)},
#include "base/error.def"
#undef X
};

static const struct entry *find(int number)
{
    for (size_t i = 0; i < IRSAFS_COUNT(catalogue); i++) {
        if (catalogue[i].number == number) {
            return &catalogue[i];
        }
    }
    return NULL;
}

enum irsafs_code
irsafs_error_set(struct irsafs_error *err, enum irsafs_code code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    irsafs_ascii_clean(err->message, strlen(err->message));
    err->code = code;
    return code;
}

int irsafs_code_exit_status(enum irsafs_code code)
{
    if (code == IRSAFS_OK) {
        return 0;
    }
    if (code == IRSAFS_E_NO_DAEMON) {
        return 13; /* 11 and 12 are verdicts of `status`, not errors */
    }
    int digit = (int)code / 100;
    return digit == 0 ? 75 : digit == 1 ? 10 : digit;
}

enum irsafs_class irsafs_code_class(enum irsafs_code code)
{
    const struct entry *e = find((int)code);
    return e != NULL ? e->class_ : IRSAFS_CLASS_LOCAL;
}

const char *irsafs_code_remedy(enum irsafs_code code)
{
    const struct entry *e = find((int)code);
    return e != NULL ? e->remedy : "none";
}

const char *irsafs_class_name(enum irsafs_class class_)
{
    static const char *const names[] = {
        [IRSAFS_CLASS_CONFIG] = "config",           [IRSAFS_CLASS_TOKEN] = "token",
        [IRSAFS_CLASS_UNREACHABLE] = "unreachable", [IRSAFS_CLASS_DENIED] = "denied",
        [IRSAFS_CLASS_NO_RUN] = "no_run",           [IRSAFS_CLASS_SERVICE] = "service",
        [IRSAFS_CLASS_BAD_ANSWER] = "bad_answer",   [IRSAFS_CLASS_LOCAL] = "local",
    };
    return names[class_];
}

enum irsafs_code irsafs_code_from_number(long number)
{
    if (number > 0 && number < 1000 && find((int)number) != NULL) {
        return (enum irsafs_code)number;
    }
    return IRSAFS_E_CLIENT_DIED;
}

int irsafs_error_report_with(const char *program,
                             const struct irsafs_error *err,
                             const char *remedy)
{
    (void)fprintf(stderr, "%s: %s (IRSAFS-E%03d)\n  -> %s\n", program, err->message, (int)err->code,
                  remedy);
    return irsafs_code_exit_status(err->code);
}

int irsafs_error_report(const char *program, const struct irsafs_error *err)
{
    return irsafs_error_report_with(program, err, irsafs_code_remedy(err->code));
}
