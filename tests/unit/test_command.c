/* SPDX-License-Identifier: Apache-2.0 */
/* base/nearest and base/command: which word was meant, and where the verb stands. */
#include "base/command.h"
#include "base/nearest.h"
#include "tests/unit/unit.h"

#include <string.h>

static const char *nearest(const char *word, const char *const *candidates)
{
    struct irsafs_nearest n = {.word = {word, strlen(word)}};
    for (; *candidates != NULL; candidates++) {
        irsafs_nearest_offer(&n, *candidates);
    }
    return n.best != NULL ? n.best : "";
}

static void test_nearest(void **arg)
{
    (void)arg;
    static const char *const names[] = {"status",    "refresh", "ttl",   "wait", "stale-wait",
                                        "max-stale", "json",    "quiet", NULL};
    static const struct {
        const char *word, *wanted;
    } cases[] = {
        {"status", "status"},
        {"stauts", "status"},
        {"statsu", "status"},
        {"tatus", "status"},
        {"statuss", "status"},
        {"sttus", "status"},
        {"ref", "refresh"},
        {"ttll", "ttl"},
        {"tl", "ttl"},
        {"wiat", "wait"},
        {"stalewait", "stale-wait"},
        {"max-stael", "max-stale"},
        {"jsn", "json"},
        {"s", ""},
        {"x", ""},
        {"", ""},
        {"xyz", ""},
        {"w", ""},
        {"abcdefgh", ""},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(cases); i++) {
        assert_string_equal(nearest(cases[i].word, names), cases[i].wanted);
    }
    char longest[200];
    memset(longest, 's', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_string_equal(nearest(longest, names), "");
}

static const struct irsafs_option options[] = {
    {.name = "flag", .letter = 'f', .type = IRSAFS_OPT_FLAG},
    {.name = "text", .type = IRSAFS_OPT_STRING, .values = "one, two or three"},
};
static const struct irsafs_option_table table = {
    .title = "T", .options = options, .n_options = IRSAFS_COUNT(options)};
static const struct irsafs_verb first = {
    .name = "first", .summary = "1", .about = "", .tables = {&table}};
static const struct irsafs_verb second = {
    .name = "second", .words = "FILE", .summary = "2", .about = ""};
static const struct irsafs_verb hidden = {.name = "secret", .about = ""};
static const struct irsafs_verb *const verbs[] = {&first, &second, &hidden};
static const struct irsafs_program program = {
    .name = "p", .verbs = verbs, .n_verbs = IRSAFS_COUNT(verbs), .plain = &first};

static char *words[8];
static int n_words;

/* Takes the verb out of a command line; "" when there was none, an error's first word when it failed. */
static const char *take(const char *line)
{
    static char copy[128];
    static struct irsafs_error err;
    const struct irsafs_verb *verb = NULL;
    bool named = false;
    char *at = copy;
    (void)snprintf(copy, sizeof(copy), "p %s", line);
    n_words = 0;
    for (char *word; (word = strsep(&at, " ")) != NULL;) {
        words[n_words++] = word;
    }
    words[n_words] = NULL;
    if (irsafs_program_take_verb(&program, &n_words, words, &verb, &named, &err) != IRSAFS_OK) {
        return err.message;
    }
    return named ? verb->name : "";
}

static void test_place_of_the_verb(void **arg)
{
    (void)arg;
    assert_string_equal(take("second x"), "second");
    assert_int_equal(n_words, 2);
    assert_string_equal(words[1], "x");
    assert_null(words[2]);
    assert_string_equal(take("--text second first --flag"), "first");
    assert_int_equal(n_words, 4);
    assert_string_equal(take("--text=x --flag first"), "first");
    assert_string_equal(take("-f first"), "first");
    assert_string_equal(take("--flag"), "");
    assert_string_equal(take("--text first"), "");
    assert_string_equal(take("-- first"), "");
    assert_string_equal(take("secret"), "secret");
    assert_string_equal(take("secre"), "unknown verb 'secre'");
    assert_string_equal(take("frist"), "unknown verb 'frist': did you mean first?");
}

static void test_words(void **arg)
{
    (void)arg;
    char one[] = "a";
    char *list[] = {one, one, NULL};
    assert_int_equal(irsafs_verb_check_words(&first, 0, list, NULL), IRSAFS_OK);
    assert_int_equal(irsafs_verb_check_words(&first, 1, list, NULL), IRSAFS_E_USAGE);
    assert_int_equal(irsafs_verb_check_words(&second, 0, list, NULL), IRSAFS_E_USAGE);
    assert_int_equal(irsafs_verb_check_words(&second, 1, list, NULL), IRSAFS_OK);
    assert_int_equal(irsafs_verb_check_words(&second, 2, list, NULL), IRSAFS_E_USAGE);
}

static struct {
    bool flag;
    const char *text;
} parsed;

static enum irsafs_code parse(char *word)
{
    struct irsafs_option with_fields[] = {options[0], options[1]};
    with_fields[1].offset = (size_t)((const char *)&parsed.text - (const char *)&parsed);
    const struct irsafs_option_table with_settings = {
        .title = "T", .options = with_fields, .n_options = 2, .settings = &parsed};
    char name[] = "p";
    char *argv[] = {name, word, NULL};
    int n;
    bool help;
    parsed.flag = false;
    return irsafs_options_parse(&with_settings, 1, 2, argv, &n, &help, NULL);
}

static void test_letters_and_values(void **arg)
{
    (void)arg;
    char letter[] = "-f";
    char long_letter[] = "--f";
    char two[] = "-ff";
    char good[] = "--text=three";
    char bad[] = "--text=or";
    char part[] = "--text=thre";
    assert_int_equal(parse(letter), IRSAFS_OK);
    assert_true(parsed.flag);
    assert_int_equal(parse(long_letter), IRSAFS_E_USAGE);
    assert_int_equal(parse(two), IRSAFS_E_USAGE);
    assert_int_equal(parse(good), IRSAFS_OK);
    assert_string_equal(parsed.text, "three");
    assert_int_equal(parse(bad), IRSAFS_E_BAD_FLAG_VALUE);
    assert_int_equal(parse(part), IRSAFS_E_BAD_FLAG_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_place_of_the_verb),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_letters_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
