/* SPDX-License-Identifier: Apache-2.0 */
#include "base/command.h"

#include <stdbool.h>
#include <string.h>

/* Text in which roff sees nothing of its own. */
static void put(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if ((c == '.' || c == '\'') && (i == 0 || text[i - 1] == '\n')) {
            (void)fputs("\\&", out);
        }
        if (c == '\\' || c == '-') {
            (void)fputs(c == '-' ? "\\-" : "\\e", out);
        } else if (c == '\'') {
            (void)fputs("\\(aq", out);
        } else {
            (void)fputc(c, out);
        }
    }
}

static void puts_roff(FILE *out, const char *text)
{
    put(out, text, strlen(text));
}

static void print_option(FILE *out, const struct irsafs_option *o)
{
    (void)fputs(".TP\n", out);
    if (o->letter != '\0') {
        (void)fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    }
    (void)fputs("\\fB\\-\\-", out);
    puts_roff(out, o->name);
    (void)fputs("\\fR", out);
    if (o->arg != NULL) {
        (void)fputs(" \\fI", out);
        puts_roff(out, o->arg);
        (void)fputs("\\fR", out);
    }
    (void)fputs("\n", out);
    puts_roff(out, o->help);
    (void)fputs(".\n", out);
    if (o->values != NULL) {
        (void)fputs("One of: ", out);
        puts_roff(out, o->values);
        (void)fputs(".\n", out);
    }
    if (o->shown_default != NULL) {
        (void)fputs("Default: ", out);
        for (const char *at = o->shown_default; *at != '\0'; at++) { /* folded for --help */
            bool fold = *at == '\n';
            at += fold ? strspn(at, "\n ") - 1 : 0;
            if (!fold || o->shown_default[0] != '/') {
                put(out, fold ? " " : at, 1);
            }
        }
        (void)fputs(".\n", out);
    }
    bool first = true;
    for (const char *at = o->env; at != NULL && *at != '\0'; at += strspn(at, " ?")) {
        size_t len = strcspn(at + strspn(at, "?"), " ");
        at += strspn(at, "?");
        (void)fputs(first ? "Environment: " : ", ", out);
        (void)fputs("\\fB", out);
        put(out, at, len);
        (void)fputs("\\fR", out);
        first = false;
        at += len;
    }
    (void)fputs(first ? "" : ".\n", out);
}

/* Examples keep their lines, and get the room that they need on 80 columns. */
static void print_about(FILE *out, const struct irsafs_program *program, const char *about)
{
    bool example = false;
    for (const char *line = about; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *end = line + len;
        if (len > 0 && example != (line[0] == ' ')) {
            example = !example;
            (void)fputs(example ? ".nf\n.in 4n\n" : ".in\n.fi\n", out);
        }
        (void)fputs(len == 0 ? ".sp\n" : "", out);
        for (const char *at = line + (example && len > 2 ? 2 : 0); at < end;) {
            size_t n = strcspn(at, "%\n");
            put(out, at, n);
            at += n;
            if (at < end) {
                puts_roff(out, program->name);
                at++;
            }
        }
        (void)fputs(len > 0 ? "\n" : "", out);
        line = *end == '\n' ? end + 1 : end;
    }
    (void)fputs(example ? ".in\n.fi\n" : "", out);
}

static void print_verb(FILE *out, const struct irsafs_program *program, const struct irsafs_verb *v)
{
    (void)fputs(".SS ", out);
    puts_roff(out, v->name);
    if (v->words != NULL) {
        (void)fputs(" ", out);
        puts_roff(out, v->words);
    }
    (void)fputs("\n", out);
    if (v == program->plain) {
        (void)fputs("Also without a verb.\n", out);
    }
    print_about(out, program, v->about);
    for (size_t t = 0; t < IRSAFS_VERB_TABLES_MAX && v->tables[t] != NULL; t++) {
        (void)fprintf(out, "%s\\fI%s\\fR", t == 0 ? ".sp\nOptions: " : ", ", v->tables[t]->title);
    }
    (void)fputs(v->tables[0] != NULL ? ".\n" : "", out);
}

/* Each table once, whatever the number of verbs that take it. */
static bool is_first_use(const struct irsafs_program *program, size_t verb, size_t table)
{
    for (size_t v = 0; v < verb; v++) {
        const struct irsafs_verb *other = program->verbs[v];
        for (size_t t = 0; t < IRSAFS_VERB_TABLES_MAX && other->summary != NULL; t++) {
            if (other->tables[t] == program->verbs[verb]->tables[table]) {
                return false;
            }
        }
    }
    return true;
}

void irsafs_manual_print(FILE *out, const struct irsafs_program *program)
{
    (void)fputs(".SH VERBS\n", out);
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (program->verbs[i]->summary != NULL) {
            print_verb(out, program, program->verbs[i]);
        }
    }
    (void)fputs(".SH OPTIONS\nFlags beat the environment, which beats the defaults.\n"
                "Times are written 500ms, 2s, 15m, 24h.\n",
                out);
    for (size_t i = 0; i < program->n_verbs; i++) {
        const struct irsafs_verb *v = program->verbs[i];
        for (size_t t = 0; v->summary != NULL && t < IRSAFS_VERB_TABLES_MAX; t++) {
            if (v->tables[t] == NULL || !is_first_use(program, i, t)) {
                continue;
            }
            (void)fprintf(out, ".SS %s\n", v->tables[t]->title);
            for (size_t o = 0; o < v->tables[t]->n_options; o++) {
                print_option(out, &v->tables[t]->options[o]);
            }
        }
    }
    (void)fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; i < irsafs_n_exits; i++) {
        (void)fprintf(out, ".TP\n.B %d\n", irsafs_exits[i].status);
        puts_roff(out, irsafs_exits[i].meaning);
        (void)fputs(".\n", out);
    }
}
