/* SPDX-License-Identifier: Apache-2.0 */
/* The input is what a client left behind: a line with its end ("exit 0", "signal 9", "killed"), its
 * report, a line "---", its text. Whoever wrote that: a text lands only if canon accepts it and the
 * client ended well, everything else is printable and bounded, `status` stays a small JSON document,
 * and what a reader of `config` then sees is canonical too. */
#include "base/awsconfig/canon.h"
#include "base/buf.h"
#include "base/limits.h"
#include "fs/worker/answer.h"
#include "fs/worker/status.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { TEXT_FILE, REPORT_FILE };

static const char token_path[] = IRSAFS_DEFAULT_TOKEN_PATH;
static const struct timespec real = {.tv_sec = 1767225600};

struct ending {
    int wait_status;
    bool killed;
};

static struct ending read_ending(struct irsafs_str line)
{
    struct ending e = {0};
    unsigned number = 0;
    for (size_t i = 0; i < line.len; i++) {
        unsigned digit = (unsigned)(unsigned char)line.ptr[i] - '0';
        number = digit < 10 ? (number * 10 + digit) % 256 : number;
    }
    if (irsafs_str_is(line, "killed")) {
        return (struct ending){.wait_status = 9, .killed = true};
    }
    if (irsafs_str_starts(line, "signal")) {
        e.wait_status = (int)(number % 64 + 1); /* WIFSIGNALED */
    } else {
        e.wait_status = (int)(number << 8); /* WIFEXITED */
    }
    return e;
}

static void assert_facts(const struct irsafs_client_facts *f)
{
    FUZZ_ASSERT(fuzz_is_clean(f->run_id, sizeof(f->run_id)));
    FUZZ_ASSERT(fuzz_is_clean(f->workload_type, sizeof(f->workload_type)));
    FUZZ_ASSERT(fuzz_is_clean(f->token_source, sizeof(f->token_source)));
    FUZZ_ASSERT(fuzz_is_clean(f->token_expires_at, sizeof(f->token_expires_at)));
    FUZZ_ASSERT(fuzz_is_clean(f->endpoint_scheme, sizeof(f->endpoint_scheme)));
    FUZZ_ASSERT(fuzz_is_clean(f->endpoint_host, sizeof(f->endpoint_host)));
    FUZZ_ASSERT(fuzz_is_clean(f->endpoint_tls, sizeof(f->endpoint_tls)));
    FUZZ_ASSERT(f->token_expires_s >= 0 && f->cert_expires_s >= 0);
    FUZZ_ASSERT(f->n_dropped <= IRSAFS_TEXT_MAX);
    FUZZ_ASSERT(fuzz_is_clean(f->sandbox, sizeof(f->sandbox)));
    FUZZ_ASSERT(strnlen(f->dropped, sizeof(f->dropped)) < sizeof(f->dropped));
    json_t *dropped = json_loads(f->dropped, 0, NULL);
    const json_t *items = json_object_get(dropped, "items");
    FUZZ_ASSERT(f->dropped[0] == '\0' ||
                (json_is_array(items) && json_is_integer(json_object_get(dropped, "total"))));
    FUZZ_ASSERT(json_array_size(items) <= IRSAFS_DROPPED_ITEMS_MAX);
    static const char *const keys[] = {"section", "key", "reason"};
    for (size_t i = 0; i < json_array_size(items) * IRSAFS_COUNT(keys); i++) {
        const json_t *word = json_object_get(json_array_get(items, i / 3), keys[i % 3]);
        FUZZ_ASSERT(json_is_null(word) || fuzz_is_clean(json_string_value(word), 200));
    }
    json_decref(dropped);
}

