/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_HTTP_H
#define IRSAFS_CLIENT_HTTP_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "client/certificate.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One HTTP request, one answer, closed by default: http and https only, HTTP/1.x, no redirects, no
 * compression, no cookies, no netrc, nothing from the environment, TLS >= 1.2 with a verified name.
 * The only file that knows libcurl and OpenSSL's TLS. */

struct irsafs_http_request {
    const char *url;        /* passes irsafs_url_parse */
    const char *json;       /* body of a POST; NULL: GET */
    const char *credential; /* whole header line, secret, free of control characters; NULL: none */
    const char *proxy;      /* NULL: none */
    const char *ca_file;    /* only this CA counts; NULL: the system's bundle */
    bool insecure;          /* accept any certificate */
    bool any_status;        /* the body counts whatever the status */
    int64_t deadline_ms;    /* irsafs_clock_boot_ms */
};

struct irsafs_http_answer {
    long status;
    int64_t retry_after_ms;             /* as the peer said; -1: nothing (or nothing sensible) */
    int64_t certificate_expires_unix_s; /* of the peer's own, trusted or not; 0: none was seen */
    int64_t date_unix_s;                /* of the header Date; 0: it did not say */
};

/* Who is at the other end. With a proxy the first two are the proxy's. */
struct irsafs_http_peer {
    bool resolved;    /* there is an address */
    char address[48]; /* "" when not connected */
    struct irsafs_certificate certificate;
};

/* Once, before anything else that uses TLS or hashes. E_MEMORY. */
enum irsafs_code irsafs_http_start(struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Sends and waits, until the deadline at most. For status 200 (or any_status) the whole body is appended to body,
 * whose ceiling bounds it; any other body is not even read.
 * E_DNS, E_CONNECT, E_TIMEOUT, E_TLS, E_BROKEN (nothing sensible came); E_CA_FILE; E_TOO_BIG, E_CUT,
 * E_BAD_HTTP (something came, but not an answer that we trust); E_MEMORY. Messages hold neither
 * foreign text nor the URL, only its host. *ret_answer is always set, with status 0 when there is
 * none. *ret_refused (always set): nothing listens there. */
enum irsafs_code irsafs_http_send(const struct irsafs_http_request *request,
                                  struct irsafs_buf *body,
                                  struct irsafs_http_answer *ret_answer,
                                  bool *ret_refused,
                                  struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* Connects as irsafs_http_send would, TLS included, and sends nothing: json and credential do not matter.
 * Errors as above, as far as they can come; *ret_peer is set in every case. */
enum irsafs_code irsafs_http_probe(const struct irsafs_http_request *request,
                                   struct irsafs_http_peer *ret_peer,
                                   struct irsafs_error *err) IRSAFS_MUST_CHECK;

/* "libcurl 7.88.1" and "OpenSSL 3.0.15", a line each. */
void irsafs_http_print_versions(FILE *out);

#endif
