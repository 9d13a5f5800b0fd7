/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "base/ascii.h"
#include "base/log.h"
#include "base/nearest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *irsafs_env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Reads decimal digits; false on none or on overflow of what a day in ms needs many times over. */
static bool parse_digits(const char **text, int64_t *ret_value)
{
    int64_t value = 0;
    const char *at = *text;
    if (!irsafs_is_digit(*at)) {
        return false;
    }
    for (; irsafs_is_digit(*at); at++) {
        if (value > INT64_MAX / 100) {
            return false;
        }
        value = value * 10 + (*at - '0');
    }
    *text = at;
    *ret_value = value;
    return true;
}

bool irsafs_duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    int64_t value;
    if (!parse_digits(&text, &value)) {
        return false;
    }
    for (size_t i = 0; i < IRSAFS_COUNT(units); i++) {
        if (strcmp(text, units[i].unit) == 0 && value <= INT64_MAX / units[i].ms) {
            *ret_ms = value * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < IRSAFS_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_level(const char *text, int *ret_level)
{
    enum irsafs_log_level level;
    bool good = irsafs_log_level_parse(text, &level);
    *ret_level = good ? (int)level : *ret_level;
    return good;
}

/* At once: what is warned about while the rest is parsed has it, too. */
static bool take_format(const char *text)
{
    enum irsafs_log_format format;
    bool good = irsafs_log_format_parse(text, &format);
    if (good) {
        irsafs_log_set_format(format);
    }
    return good;
}

static bool parse_mode(const char *text, int64_t *ret_mode)
{
    int64_t mode = 0;
    if (text[0] == '\0' || strlen(text) > 4) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7') {
            return false;
        }
        mode = mode * 8 + (*text - '0');
    }
    *ret_mode = mode;
    return mode <= 0777;
}

enum { FORM_SIZE = 96 };

/* As a flag would take it, in the largest unit that divides it: "15m". */
static void show_duration(int64_t ms, char ret_text[24])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0 || (ms == 0 && units[i].ms > 1000)) {
        i++;
    }
    (void)snprintf(ret_text, 24, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

/* What a value must be, for a message. */
static const char *wanted_form(const struct irsafs_option *o, char ret_text[FORM_SIZE])
{
    char min[24];
    char max[24];
    switch (o->type) {
    case IRSAFS_OPT_FLAG:
        return "on or off";
    case IRSAFS_OPT_STRING:
        return o->values != NULL ? o->values : "not empty";
    case IRSAFS_OPT_DURATION:
        show_duration(o->min, min);
        show_duration(o->max, max);
        (void)snprintf(ret_text, FORM_SIZE, "a time with a unit (ms, s, m, h) from %s to %s", min,
                       max);
        return ret_text;
    case IRSAFS_OPT_UINT:
        (void)snprintf(ret_text, FORM_SIZE, "a number from %lld to %lld", (long long)o->min,
                       (long long)o->max);
        return ret_text;
    case IRSAFS_OPT_MODE:
        return "octal permission bits such as 0444";
    case IRSAFS_OPT_LEVEL:
    case IRSAFS_OPT_LOG_FORMAT:
        return irsafs_option_values(o);
    }
    return "";
}

const char *irsafs_option_values(const struct irsafs_option *option)
{
    return option->type == IRSAFS_OPT_LEVEL ? "debug, info, warn or error" : option->values;
}

/* Whether value is a word of "one, two or three". */
static bool is_one_of(const char *values, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = values; *at != '\0'; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");
        if (n == len && memcmp(at, value, n) == 0 && strcmp(value, "or") != 0) {
            return true;
        }
        at += n;
    }
    return false;
}

/* Stores value in the settings; false when it has not the wanted form or range. */
static bool store(const struct irsafs_option *o, void *settings, const char *value)
{
    void *field = (char *)settings + o->offset;
    int64_t number = 0;
    switch (o->type) {
    case IRSAFS_OPT_FLAG:
        return parse_bool(value, field);
    case IRSAFS_OPT_STRING:
        if (value[0] == '\0' || (o->values != NULL && !is_one_of(o->values, value))) {
            return false;
        }
        *(const char **)field = value;
        return true;
    case IRSAFS_OPT_MODE:
        return parse_mode(value, field);
    case IRSAFS_OPT_LEVEL:
        return parse_level(value, field);
    case IRSAFS_OPT_LOG_FORMAT:
        return take_format(value);
    case IRSAFS_OPT_DURATION:
        if (!irsafs_duration_parse(value, &number)) {
            return false;
        }
        break;
    case IRSAFS_OPT_UINT:
        if (!parse_digits(&value, &number) || *value != '\0') {
            return false;
        }
        break;
    }
    if (number < o->min || number > o->max) {
        return false;
    }
    *(int64_t *)field = number;
    return true;
}

