/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doctor/print.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FAILED = 1 };

static const struct {
    const char *shown;
    const char *json;
} levels[IRSAFS_LEVELS] = {
    [IRSAFS_LEVEL_OK] = {"OK", "ok"},
    [IRSAFS_LEVEL_WARN] = {"WARN", "warn"},
    [IRSAFS_LEVEL_FAIL] = {"FAIL", "fail"},
    [IRSAFS_LEVEL_NOT_TRIED] = {"--", "not_tried"},
};

struct sum {
    size_t of[IRSAFS_LEVELS];
};

static struct sum count(const struct irsafs_board *board)
{
    struct sum sum = {{0}};
    for (size_t i = 0; i < board->n; i++) {
        sum.of[board->findings[i].level]++;
    }
    return sum;
}

static int end(const struct sum *sum, bool printed)
{
    if (!printed || fflush(stdout) != 0) {
        struct irsafs_error err;
        (void)irsafs_error_set(&err, IRSAFS_E_IO, "the findings could not be printed");
        return irsafs_error_report("irsafs-client", &err);
    }
    return sum->of[IRSAFS_LEVEL_FAIL] > 0 ? FAILED : 0;
}

/* Broken at blanks, so that it fits a terminal. */
static bool print_remedy(const char *text)
{
    enum { WIDTH = 80 - 11 };
    bool printed = true;
    for (const char *lead = "        -> "; *text != '\0'; lead = "           ") {
        size_t n = strlen(text);
        if (n > WIDTH) {
            for (n = WIDTH; n > 0 && text[n] != ' '; n--) {
            }
            n = n > 0 ? n : strcspn(text, " ");
        }
        printed = printf("%s%.*s\n", lead, (int)n, text) >= 0 && printed;
        text += n;
        text += strspn(text, " ");
    }
    return printed;
}

int irsafs_doctor_print(const struct irsafs_board *board)
{
    const struct sum sum = count(board);
    bool printed = true;
    for (size_t i = 0; i < board->n; i++) {
        const struct irsafs_finding *f = &board->findings[i];
        printed = printf("%-4s  %-12s  %s\n", levels[f->level].shown,
                         irsafs_doctor_check_name(f->check), f->text) >= 0 &&
                  printed;
        printed = print_remedy(f->remedy) && printed;
    }
    printed = printf("\n%zu OK, %zu WARN, %zu FAIL, %zu not tried\n", sum.of[IRSAFS_LEVEL_OK],
                     sum.of[IRSAFS_LEVEL_WARN], sum.of[IRSAFS_LEVEL_FAIL],
                     sum.of[IRSAFS_LEVEL_NOT_TRIED]) >= 0 &&
              printed;
    return end(&sum, printed);
}

static json_t *finding_as_json(const struct irsafs_finding *f)
{
    char code[16];
    (void)snprintf(code, sizeof(code), "IRSAFS-E%03d", (int)f->code);
    return json_pack("{s:s,s:s,s:s?,s:s,s:s?}", "name", irsafs_doctor_check_name(f->check), "level",
                     levels[f->level].json, "code", f->code != IRSAFS_OK ? code : NULL, "finding",
                     f->text, "remedy", f->remedy[0] != '\0' ? f->remedy : NULL);
}

int irsafs_doctor_print_json(const struct irsafs_board *board)
{
    const struct sum sum = count(board);
    json_t *list = json_array();
    bool whole = list != NULL;
    for (size_t i = 0; i < board->n; i++) {
        whole = json_array_append_new(list, finding_as_json(&board->findings[i])) == 0 && whole;
    }
    json_t *doc = json_pack("{s:i,s:o,s:{s:I,s:I,s:I,s:I}}", "schema", 1, "checks", list, "summary",
                            "ok", (json_int_t)sum.of[IRSAFS_LEVEL_OK], "warn",
                            (json_int_t)sum.of[IRSAFS_LEVEL_WARN], "fail",
                            (json_int_t)sum.of[IRSAFS_LEVEL_FAIL], "not_tried",
                            (json_int_t)sum.of[IRSAFS_LEVEL_NOT_TRIED]);
    whole = whole && doc != NULL && json_dumpf(doc, stdout, JSON_INDENT(1)) == 0 && puts("") >= 0;
    json_decref(doc);
    return end(&sum, whole);
}
