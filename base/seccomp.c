/* SPDX-License-Identifier: Apache-2.0 */
#include "base/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libseccomp knows names and architectures; the program is put together here. Its own generator (2.5.4)
 * needs the heap and, when one allocation fails, never comes back from seccomp_load. */

enum { INSTRUCTIONS_MAX = 1024 }; /* the kernel takes 4096: BPF_MAXINSNS */

struct program {
    struct sock_filter code[INSTRUCTIONS_MAX];
    unsigned short n;
    bool full;
};

static void put(struct program *p, int code, uint32_t k, unsigned if_true, unsigned if_false)
{
    if (p->n == INSTRUCTIONS_MAX) {
        p->full = true;
        return;
    }
    p->code[p->n++] = (struct sock_filter){
        .code = (uint16_t)code, .jt = (uint8_t)if_true, .jf = (uint8_t)if_false, .k = k};
}

static void load(struct program *p, size_t offset)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static uint32_t answer(enum irsafs_seccomp_action action)
{
    switch (action) {
    case IRSAFS_SECCOMP_ALLOW:
        return SECCOMP_RET_ALLOW;
    case IRSAFS_SECCOMP_REFUSE:
        return SECCOMP_RET_ERRNO | EPERM;
    case IRSAFS_SECCOMP_ABSENT:
        return SECCOMP_RET_ERRNO | ENOSYS;
    case IRSAFS_SECCOMP_KILL:
        break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static void give(struct program *p, enum irsafs_seccomp_action action)
{
    put(p, BPF_RET | BPF_K, answer(action), 0, 0);
}

/* One half of an argument; how far the jump goes when it is another is filled in by the caller. */
static void
compare_half(struct program *p, unsigned argument, bool high, uint64_t mask, uint64_t value)
{
    uint32_t half_mask = (uint32_t)(high ? mask >> 32 : mask);
    uint32_t half_value = (uint32_t)(high ? value >> 32 : value);
    bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    if (half_mask == 0) {
        return;
    }
    load(p, offsetof(struct seccomp_data, args) + sizeof(uint64_t) * argument +
                (second ? sizeof(uint32_t) : 0));
    put(p, BPF_ALU | BPF_AND | BPF_K, half_mask, 0, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, half_value, 0, 0);
}

/* The number is in the accumulator before and after. What does not match goes on behind the rule. */
static void add_rule(struct program *p,
                     enum irsafs_seccomp_action action,
                     const struct irsafs_seccomp_rule *rule)
{
    int number = seccomp_syscall_resolve_name(rule->call);
    if (number < 0) {
        return; /* unknown, or not of this architecture */
    }
    unsigned begin = p->n;
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    for (size_t i = 0; i < IRSAFS_SECCOMP_CHECKS_MAX && rule->checks[i].mask != 0; i++) {
        const struct irsafs_seccomp_check *c = &rule->checks[i];
        uint64_t value = c->value == IRSAFS_SECCOMP_OWN_PID ? (uint64_t)getpid() : c->value;
        compare_half(p, c->argument, false, c->mask, value);
        compare_half(p, c->argument, true, c->mask, value);
    }
    bool checked = p->n > begin + 1;
    give(p, action);
    unsigned end = p->n;
    for (unsigned i = begin; i < end; i++) {
        if (BPF_CLASS(p->code[i].code) == BPF_JMP) {
            p->code[i].jf =
                (uint8_t)(end - i - 1); /* onto the reload, which another number skips */
        }
    }
    if (checked) {
        load(p, offsetof(struct seccomp_data, nr));
        p->code[begin].jf++;
    }
}

/* Numbers mean something only for the architecture that they were looked up for. */
static void begin_program(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0);
    give(p, IRSAFS_SECCOMP_KILL);
    load(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    put(p, BPF_JMP | BPF_JGE | BPF_K, UINT32_C(0x40000000), 0,
        1); /* x32 is the same architecture */
    give(p, IRSAFS_SECCOMP_KILL);
#endif
}

int irsafs_seccomp_load(enum irsafs_seccomp_action otherwise,
                        const struct irsafs_seccomp_group *groups,
                        size_t n_groups)
{
    struct program p = {.n = 0};
    begin_program(&p);
    for (size_t i = 0; i < n_groups; i++) {
        for (size_t j = 0; j < groups[i].n_rules; j++) {
            add_rule(&p, groups[i].action, &groups[i].rules[j]);
        }
    }
    give(&p, otherwise);
    if (p.full) {
        return E2BIG;
    }
    const struct sock_fprog program = {.len = p.n, .filter = p.code};
    long result =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return result == 0 ? 0 : result > 0 ? EBUSY : errno; /* > 0: the thread that could not follow */
}
