/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_SHARED_FACTS_H
#define IRSAFS_FS_SHARED_FACTS_H

#include <stdint.h>

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
    int64_t token_expires_s, cert_expires_s; /* unix time; 0: not known */
    uint64_t n_dropped; /* of the last flight alone: 0 when it left no report */
    char sandbox[128];  /* what took effect, separated by blanks */
    /* JSON: {"total": n, "items": [{"section","key","reason"}]}; items that do not fit are left out. */
    char dropped[IRSAFS_DROPPED_MAX];
};

#endif
