/* SPDX-License-Identifier: Apache-2.0 */
#include "base/privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int irsafs_privileges_freeze(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static bool keep_one(cap_t from, cap_t to, cap_value_t capability)
{
    cap_flag_value_t has = CAP_CLEAR;
    if (cap_get_flag(from, capability, CAP_PERMITTED, &has) != 0 || has == CAP_CLEAR) {
        return true; /* or one that this libcap does not know */
    }
    return cap_set_flag(to, CAP_PERMITTED, 1, &capability, CAP_SET) == 0 &&
           cap_set_flag(to, CAP_EFFECTIVE, 1, &capability, CAP_SET) == 0;
}

int irsafs_capabilities_keep(const int *keep, size_t n_keep)
{
    for (int c = 0; cap_get_bound(c) >= 0; c++) { /* an error: there are no more */
        (void)cap_drop_bound(c);
    }
    (void)
        cap_reset_ambient(); /* a kernel before 4.3 has none; the kernel empties it below anyway */
    cap_t before = cap_get_proc();
    cap_t after = cap_init();
    bool ok = before != NULL && after != NULL;
    for (size_t i = 0; ok && i < n_keep; i++) {
        ok = keep_one(before, after, keep[i]);
    }
    ok = ok && cap_set_proc(after) == 0;
    int errnum = ok ? 0 : errno;
    (void)cap_free(before);
    (void)cap_free(after);
    return errnum;
}

bool irsafs_ids_are_not_root(void)
{
    uid_t u[3];
    gid_t g[3];
    return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
           u[0] != 0 && u[1] != 0 && u[2] != 0 && g[0] != 0 && g[1] != 0 && g[2] != 0;
}

void irsafs_limit_lower(__rlimit_resource_t resource, rlim_t max)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = limit.rlim_cur < max ? limit.rlim_cur : max;
        limit.rlim_max = limit.rlim_max < max ? limit.rlim_max : max;
        (void)setrlimit(resource, &limit);
    }
}
