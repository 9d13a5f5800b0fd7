/* SPDX-License-Identifier: Apache-2.0 */
#include "base/command.h"
#include "base/str.h"

#include <string.h>

/* The words of "required, best-effort or off", one after the other. */
static bool next_value(const char **at, struct irsafs_str *ret_word)
{
    for (;;) {
        *at += strspn(*at, ", ");
        *ret_word = (struct irsafs_str){*at, strcspn(*at, ", ")};
        *at += ret_word->len;
        if (!irsafs_str_is(*ret_word, "or")) {
            return ret_word->len > 0;
        }
    }
}

static void print_values(FILE *out, const char *values)
{
    struct irsafs_str word;
    const char *blank = "";
    while (next_value(&values, &word)) {
        (void)fprintf(out, "%s%.*s", blank, (int)word.len, word.ptr);
        blank = " ";
    }
}

/* How the word after this one is found; nothing for words that only the user knows. */
static void print_reply(FILE *out, const char *form, const char *values)
{
    if (values != NULL) {
        (void)fputs("words='", out);
        print_values(out, values);
        (void)fputs("'", out);
    } else if (strstr(form, "FILE") != NULL || strstr(form, "PATH") != NULL) {
        (void)fputs("kind=f", out);
    } else if (strstr(form, "DIR") != NULL || strstr(form, "MOUNTPOINT") != NULL) {
        (void)fputs("kind=d", out);
    } else {
        (void)fputs(":", out);
    }
}

static void print_option_values(FILE *out, const struct irsafs_verb *verb)
{
    for (size_t t = 0; t < IRSAFS_VERB_TABLES_MAX && verb->tables[t] != NULL; t++) {
        for (size_t i = 0; i < verb->tables[t]->n_options; i++) {
            const struct irsafs_option *o = &verb->tables[t]->options[i];
            if (o->type != IRSAFS_OPT_FLAG) {
                (void)fprintf(out, "    %s:--%s) ", verb->name, o->name);
                print_reply(out, o->arg != NULL ? o->arg : "", irsafs_option_values(o));
                (void)fputs(" ;;\n", out);
            }
        }
    }
}

static void print_verb_names(FILE *out, const struct irsafs_program *program)
{
    const char *blank = "";
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (program->verbs[i]->summary != NULL) {
            (void)fprintf(out, "%s%s", blank, program->verbs[i]->name);
            blank = " ";
        }
    }
}

static void print_verb(FILE *out, const struct irsafs_program *program, const struct irsafs_verb *v)
{
    (void)fprintf(out, "        %s:-*) words='--help", v->name);
    for (size_t t = 0; t < IRSAFS_VERB_TABLES_MAX && v->tables[t] != NULL; t++) {
        for (size_t i = 0; i < v->tables[t]->n_options; i++) {
            (void)fprintf(out, " --%s", v->tables[t]->options[i].name);
        }
    }
    (void)fputs("' ;;\n", out);
    if (v->words != NULL) {
        (void)fprintf(out, "        %s:*) ", v->name);
        if (strcmp(v->words, "[VERB]") == 0) {
            (void)fputs("words='", out);
            print_verb_names(out, program);
            (void)fputs("'", out);
        } else {
            print_reply(out, v->words, v->words[0] >= 'a' && v->words[0] <= 'z' ? v->words : NULL);
        }
        (void)fputs(" ;;\n", out);
    }
}

/* '@' stands for the program, '~' for a name of its own that a shell accepts. */
static void print_script(FILE *out, const struct irsafs_program *program, const char *script)
{
    for (; *script != '\0'; script++) {
        if (*script != '@' && *script != '~') {
            (void)fputc(*script, out);
            continue;
        }
        for (const char *c = program->name; *c != '\0'; c++) {
            (void)fputc(*script == '~' && *c == '-' ? '_' : *c, out);
        }
    }
}

static const char head[] =
    "# shellcheck shell=bash\n"
    "# Completion of @ for bash. Use it with: source <(@ completion bash)\n"
    "\n"
    "_~() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "  local verb='' words='' kind='' i\n"
    "  if [[ $cur == '=' ]]; then # a word of its own for bash\n"
    "    cur=''\n"
    "  elif [[ $prev == '=' ]]; then\n"
    "    prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "  fi\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    if [[ -z $verb && ${COMP_WORDS[i]} != -* ]]; then verb=${COMP_WORDS[i]}; fi\n"
    "  done\n"
    "  case $verb:$prev in\n";

static const char tail[] = "      esac\n"
                           "      ;;\n"
                           "  esac\n"
                           "  COMPREPLY=()\n"
                           "  if [[ -n $kind ]]; then # f: files, d: folders\n"
                           "    compopt -o filenames 2>/dev/null\n"
                           "    mapfile -t COMPREPLY < <(compgen \"-$kind\" -- \"$cur\")\n"
                           "  else\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                           "  fi\n"
                           "  return 0\n"
                           "}\n"
                           "\n"
                           "complete -F _~ @\n";

void irsafs_completion_print(FILE *out, const struct irsafs_program *program)
{
    print_script(out, program, head);
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (program->verbs[i]->summary != NULL) {
            print_option_values(out, program->verbs[i]);
        }
    }
    (void)fputs("    *)\n      case $verb:$cur in\n", out);
    if (program->plain != NULL) {
        const struct irsafs_verb flags = {
            .name = "",
            .tables = {program->plain->tables[0], program->plain->tables[1],
                       program->plain->tables[2], program->plain->tables[3]}};
        print_verb(out, program, &flags);
    }
    (void)fputs("        :*) words='", out);
    print_verb_names(out, program);
    (void)fputs(" --help --version' ;;\n", out);
    for (size_t i = 0; i < program->n_verbs; i++) {
        if (program->verbs[i]->summary != NULL) {
            print_verb(out, program, program->verbs[i]);
        }
    }
    print_script(out, program, tail);
}

enum irsafs_code irsafs_completion_main(const struct irsafs_program *program,
                                        const char *shell,
                                        struct irsafs_error *err)
{
    if (strcmp(shell, "bash") != 0) {
        return irsafs_error_set(err, IRSAFS_E_USAGE, "no completion for '%.64s': bash", shell);
    }
    irsafs_completion_print(stdout, program);
    return IRSAFS_OK;
}