static enum irsafs_code
from_environment(const struct irsafs_option *o, void *settings, struct irsafs_error *err)
{
    const char *at = o->env;
    while (at != NULL && *at != '\0') {
        char name[64];
        char form[FORM_SIZE];
        bool shared = *at == '?';
        at += shared ? 1 : 0;
        size_t len = strcspn(at, " ");
        if (len >= sizeof(name)) {
            return irsafs_error_set(err, IRSAFS_E_USAGE, "environment name of %zu bytes", len);
        }
        memcpy(name, at, len);
        name[len] = '\0';
        at += len + (at[len] == ' ' ? 1 : 0);
        const char *value = irsafs_env(name);
        if (value == NULL) {
            continue;
        }
        if (store(o, settings, value)) {
            return IRSAFS_OK;
        }
        if (!shared) {
            return irsafs_error_set(err, IRSAFS_E_BAD_VALUE, "%s=%.64s is not %s", name, value,
                                    wanted_form(o, form));
        }
        irsafs_log(IRSAFS_LOG_WARN, "setting_ignored", IRSAFS_LOG_TEXT("name", name),
                   IRSAFS_LOG_TEXT("value", value));
    }
    return IRSAFS_OK;
}

/* A value that the environment gave is the environment's own bytes. */
static bool find_variable(const struct irsafs_option *o, const char *value, char ret_name[64])
{
    char name[64] = "";
    for (const char *at = o->env; at != NULL && *at != '\0'; at += strspn(at, " ")) {
        at += *at == '?' ? 1 : 0;
        size_t len = strcspn(at, " ");
        if (len < sizeof(name)) {
            memcpy(name, at, len);
            name[len] = '\0';
            if (irsafs_env(name) == value) {
                memcpy(ret_name, name, sizeof(name));
                return true;
            }
        }
        at += len;
    }
    return false;
}

enum irsafs_code irsafs_option_refuse(const struct irsafs_option *o,
                                      const char *value,
                                      const char *wanted,
                                      struct irsafs_error *err)
{
    char variable[64];
    return find_variable(o, value, variable)
               ? irsafs_error_set(err, IRSAFS_E_BAD_VALUE, "%s is not %s", variable, wanted)
               : irsafs_error_set(err, IRSAFS_E_BAD_FLAG_VALUE, "--%s is not %s", o->name, wanted);
}

/* The parse in progress. A bit of seen[t] says that the option of table t came as a flag. */
enum { TABLES_MAX = 4 };
struct parse {
    const struct irsafs_option_table *tables;
    size_t n_tables;
    uint64_t seen[TABLES_MAX];
    struct irsafs_error *err;
};

/* Finds a flag by name or letter and marks it as seen. */
static const struct irsafs_option *find(struct parse *p,
                                        bool letter,
                                        const char *name,
                                        size_t len,
                                        const struct irsafs_option_table **ret_table)
{
    for (size_t t = 0; t < p->n_tables; t++) {
        for (size_t i = 0; i < p->tables[t].n_options; i++) {
            const struct irsafs_option *o = &p->tables[t].options[i];
            bool match = letter ? o->letter == name[0]
                                : strlen(o->name) == len && memcmp(o->name, name, len) == 0;
            if (match) {
                *ret_table = &p->tables[t];
                p->seen[t] |= UINT64_C(1) << i;
                return o;
            }
        }
    }
    return NULL;
}

static enum irsafs_code
note_given(struct parse *p, struct irsafs_given *given, char **words, size_t n_words)
{
    for (size_t i = 0; given != NULL && i < n_words; i++) {
        if (given->n == IRSAFS_GIVEN_MAX) {
            return irsafs_error_set(p->err, IRSAFS_E_USAGE, "too many flags");
        }
        given->words[given->n++] = words[i];
    }
    return IRSAFS_OK;
}

