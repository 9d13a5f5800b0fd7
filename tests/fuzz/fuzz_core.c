/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a program of events for the state machine, two characters each, in any order:
 *   vN  settings no. N (first of all)        cN sN  LOOKUP of config, of status
 *   gN rN  GETATTR, READ of the N-th newest inode    tN  a touch
 *   iN  interrupt the N-th parked request    fN oN  FORGET one, all lookups of the N-th inode
 *   GN BN  the flight lands with text N, with failure N    XN  a flight that is none lands
 *   aN  the kernel was told (N > 0: of all but N)    FN  the next flight cannot be started
 *   KN  the worker dies at the N-th place (N > 0: of the one after a dead one), see death.h
 *   uN  the next event is rolled back and done again    ZN  another worker takes over
 *   +N  time passes    kN  until the next tick    qN  the next N events come at once    !N  stop
 * Asserted, beside world.c: every parked request is answered once, those of an inode in the order in
 * which they came; what is answered is READY or gone; the counts of lookups are those of the kernel,
 * and zero at the end; a service that works again always brings a fresh text. */
#include "tests/fuzz/death.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

static const char letters[] = "csgrtifoGBXaF+kq!vKuZ";

enum { FOREIGN_INO = 999 }; /* never handed out */

static struct fuzz_world world;
static unsigned together; /* events before the next settle */

static void see(struct fuzz_world *w, uint64_t ino)
{
    for (size_t i = 0; i < w->n_inodes; i++) {
        if (w->inodes[i].ino == ino) {
            fuzz_world_see(w, &w->inodes[i]);
        }
    }
}

static bool is_ready(const struct fuzz_world *w, uint64_t ino)
{
    struct irsafs_entry entry;
    return irsafs_core_file(w->core, ino, w->now_ms, &entry) != NULL;
}

/* Nobody who came earlier for the same inode may still wait. */
static void assert_order(const struct fuzz_world *w, uint64_t id, uint64_t ino)
{
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        FUZZ_ASSERT(w->parked[i].id == 0 || w->parked[i].ino != ino || w->parked[i].id >= id);
    }
}

static void take_answers(void *user)
{
    struct fuzz_world *w = user;
    struct irsafs_request request;
    while (irsafs_core_next_answer(w->core, &request)) {
        assert_order(w, request.handle, request.ino);
        fuzz_world_answered(w, request.handle, true);
        irsafs_core_answered(w->core);
        if (request.kind == IRSAFS_REQUEST_GETATTR || request.kind == IRSAFS_REQUEST_READ) {
            see(w, request.ino);
        }
    }
}

static struct irsafs_core *take_over(void *user)
{
    struct fuzz_world *w = user;
    fuzz_world_move(w);
    irsafs_core_take_over(w->core);
    irsafs_core_told(w->core, w->told);
    return w->core;
}

static uint64_t lookup_config(struct fuzz_world *w)
{
    uint64_t needed = w->needed_flight;
    uint64_t ino = 0;
    if (w->n_inodes < FUZZ_INODES_MAX) {
        struct irsafs_entry e = irsafs_core_lookup_config(w->core, w->now_ms, fuzz_world_real(w));
        bool ready = is_ready(w, e.ino);
        FUZZ_ASSERT(e.kind == IRSAFS_KIND_CONFIG && ready == (e.size > 0));
        FUZZ_ASSERT(ready || e.attr_timeout_ms == 0);
        FUZZ_ASSERT(e.entry_timeout_ms >= 0 && e.entry_timeout_ms <= 24 * 3600 * 1000);
        ino = fuzz_world_looked_up(w, e.ino, IRSAFS_KIND_CONFIG, needed)->ino;
    }
    return ino;
}

