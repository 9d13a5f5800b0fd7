/* SPDX-License-Identifier: Apache-2.0 */
#include "base/awsconfig/config.h"
#include "base/awsconfig/hash.h"
#include "base/awsconfig/words.h"

#include <stdlib.h>

/* Index of a section, counted from 1, so that zeroed memory means none. */
enum { NONE = 0 };

/* Names -> indices; open addressing, sized so that it never fills up. */
struct table {
    struct entry {
        struct irsafs_str name;
        uint32_t index;
    } * entries;
    uint32_t n_entries; /* a power of two */
    uint64_t hash_key;
};

struct resolver {
    struct irsafs_config *config;
    struct irsafs_dropped *dropped;
    struct table names; /* who has which name in the output; before: the nearest section above */
    struct table below; /* the nearest section below */
};

static const struct irsafs_str no_key;

static bool table_init(struct table *table, size_t n_sections)
{
    uint32_t n = 16;
    while (n < 6 * n_sections) { /* a section brings at most three names */
        n *= 2;
    }
    *table = (struct table){
        .entries = calloc(n, sizeof(struct entry)), .n_entries = n, .hash_key = irsafs_hash_key()};
    return table->entries != NULL;
}

static void table_clear(struct table *table)
{
    memset(table->entries, 0, table->n_entries * sizeof(table->entries[0]));
}

static void table_deinit(struct table *table)
{
    free(table->entries);
}

/* The place of this name, made (as NONE) when there was none. */
static uint32_t *at(struct table *table, struct irsafs_str name)
{
    uint32_t i = irsafs_hash(table->hash_key, name.ptr, name.len) % table->n_entries;
    while (table->entries[i].name.ptr != NULL && !irsafs_str_equal(table->entries[i].name, name)) {
        i = (i + 1) % table->n_entries;
    }
    table->entries[i].name = name;
    return &table->entries[i].index;
}

static struct irsafs_section *get(struct resolver *r, uint32_t index)
{
    return &r->config->sections[index - 1];
}

static bool is_asset(const struct irsafs_section *s)
{
    return s->kept && s->source.len > 0;
}

static bool is_direct(const struct irsafs_section *s)
{
    return s->kept && s->source.len == 0;
}

static void drop(struct resolver *r, struct irsafs_section *s, const char *reason)
{
    irsafs_config_drop(s, r->dropped, no_key, reason);
}

/* Which of two sections an asset means: the nearer one, the lower one when both are as near. So the
 * one right below goes before all others. */
static uint32_t nearer(uint32_t asset, uint32_t above, uint32_t below)
{
    if (above == NONE || below == NONE) {
        return above + below;
    }
    return below - asset <= asset - above ? below : above;
}

/* Finds the source of every asset. A section that parsing dropped is a candidate too: an asset whose
 * own source was refused must not end up with the source of somebody else. */
static void choose_sources(struct resolver *r)
{
    struct table *above = &r->names;
    struct table *below = &r->below;
    uint32_t n = (uint32_t)r->config->n_sections;
    for (uint32_t i = 1; i <= n; i++) {
        struct irsafs_section *s = get(r, i);
        if (is_asset(s)) {
            s->source_index = *at(above, s->source);
        } else if (s->name.len > 0) {
            *at(above, s->name) = i;
        }
    }
    for (uint32_t i = n; i >= 1; i--) {
        struct irsafs_section *s = get(r, i);
        if (!is_asset(s)) {
            if (s->name.len > 0) {
                *at(below, s->name) = i;
            }
            continue;
        }
        s->source_index = nearer(i, s->source_index, *at(below, s->source));
    }
    table_clear(above);
}

/* Before names are given: what goes now must not keep a name from others. */
static void drop_dangling(struct resolver *r)
{
    for (uint32_t i = 1; i <= r->config->n_sections; i++) {
        struct irsafs_section *s = get(r, i);
        if (!is_asset(s)) {
            continue;
        }
        if (s->source_index == NONE) {
            drop(r, s, "source_profile names no profile with web_identity_token_file");
        } else if (!get(r, s->source_index)->kept) {
            drop(r, s, "its source_profile was dropped");
        } else if (get(r, s->source_index)->owner_index == NONE) {
            get(r, s->source_index)->owner_index = i;
        }
    }
}

static bool is_src(struct irsafs_str name)
{
    return irsafs_str_starts(name, "src_");
}

