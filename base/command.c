/* SPDX-License-Identifier: Apache-2.0 */
#include "base/command.h"

#include "base/nearest.h"

#include <string.h>

const struct irsafs_exit irsafs_exits[] = {
    {0, "all is well"},
    {1, "doctor: a line says FAIL; probe: no"},
    {2, "wrong usage, or a bad value of a flag"},
    {3, "configuration: a bad setting, or one that is missing"},
    {4, "token: none, or a lasting 401"},
    {5, "unreachable: DNS, connection, TLS, no answer in time"},
    {6, "refused by the service (4xx)"},
    {7, "the service failed (5xx, 429)"},
    {8, "bad answer, or bad file (check)"},
    {9, "mount or host"},
    {10, "the mount point is already served"},
    {11, "status: stale, the last good text is served"},
    {12, "status: nothing to serve"},
    {13, "status, refresh: no irsafs answers"},
    {75, "a local failure that will pass, such as no memory"},
};
const size_t irsafs_n_exits = IRSAFS_COUNT(irsafs_exits);

const struct irsafs_verb *irsafs_program_find(const struct irsafs_program *program,
                                              const char *name)
{
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (strcmp(program->verbs[i]->name, name) == 0) {
            return program->verbs[i];
        }
    }
    return NULL;
}

static enum irsafs_code
unknown_verb(const struct irsafs_program *program, const char *word, struct irsafs_error *err)
{
    struct irsafs_nearest nearest = {.word = {word, strlen(word)}};
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (program->verbs[i]->summary != NULL) {
            irsafs_nearest_offer(&nearest, program->verbs[i]->name);
        }
    }
    if (nearest.best != NULL) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "unknown verb '%.64s': did you mean %s?", word,
                                nearest.best);
    }
    return irsafs_error_set(err, IRSAFS_E_USAGE, "unknown verb '%.64s'", word);
}

enum irsafs_code irsafs_program_find_shown(const struct irsafs_program *program,
                                           const char *name,
                                           const struct irsafs_verb **ret_verb,
                                           struct irsafs_error *err)
{
    const struct irsafs_verb *verb = name != NULL ? irsafs_program_find(program, name) : NULL;
    if (name != NULL && (verb == NULL || verb->summary == NULL)) {
        return unknown_verb(program, name, err);
    }
    *ret_verb = verb;
    return IRSAFS_OK;
}

static const struct irsafs_option *find_option(const struct irsafs_verb *verb, const char *name)
{
    for (size_t t = 0; t < IRSAFS_VERB_TABLES_MAX && verb->tables[t] != NULL; t++) {
        for (size_t i = 0; i < verb->tables[t]->n_options; i++) {
            if (strcmp(verb->tables[t]->options[i].name, name) == 0) {
                return &verb->tables[t]->options[i];
            }
        }
    }
    return NULL;
}

/* Whether the word is a flag, of any verb, that takes the next word as its value. */
static bool takes_next(const struct irsafs_program *program, const char *word)
{
    const struct irsafs_option *o = NULL;
    for (size_t v = 0; v < program->n_verbs && o == NULL && strncmp(word, "--", 2) == 0; v++) {
        o = find_option(program->verbs[v], word + 2);
    }
    return o != NULL && o->type != IRSAFS_OPT_FLAG;
}

/* The place of the verb in argv; argc when there is none. */
static int find_place(const struct irsafs_program *program, int argc, char **argv)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0) {
        at += takes_next(program, argv[at]) ? 2 : 1;
    }
    return at < argc && strcmp(argv[at], "--") != 0 ? at : argc;
}

enum irsafs_code irsafs_program_take_verb(const struct irsafs_program *program,
                                          int *argc,
                                          char **argv,
                                          const struct irsafs_verb **ret_verb,
                                          bool *ret_named,
                                          struct irsafs_error *err)
{
    int at = find_place(program, *argc, argv);
    if (at >= *argc) {
        *ret_verb = program->plain;
        *ret_named = false;
        return program->plain != NULL ? IRSAFS_OK
                                      : irsafs_error_set(err, IRSAFS_E_USAGE, "no verb");
    }
    const struct irsafs_verb *verb = irsafs_program_find(program, argv[at]);
    if (verb == NULL) {
        return unknown_verb(program, argv[at], err);
    }
    memmove(argv + at, argv + at + 1, (size_t)(*argc - at) * sizeof(*argv)); /* and the NULL */
    --*argc;
    *ret_verb = verb;
    *ret_named = true;
    return IRSAFS_OK;
}

enum irsafs_code irsafs_verb_check_words(const struct irsafs_verb *verb,
                                         int n_words,
                                         char **words,
                                         struct irsafs_error *err)
{
    if (n_words == 0 && verb->words != NULL && verb->words[0] != '[') {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "%s needs an argument: %s", verb->name,
                                verb->words);
    }
    int most = verb->words != NULL ? 1 : 0;
    if (n_words > most) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "%s takes %s, not '%.64s'%s", verb->name,
                                most > 0 ? verb->words : "no argument", words[most],
                                most > 0 ? " too" : "");
    }
    return IRSAFS_OK;
}

/* `about` with the program's name. */
static void print_about(FILE *out, const struct irsafs_program *program, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            (void)fputs(program->name, out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

void irsafs_next_print(FILE *out, const struct irsafs_program *program)
{
    print_about(out, program, program->next);
}

static void print_verbs(FILE *out, const struct irsafs_program *program, const char *version)
{
    (void)fprintf(out, "%s %s - %s\n\nUsage: %s %s [OPTIONS]\n\n", program->name, version,
                  program->title, program->name, program->plain != NULL ? "[VERB]" : "VERB");
    for (size_t i = 0; i < program->n_verbs; i++) {
        const struct irsafs_verb *v = program->verbs[i];
        if (v->summary != NULL) {
            int n = fprintf(out, "  %s %s", v->name, v->words != NULL ? v->words : "");
            (void)fprintf(out, "%*s%s%s\n", n < 23 ? 23 - n : 1, "", v->summary,
                          v == program->plain ? " (also without a verb)" : "");
        }
    }
    (void)fputs("\n", out);
    irsafs_next_print(out, program);
}

static void
print_verb(FILE *out, const struct irsafs_program *program, const struct irsafs_verb *verb)
{
    size_t n_tables = 0;
    struct irsafs_option_table tables[IRSAFS_VERB_TABLES_MAX];
    while (n_tables < IRSAFS_VERB_TABLES_MAX && verb->tables[n_tables] != NULL) {
        tables[n_tables] = *verb->tables[n_tables];
        n_tables++;
    }
    (void)fprintf(out, "Usage: %s %s%s%s%s\n\n", program->name, verb->name,
                  verb->words != NULL ? " " : "", verb->words != NULL ? verb->words : "",
                  n_tables > 0 ? " [OPTIONS]" : "");
    print_about(out, program, verb->about);
    irsafs_options_print(out, tables, n_tables);
}

void irsafs_help_print(FILE *out,
                       const struct irsafs_program *program,
                       const struct irsafs_verb *verb,
                       const char *version)
{
    if (verb != NULL) {
        print_verb(out, program, verb);
    } else {
        print_verbs(out, program, version);
    }
}
