/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_CERTIFICATE_H
#define IRSAFS_CLIENT_CERTIFICATE_H

#include <stdint.h>

struct x509_st; /* OpenSSL's X509 */

/* What a person wants to know of a certificate: printable ASCII, cut at the size, "" where it cannot be
 * had. Foreign text, for a terminal only. */
struct irsafs_certificate {
    char subject[96];
    char issuer[96];
    char names[128];        /* subject alternative names, separated by blanks */
    int64_t expires_unix_s; /* 0: there was no certificate */
};

/* Fills *ret. Lack of memory leaves fields empty. */
void irsafs_certificate_read(const struct x509_st *cert, struct irsafs_certificate *ret);

#endif