static void lookup_status(struct fuzz_world *w, unsigned arg)
{
    struct irsafs_entry e;
    if (w->n_inodes >= FUZZ_INODES_MAX) {
        return;
    }
    if (!irsafs_core_lookup_status(w->core, w->now_ms, &e)) {
        char text[64];
        memset(text, 's', sizeof(text));
        irsafs_core_publish_status(w->core, (struct irsafs_str){text, 1 + arg % sizeof(text)},
                                   w->now_ms, fuzz_world_real(w));
        FUZZ_ASSERT(irsafs_core_lookup_status(w->core, w->now_ms, &e));
    }
    FUZZ_ASSERT(e.kind == IRSAFS_KIND_STATUS && is_ready(w, e.ino) && e.entry_timeout_ms == 0);
    (void)fuzz_world_looked_up(w, e.ino, IRSAFS_KIND_STATUS, 0);
}

typedef enum irsafs_look look_fn(struct irsafs_core *core,
                                 const struct irsafs_request *request,
                                 int64_t now_ms,
                                 struct timespec real,
                                 irsafs_waiter_id *ret_waiter);

static void
request(struct fuzz_world *w, look_fn *look, enum irsafs_request_kind kind, uint64_t ino)
{
    struct fuzz_parked *p = fuzz_world_ask(w, kind, ino);
    if (p == NULL) {
        return;
    }
    const struct irsafs_request r = {.handle = p->id, .kind = kind, .ino = ino, .size = 100};
    switch (look(w->core, &r, w->now_ms, fuzz_world_real(w), &p->waiter)) {
    case IRSAFS_LOOK_READY:
        FUZZ_ASSERT(look == irsafs_core_touch || is_ready(w, ino));
        fuzz_world_answered(w, p->id, true);
        see(w, ino);
        break;
    case IRSAFS_LOOK_PARKED:
        FUZZ_ASSERT(p->waiter != 0 && (look == irsafs_core_touch || !is_ready(w, ino)));
        break;
    case IRSAFS_LOOK_GONE:
        FUZZ_ASSERT(look == irsafs_core_look && !is_ready(w, ino));
        fuzz_world_answered(w, p->id, false);
        break;
    case IRSAFS_LOOK_FULL:
        FUZZ_ASSERT(false); /* there is room for thousands */
    }
}

static void interrupt(struct fuzz_world *w, unsigned arg)
{
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        struct fuzz_parked *p = &w->parked[(i + arg) % FUZZ_PARKED_MAX];
        if (p->id != 0) {
            irsafs_core_interrupt(w->core, p->waiter);
            fuzz_world_answered(w, p->id, false);
            return;
        }
    }
}

static void forget(struct fuzz_world *w, struct fuzz_inode *inode, uint64_t n)
{
    if (inode != NULL && n > 0 && inode->n_lookups >= n && !fuzz_world_in_use(w, inode->ino)) {
        inode->n_lookups -= n;
        irsafs_core_forget(w->core, inode->ino, n);
    }
}

static void land_nothing(struct fuzz_world *w, unsigned arg)
{
    struct irsafs_landing landing = {.text = "!", .text_len = 1};
    irsafs_core_landed(w->core, w->n_flights + 1 + arg, &landing, w->now_ms, fuzz_world_real(w));
}

static bool is_fresh(const struct fuzz_world *w)
{
    return irsafs_core_view(w->core, w->now_ms).state == IRSAFS_STATE_FRESH;
}

static uint64_t sum_of_lookups(const struct fuzz_world *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->n_inodes; i++) {
        sum += w->inodes[i].n_lookups;
    }
    return sum;
}