/* The value is not repeated: it may be a secret, for which there is no flag. */
static enum irsafs_code unknown_flag(struct parse *p, const char *word)
{
    size_t len = strcspn(word, "=");
    size_t dashes = strspn(word, "-");
    struct irsafs_nearest nearest = {.word = {word + dashes, len > dashes ? len - dashes : 0}};
    for (size_t t = 0; t < p->n_tables; t++) {
        for (size_t i = 0; i < p->tables[t].n_options; i++) {
            irsafs_nearest_offer(&nearest, p->tables[t].options[i].name);
        }
    }
    irsafs_nearest_offer(&nearest, "help");
    if (nearest.best != NULL) {
        return irsafs_error_set(p->err, IRSAFS_E_USAGE, "unknown flag '%.*s': did you mean --%s?",
                                len < 64 ? (int)len : 64, word, nearest.best);
    }
    return irsafs_error_set(p->err, IRSAFS_E_USAGE, "unknown flag '%.*s'", len < 64 ? (int)len : 64,
                            word);
}

/* One flag at argv[*at]; moves *at to its last word. */
static enum irsafs_code from_flag(struct parse *p, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool letter = word[1] != '-';
    const char *name = word + (letter ? 1 : 2);
    size_t len = letter ? (word[2] == '\0' ? 1 : 0) : strcspn(name, "=");
    int first = *at;
    const struct irsafs_option_table *table = NULL;
    const struct irsafs_option *o = len > 0 ? find(p, letter, name, len, &table) : NULL;
    if (o == NULL) {
        return unknown_flag(p, word);
    }
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (o->type == IRSAFS_OPT_FLAG && value == NULL) {
        value = "on";
    }
    if (value == NULL) {
        if (*at + 1 >= argc) {
            return irsafs_error_set(p->err, IRSAFS_E_USAGE, "--%s needs a value", o->name);
        }
        value = argv[++*at];
    }
    char form[FORM_SIZE];
    if (!store(o, table->settings, value)) {
        if (*value == '\0') {
            return irsafs_error_set(p->err, IRSAFS_E_BAD_FLAG_VALUE, "--%s: the value is empty",
                                    o->name);
        }
        return irsafs_error_set(p->err, IRSAFS_E_BAD_FLAG_VALUE, "--%s: '%.64s' is not %s", o->name,
                                value, wanted_form(o, form));
    }
    return note_given(p, table->given, argv + first, (size_t)*at + 1 - (size_t)first);
}

static enum irsafs_code
parse_words(struct parse *p, int argc, char **argv, int *n_words, bool *help)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
            return IRSAFS_OK;
        }
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc) {
                argv[++*n_words] = argv[i];
            }
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            enum irsafs_code code = from_flag(p, argc, argv, &i);
            if (code != IRSAFS_OK) {
                return code;
            }
        } else {
            argv[++*n_words] = argv[i];
        }
    }
    return IRSAFS_OK;
}

enum irsafs_code irsafs_options_parse(const struct irsafs_option_table *tables,
                                      size_t n_tables,
                                      int argc,
                                      char **argv,
                                      int *ret_n_words,
                                      bool *ret_help,
                                      struct irsafs_error *err)
{
    struct parse p = {.tables = tables, .n_tables = n_tables, .err = err};
    int n_words = 0;
    bool help = false;
    enum irsafs_code code = parse_words(&p, argc, argv, &n_words, &help);
    for (size_t t = 0; t < n_tables && code == IRSAFS_OK && !help; t++) {
        for (size_t i = 0; i < tables[t].n_options && code == IRSAFS_OK; i++) {
            if ((p.seen[t] >> i & 1) == 0) {
                code = from_environment(&tables[t].options[i], tables[t].settings, err);
            }
        }
    }
    if (code == IRSAFS_OK) {
        *ret_n_words = n_words;
        *ret_help = help;
    }
    return code;
}

void irsafs_options_print(FILE *out, const struct irsafs_option_table *tables, size_t n_tables)
{
    for (size_t t = 0; t < n_tables; t++) {
        (void)fprintf(out, "\n%s:\n", tables[t].title);
        for (size_t i = 0; i < tables[t].n_options; i++) {
            const struct irsafs_option *o = &tables[t].options[i];
            const char letter[] = {'-', o->letter, ',', ' ', '\0'};
            int n = fprintf(out, "  %s--%s%s%s", o->letter != '\0' ? letter : "", o->name,
                            o->arg ? " " : "", o->arg ? o->arg : "");
            for (const char *line = o->help; line != NULL; n = 0) {
                size_t len = strcspn(line, "\n");
                (void)fprintf(out, "%s%*s%.*s\n", n > 31 ? "\n" : "", n > 31 ? 32 : 32 - n, "",
                              (int)len, line);
                line = line[len] == '\n' ? line + len + 1 : NULL;
            }
            if (o->shown_default != NULL) {
                (void)fprintf(out, "%32s[default: %s]\n", "", o->shown_default);
            }
        }
    }
}