/* One block for all: zero again each time. */
static struct irsafs_core *new_core(void)
{
    static void *block = NULL;
    if (block == NULL) {
        block = mmap(NULL, irsafs_core_size(), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        FUZZ_ASSERT(block != MAP_FAILED);
    }
    FUZZ_ASSERT(madvise(block, irsafs_core_size(), MADV_DONTNEED) == 0);
    return block;
}

static struct irsafs_str document(const struct irsafs_view *view,
                                  const struct irsafs_client_facts *facts)
{
    static struct irsafs_worker_settings settings = {.mountpoint = "/var/run/.aws"};
    static const struct irsafs_sandbox_report sandbox;
    static const struct irsafs_listener_facts listeners[IRSAFS_LISTENERS];
    const struct irsafs_status status = {.view = view,
                                         .facts = facts,
                                         .settings = &settings,
                                         .sandbox = &sandbox,
                                         .listeners = listeners};
    return irsafs_status_render(&status);
}

/* A good text lands first or not at all, then this one; what does `config` show? */
static void assert_published(const struct irsafs_landing *landing,
                             const struct irsafs_client_facts *facts,
                             bool good_before)
{
    static const char good[] = "[profile before]\nweb_identity_token_file = "
                               "/var/run/secrets/eks.amazonaws.com/serviceaccount/token\n"
                               "role_arn=arn:aws:iam::123456789012:role/before\n";
    const struct irsafs_core_settings settings = {.ttl_ms = 1000,
                                                  .max_stale_ms = 100000,
                                                  .wait_ms = 5000,
                                                  .stale_wait_ms = 1000,
                                                  .fetch_timeout_ms = 60000,
                                                  .prefetch = true,
                                                  .mountpoint = "/var/run/.aws"};
    int64_t now_ms = 1000;
    struct irsafs_core *core = new_core();
    irsafs_core_init(core, &settings, now_ms, real);
    uint64_t flight = irsafs_core_effects(core, now_ms, real).start_flight;
    if (good_before) {
        const struct irsafs_landing first = {.text = good, .text_len = sizeof(good) - 1};
        irsafs_core_landed(core, flight, &first, now_ms, real);
        now_ms += 900; /* AGING: a look starts the next flight */
        (void)irsafs_core_lookup_config(core, now_ms, real);
        flight = irsafs_core_effects(core, now_ms, real).start_flight;
    }
    FUZZ_ASSERT(flight != 0);
    irsafs_core_landed(core, flight, landing, now_ms, real);
    irsafs_core_commit(core, NULL);
    now_ms += 5000; /* the TTL is over, and the waits */
    irsafs_core_tick(core, now_ms, real);
    struct irsafs_entry e = irsafs_core_lookup_config(core, now_ms, real);
    now_ms += 5000;
    (void)irsafs_core_effects(core, now_ms, real);
    irsafs_waiter_id waiter;
    const struct irsafs_request look = {.ino = e.ino};
    (void)irsafs_core_look(core, &look, now_ms, real, &waiter);
    irsafs_core_stop(core, now_ms, real);
    const struct irsafs_generation *g = irsafs_core_file(core, e.ino, now_ms, &e);
    FUZZ_ASSERT(g != NULL);
    struct irsafs_str parts[2];
    irsafs_files_parts(core, g, parts);
    /* The comments of the text below follow ours: each alone keeps to the limit of lines. */
    for (size_t i = 0; i < IRSAFS_COUNT(parts); i++) {
        size_t offset = 0;
        FUZZ_ASSERT(irsafs_canon_check(parts[i].ptr, parts[i].len, token_path, &offset) == NULL);
    }

    struct irsafs_view view = irsafs_core_view(core, now_ms);
    struct irsafs_str status = document(&view, facts);
    FUZZ_ASSERT(status.len > 0 && status.len <= IRSAFS_STATUS_MAX);
    json_t *json = json_loadb(status.ptr, status.len, 0, NULL);
    FUZZ_ASSERT(json_is_object(json));
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct irsafs_answer_settings settings = {
        .client = "/usr/bin/irsafs-client", .token_path = token_path, .fetch_timeout_ms = 60000};
    struct irsafs_str input = {(const char *)data, size};
    struct irsafs_str line = {"", 0};
    (void)irsafs_str_next_line(&input, &line);
    struct ending ending = read_ending(line);
    struct irsafs_str report = fuzz_cut(&input, "---");
    struct irsafs_client_facts facts = {.run_id = ""};
    struct irsafs_buf text = IRSAFS_BUF_INIT(IRSAFS_TEXT_MAX);
    struct irsafs_landing landing;
    (void)fuzz_file(TEXT_FILE, input);
    (void)fuzz_file(REPORT_FILE, report);
    memset(&landing, 0xA5, sizeof(landing));
    irsafs_answer_read(&settings, ending.wait_status, ending.killed, fuzz_file_fd(TEXT_FILE),
                       fuzz_file_fd(REPORT_FILE), &text, &landing, &facts);
    FUZZ_ASSERT((landing.error.code == IRSAFS_OK) == (landing.text != NULL));
    if (landing.text != NULL) {
        size_t offset = 0;
        FUZZ_ASSERT(ending.wait_status == 0 && !ending.killed);
        FUZZ_ASSERT(irsafs_str_equal((struct irsafs_str){landing.text, landing.text_len}, input));
        FUZZ_ASSERT(irsafs_canon_check(input.ptr, input.len, token_path, &offset) == NULL);
        FUZZ_ASSERT(input.len > 0);
    } else {
        FUZZ_ASSERT(irsafs_code_from_number((long)landing.error.code) == landing.error.code);
        FUZZ_ASSERT(fuzz_is_clean(landing.error.message, sizeof(landing.error.message)));
        FUZZ_ASSERT(landing.error.message[0] != '\0');
    }
    FUZZ_ASSERT(fuzz_is_clean(landing.identity, sizeof(landing.identity)));
    assert_facts(&facts);
    assert_published(&landing, &facts, false);
    assert_published(&landing, &facts, true);
    irsafs_buf_deinit(&text);
    return 0;
}
