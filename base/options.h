/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_OPTIONS_H
#define IRSAFS_BASE_OPTIONS_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One table drives the parser, the environment and --help. Flags beat environment beat defaults;
 * among the names of an environment list the first that is set and not empty wins. This is the only
 * place that calls getenv(3). */

enum irsafs_option_type {
    IRSAFS_OPT_FLAG,       /* bool; in the environment on|off|true|false|yes|no|1|0 */
    IRSAFS_OPT_STRING,     /* const char *, not empty; points into argv or the environment */
    IRSAFS_OPT_DURATION,   /* int64_t milliseconds: 500ms, 2s, 15m, 24h */
    IRSAFS_OPT_UINT,       /* int64_t, decimal */
    IRSAFS_OPT_MODE,       /* int64_t, octal permission bits */
    IRSAFS_OPT_LEVEL,      /* int (enum irsafs_log_level), any case */
    IRSAFS_OPT_LOG_FORMAT, /* no field: it is the log's own, and takes effect at once */
};

struct irsafs_option {
    const char *name; /* without the dashes */
    const char *env; /* names, separated by blanks; NULL: none. A name with a leading '?' belongs to
                         others too: a bad value there is warned about and ignored */
    enum irsafs_option_type type;
    char letter;      /* short form of a FLAG, as in -q; NUL: none */
    size_t offset;    /* of the field in the settings struct */
    int64_t min, max; /* for DURATION (ms) and UINT */
    const char *arg;  /* placeholder in --help; NULL for flags. PATH: a file, DIR: a folder */
    const char
        *values; /* for STRING and LOG_FORMAT: all that it may be, as "one, two or three"; NULL:
                           anything */
    const char *shown_default; /* as --help shows it; NULL: none */
    const char *help;          /* <= 46 characters a line, lines separated by \n */
};

struct irsafs_given;

struct irsafs_option_table {
    const char *title; /* heading in --help */
    const struct irsafs_option *options;
    size_t n_options; /* <= 64 */
    void *settings;   /* the struct that `offset` counts from, filled with defaults by the caller */
    struct irsafs_given *given; /* NULL, or where the words of this table's flags are noted */
};

/* Words of argv, as given, to hand them on to another program. */
enum { IRSAFS_GIVEN_MAX = 64 };
struct irsafs_given {
    const char *words[IRSAFS_GIVEN_MAX];
    size_t n;
};

/* Fills the settings of all tables from the environment, then from argv[1..]. Words that are not
 * flags are left in argv[1..], in order, their number in *ret_n_words ("--" ends the flags).
 * At most 4 tables. "-h" and "--help" set *ret_help and stop the parsing.
 * Errors: E_USAGE (unknown flag: the nearest is suggested; missing or unwanted value), E_BAD_FLAG_VALUE, E_BAD_VALUE (from the
 * environment); the message names flag or variable, value and the wanted form. */
enum irsafs_code irsafs_options_parse(const struct irsafs_option_table *tables,
                                      size_t n_tables,
                                      int argc,
                                      char **argv,
                                      int *ret_n_words,
                                      bool *ret_help,
                                      struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* The value of a STRING option is none of those wanted: the error names flag or variable, whichever gave
 * it, never the value, which may be a secret. */
enum irsafs_code irsafs_option_refuse(const struct irsafs_option *option,
                                      const char *value,
                                      const char *wanted,
                                      struct irsafs_error *err);

/* What the option may be, as `values`; NULL when it is not one of a few words. */
const char *irsafs_option_values(const struct irsafs_option *option);

/* The options part of --help, at most 80 columns. */
void irsafs_options_print(FILE *out, const struct irsafs_option_table *tables, size_t n_tables);

/* "500ms" -> 500. False when text is not a duration (unsigned decimal and a unit). */
bool irsafs_duration_parse(const char *text, int64_t *ret_ms) IRSAFS_MUST_CHECK;

/* getenv for the few places that need one outside a table; NULL when unset or empty. */
const char *irsafs_env(const char *name);

#endif
