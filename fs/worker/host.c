/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/host.h"

#include <arpa/inet.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_ours(const char *host, const char *own_host)
{
    struct in_addr in;
    if (host == NULL) {
        return false;
    }
    if (inet_pton(AF_INET, host, &in) == 1 &&
        ntohl(in.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET) {
        return true;
    }
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "[::1]") == 0 ||
           strcasecmp(host, own_host) == 0;
}

static bool is_own_origin(const char *origin, const char *own_host)
{
    struct evhttp_uri *uri = evhttp_uri_parse(origin);
    bool ours = uri != NULL && is_ours(evhttp_uri_get_host(uri), own_host);
    if (uri != NULL) {
        evhttp_uri_free(uri);
    }
    return ours;
}

static unsigned count_hosts(const struct evkeyvalq *headers)
{
    unsigned n = 0;
    for (const struct evkeyval *h = headers->tqh_first; h != NULL; h = h->next.tqe_next) {
        n += strcasecmp(h->key, "Host") == 0;
    }
    return n;
}

enum irsafs_host_judgement irsafs_host_judge(struct evhttp_request *request, const char *own_host)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *origin = evhttp_find_header(headers, "Origin");
    /* An <img> or a link sends no Origin, but a browser says where it stands (W3C Fetch Metadata). */
    const char *site = evhttp_find_header(headers, "Sec-Fetch-Site");
    unsigned hosts = count_hosts(headers);
    if (hosts > 1 || (hosts == 0 && (request->major > 1 || request->minor > 0))) {
        return IRSAFS_HOST_NOT_ONE;
    }
    /* Of the absolute form of the target, else of Host; HTTP/1.0 may do without. */
    const char *host = evhttp_request_get_host(request);
    if ((host != NULL && !is_ours(host, own_host)) ||
        (origin != NULL && !is_own_origin(origin, own_host)) ||
        (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)) {
        return IRSAFS_HOST_FOREIGN;
    }
    return IRSAFS_HOST_OURS;
}
