/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_WORKER_HOST_H
#define IRSAFS_FS_WORKER_HOST_H

/* By which name a request asks for us: a page in a browser can make it send requests to loopback under
 * a name of its own (DNS rebinding), and may not make us do anything. */

struct evhttp_request;

enum { IRSAFS_HOST_MAX = 64 };

enum irsafs_host_judgement {
    IRSAFS_HOST_OURS, /* localhost, a loopback address or own_host; no Origin or Sec-Fetch-Site of another */
    IRSAFS_HOST_FOREIGN,
    IRSAFS_HOST_NOT_ONE, /* two, or none though HTTP/1.1 demands it (RFC 9112, 3.2) */
};

/* own_host: without port, IPv6 in brackets. */
enum irsafs_host_judgement irsafs_host_judge(struct evhttp_request *request, const char *own_host);

#endif
