/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_COMMAND_H
#define IRSAFS_BASE_COMMAND_H

#include "base/options.h"

/* A program's command line as data. The same tables make the parser, --help, the manual (base/manual.c)
 * and the completion (base/completion.c). */

enum { IRSAFS_VERB_TABLES_MAX = 4 };

struct irsafs_verb {
    const char *name;
    const char
        *words; /* the word after it as --help shows it: "FILE", "[MOUNTPOINT]" when it may be
                            left out, in small letters when it is to be typed so; NULL: none */
    const char *summary; /* <= 54 characters; NULL: hidden, for our own processes */
    const char
        *about; /* lines of at most 80; a line that begins with a blank is an example; '%' stands
                            for the name of the program */
    const struct irsafs_option_table *tables[IRSAFS_VERB_TABLES_MAX]; /* settings are not used */
    int (*run)(int argc, char **argv); /* argv[0] is the verb; NULL: known to who has the table */
};

struct irsafs_program {
    const char *name;
    const char *title; /* what it is, as in "irsafs 1.0 - TITLE" */
    const char *next;  /* what to type next, as `about` */
    const struct irsafs_verb *const *verbs;
    size_t n_verbs;
    const struct irsafs_verb *plain; /* what it does without a verb; NULL: nothing */
};

/* What a process may end with, and what that means. */
struct irsafs_exit {
    int status;
    const char *meaning;
};
extern const struct irsafs_exit irsafs_exits[];
extern const size_t irsafs_n_exits;

/* The verb that argv names, taken out of argv: its first word that is neither a flag nor a flag's value.
 * Without one *ret_named is false and the verb is program->plain. E_USAGE: unknown (the nearest is
 * suggested), or there must be one. */
enum irsafs_code irsafs_program_take_verb(const struct irsafs_program *program,
                                          int *argc,
                                          char **argv,
                                          const struct irsafs_verb **ret_verb,
                                          bool *ret_named,
                                          struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* By name; NULL when there is none. */
const struct irsafs_verb *irsafs_program_find(const struct irsafs_program *program,
                                              const char *name);

/* For `help [VERB]`: NULL for a name that is NULL. E_USAGE as above. */
enum irsafs_code irsafs_program_find_shown(const struct irsafs_program *program,
                                           const char *name,
                                           const struct irsafs_verb **ret_verb,
                                           struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* E_USAGE when the verb does not want so many words. words[0] is the first of them. */
enum irsafs_code irsafs_verb_check_words(const struct irsafs_verb *verb,
                                         int n_words,
                                         char **words,
                                         struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* `VERB --help`; for NULL the first screen: the verbs, and what to type next. */
void irsafs_help_print(FILE *out,
                       const struct irsafs_program *program,
                       const struct irsafs_verb *verb,
                       const char *version);

/* What to type next: for who typed the program's name alone. */
void irsafs_next_print(FILE *out, const struct irsafs_program *program);

/* A script for bash. */
void irsafs_completion_print(FILE *out, const struct irsafs_program *program);
/* The same on stdout for the shell with this name. E_USAGE: there is none for it. */
enum irsafs_code irsafs_completion_main(const struct irsafs_program *program,
                                        const char *shell,
                                        struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* The parts of a manual page that come from the tables, in roff: verbs, options, exit status. */
void irsafs_manual_print(FILE *out, const struct irsafs_program *program);

#endif