static void step(struct fuzz_world *w, char letter, unsigned arg)
{
    struct fuzz_inode *inode = fuzz_world_inode(w, arg);
    switch (letter) {
    case 'c':
        (void)lookup_config(w);
        break;
    case 's':
        lookup_status(w, arg);
        break;
    case 'g':
    case 'r':
        request(w, irsafs_core_look, letter == 'g' ? IRSAFS_REQUEST_GETATTR : IRSAFS_REQUEST_READ,
                inode != NULL ? inode->ino : FOREIGN_INO);
        break;
    case 't':
        request(w, irsafs_core_touch, IRSAFS_REQUEST_SETATTR, 2);
        break;
    case 'i':
        interrupt(w, arg);
        break;
    case 'f':
        forget(w, inode, 1);
        break;
    case 'o':
        forget(w, inode, inode != NULL ? inode->n_lookups : 0);
        break;
    case 'G':
        fuzz_world_land_good(w, arg);
        break;
    case 'B':
        fuzz_world_land_bad(w, arg);
        break;
    case 'X':
        land_nothing(w, arg);
        break;
    case 'a':
        fuzz_world_told(w, w->tell - (arg < w->tell ? arg : w->tell));
        break;
    case 'F':
        w->fail_at_once = true;
        break;
    case '+':
        fuzz_world_pass(w, fuzz_world_duration_ms(arg));
        break;
    case 'k':
        fuzz_world_pass(w, w->next_tick_ms < INT64_MAX ? w->next_tick_ms - w->now_ms : 0);
        break;
    case 'K':
        fuzz_death_arm(arg + 1);
        break;
    case 'u':
        fuzz_death_rehearse();
        break;
    case 'Z':
        (void)take_over(w);
        break;
    case 'q':
        together = arg % 16 + 1;
        break;
    case '!':
        fuzz_world_stop(w);
        break;
    default:
        break;
    }
}

/* Whatever happened, a service that works again brings a fresh text to who looks. */
static void recover(struct fuzz_world *w)
{
    w->fail_at_once = false;
    fuzz_world_land_good(w, 0);
    fuzz_world_settle(w);
    fuzz_world_pass(w, 301 * 1000); /* the longest patience and back-off are over */
    fuzz_world_told(w, w->tell);
    request(w, irsafs_core_look, IRSAFS_REQUEST_GETATTR, lookup_config(w));
    fuzz_world_settle(w);
    fuzz_world_pass(w, w->settings.min_refresh_ms + 5);
    FUZZ_ASSERT(w->flight != 0 || is_fresh(w));
    fuzz_world_land_good(w, 0);
    fuzz_world_settle(w);
    FUZZ_ASSERT(is_fresh(w));
}

/* Everybody gets an answer within the bounds, whatever state this is; then all is forgotten. */
static void end(struct fuzz_world *w)
{
    fuzz_death_disarm();
    fuzz_world_settle(w);
    fuzz_world_told(w, w->tell);
    fuzz_world_pass(w, 6000);
    fuzz_world_told(w, w->tell);
    fuzz_world_settle(w);
    for (size_t i = 0; i < FUZZ_PARKED_MAX; i++) {
        FUZZ_ASSERT(w->parked[i].id == 0);
    }
    if (!w->stopped && w->n_inodes < FUZZ_INODES_MAX - 1) {
        recover(w);
    }
    FUZZ_ASSERT(irsafs_core_view(w->core, w->now_ms).usage.n_lookups == sum_of_lookups(w));
    for (size_t i = 0; i < w->n_inodes; i++) {
        fuzz_world_see(w, &w->inodes[i]);
        forget(w, &w->inodes[i], w->inodes[i].n_lookups);
    }
    struct irsafs_files_usage usage = irsafs_core_view(w->core, w->now_ms).usage;
    FUZZ_ASSERT(usage.n_lookups == 0 && usage.inodes <= IRSAFS_KINDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct irsafs_str program = {(const char *)data, size};
    struct fuzz_step s;
    unsigned variant = 0;
    bool more = fuzz_next_step(&program, letters, &s);
    if (more && letters[s.op] == 'v') {
        variant = s.arg;
    }
    fuzz_death_init(take_over, &world);
    fuzz_world_init(&world, variant);
    world.answer = take_answers;
    world.user = &world;
    together = 0;
    fuzz_world_settle(&world);
    for (; more; more = fuzz_next_step(&program, letters, &s)) {
        step(&world, letters[s.op], s.arg);
        together -= together > 0 ? 1 : 0;
        if (together == 0) {
            fuzz_world_settle(&world);
        }
    }
    end(&world);
    return 0;
}
