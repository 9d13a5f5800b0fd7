/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_FACTS_H
#define IRSAFS_FS_SHARED_FACTS_H

enum { IRSAFS_DROPPED_MAX = 12 << 10 };

/* The part of the client's report that `status` shows. A field that is not known is "". */
struct irsafs_client_facts {
    char run_id[64];
    char workload_type[64];
    char token_source[16];
    char token_expires_at[32];
    char endpoint_scheme[8];
    char endpoint_host[256];
    char endpoint_tls[16];
    char sandbox[128]; /* what took effect, separated by blanks */
    /* JSON: {"total": n, "items": [{"section","key","reason"}]}; items that do not fit are left out. */
    char dropped[IRSAFS_DROPPED_MAX];
};

#endif