/* The first section of a name has it; a direct profile src_x goes before a role called src_x. */
static void give_names(struct resolver *r)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i <= r->config->n_sections; i++) {
            const struct irsafs_section *s = get(r, i);
            if (round == 0 ? is_direct(s) && is_src(s->name) : s->kept) {
                uint32_t *place = at(&r->names, s->name);
                *place = *place == NONE ? i : *place;
            }
        }
    }
}

/* The section that has the name of section i; NULL when that is i itself. */
static struct irsafs_section *holder(struct resolver *r, uint32_t i)
{
    uint32_t index = *at(&r->names, get(r, i)->name);
    return index == i ? NULL : get(r, index);
}

static void rename_to_account(struct resolver *r, uint32_t i, struct irsafs_str account)
{
    struct irsafs_section *s = get(r, i);
    struct irsafs_config *c = r->config;
    struct irsafs_str name = {c->names + c->names_len, s->name.len + 1 + account.len};
    if (name.len > IRSAFS_PROFILE_NAME_MAX) {
        drop(r, s, "second section of this name, and too long to get another");
        return;
    }
    char *bytes = c->names + c->names_len;
    memcpy(bytes, s->name.ptr, s->name.len);
    bytes[s->name.len] = '@';
    memcpy(bytes + s->name.len + 1, account.ptr, account.len);
    uint32_t *place = at(&r->names, name);
    c->names_len += name.len; /* also when it is not taken: the table refers to it */
    if (*place != NONE) {
        drop(r, s, "second section of this name, also with its account");
        return;
    }
    *place = i;
    s->name = name;
    s->is_default = false;
    c->n_renamed++;
}

static void rename_assets(struct resolver *r)
{
    for (uint32_t i = 1; i <= r->config->n_sections; i++) {
        struct irsafs_section *s = get(r, i);
        const struct irsafs_section *first = is_asset(s) ? holder(r, i) : NULL;
        if (first == NULL) {
            continue;
        }
        bool makes_way = is_src(s->name) && is_direct(first);
        if (!makes_way && irsafs_str_equal(first->account, s->account)) {
            drop(r, s, "second section of this name in the same account");
        } else {
            rename_to_account(r, i, s->account);
        }
    }
}

/* A direct profile takes the account of the asset that leads to it: the two are found together. */
static void rename_direct(struct resolver *r)
{
    for (uint32_t i = 1; i <= r->config->n_sections; i++) {
        struct irsafs_section *s = get(r, i);
        const struct irsafs_section *first = is_direct(s) ? holder(r, i) : NULL;
        if (first == NULL) {
            continue;
        }
        bool owned = s->owner_index != NONE && get(r, s->owner_index)->kept;
        if (is_direct(first) && irsafs_str_equal(first->role_arn, s->role_arn)) {
            s->kept = false;
            s->source_index = *at(&r->names, s->name);
            r->config->n_shared++;
        } else if (owned) {
            rename_to_account(r, i, get(r, s->owner_index)->account);
        } else if (irsafs_str_equal(first->account, s->account)) {
            drop(r, s, "second section of this name in the same account");
        } else {
            rename_to_account(r, i, s->account);
        }
    }
}

/* The names of the sources are final now. A shared direct profile leads on to the one kept. */
static void lead_to_sources(struct resolver *r)
{
    for (uint32_t i = 1; i <= r->config->n_sections; i++) {
        struct irsafs_section *s = get(r, i);
        if (!is_asset(s)) {
            continue;
        }
        const struct irsafs_section *source = get(r, s->source_index);
        if (!source->kept && source->source_index != NONE) {
            source = get(r, source->source_index);
        }
        if (source->kept) {
            s->source = source->name;
        } else {
            drop(r, s, "its source_profile was dropped");
        }
    }
}

static void resolve(struct resolver *r)
{
    choose_sources(r);
    drop_dangling(r);
    give_names(r);
    rename_assets(r);
    rename_direct(r);
    lead_to_sources(r);
}

enum irsafs_code irsafs_config_resolve(struct irsafs_config *config,
                                       struct irsafs_dropped *dropped,
                                       struct irsafs_error *err)
{
    struct resolver r = {.config = config, .dropped = dropped};
    bool ok = table_init(&r.names, config->n_sections) && table_init(&r.below, config->n_sections);
    if (ok) {
        resolve(&r);
    }
    table_deinit(&r.names);
    table_deinit(&r.below);
    return ok ? IRSAFS_OK
              : irsafs_error_set(err, IRSAFS_E_MEMORY, "no memory for a table of names");
}
