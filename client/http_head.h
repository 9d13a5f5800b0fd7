/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_HTTP_HEAD_H
#define IRSAFS_CLIENT_HTTP_HEAD_H

#include "base/str.h"

#include <stdbool.h>

/* What the head of an HTTP/1 answer says about its body. Pure; knows no HTTP library. */

struct irsafs_http_head {
    long status;
    size_t n_lines, n_bytes;
    unsigned n_lengths, n_chunked, n_other_codings;
    bool encoded;
    bool done;       /* what follows are trailers */
    bool any_status; /* given: the body counts whatever the status */
};

enum irsafs_http_verdict {
    IRSAFS_HTTP_GO_ON,   /* with the next line, or with the body */
    IRSAFS_HTTP_ENOUGH,  /* the status says it all: nobody needs the body */
    IRSAFS_HTTP_REFUSED, /* *ret_why says why, as the object of "sent" */
};

/* Takes one line as it came, end of line included. Refused are heads over the ceilings
 * (IRSAFS_RESPONSE_HEADERS_MAX bytes, 128 lines, interim answers and trailers included) and, for
 * status 200 (any, when any_status is set), a coded body and a body whose end is not announced or announced twice. */
enum irsafs_http_verdict
irsafs_http_head_take(struct irsafs_http_head *head, struct irsafs_str line, const char **ret_why);

#endif
