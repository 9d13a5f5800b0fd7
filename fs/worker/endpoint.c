/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/endpoint.h"

#include "base/clock.h"
#include "base/file.h"
#include "fs/worker/host.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_MAX = 8 << 10,
    BODY_MAX = 8 << 10,
    IDLE_S = 5,
    SWEEP_MS = 250,
    CALLS_MAX = 32, /* of /refresh; the other half of the connections stays for the other paths */
    METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD,
    KNOWN_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
                    EVHTTP_REQ_PATCH, /* for 405 */
};

static const char plain[] = "text/plain; charset=utf-8";
static const char html[] = "text/html; charset=utf-8";
static const char exposition[] = "text/plain; version=0.0.4; charset=utf-8";
static const char json[] = "application/json";

/* A call of /refresh that waits for its fetch. */
struct call {
    struct evhttp_request *request; /* NULL: free. libevent keeps it until it is answered, also when
                                       the peer has gone */
    struct irsafs_refresh refresh;
    uint64_t n_texts; /* when it came */
    int64_t limit_ms;
    int fd;
};

struct irsafs_endpoint {
    const struct irsafs_endpoint_source *source;
    int64_t refresh_limit_ms;
    struct listening {
        struct irsafs_endpoint *endpoint;
        enum irsafs_listening which;
        struct evhttp *http;
        struct evconnlistener *listener;
        char own_host[IRSAFS_HOST_MAX];
    } listening[IRSAFS_LISTENERS];
    struct event_base *base;
    struct event *sweep;
    bool paused, stopping;
    unsigned n_calls;
    struct call calls[CALLS_MAX];
    struct irsafs_connections connections;
};

/* ---- answering */

static void add_headers(struct evhttp_request *request, const char *type)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    (void)evhttp_add_header(headers, "Content-Type", type);
    (void)evhttp_add_header(headers, "Cache-Control", "no-store");
    (void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    (void)evhttp_add_header(headers, "Connection", "close");
}

/* The answer to a HEAD has the length of what is not sent. */
static void
answer(struct evhttp_request *request, int status, const char *type, struct irsafs_str body)
{
    char length[24];
    add_headers(request, type);
    (void)snprintf(length, sizeof(length), "%zu", body.len);
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Length", length);
    if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
        (void)evbuffer_add(evhttp_request_get_output_buffer(request), body.ptr, body.len);
    }
    evhttp_send_reply(request, status, NULL, NULL);
}

static void
answer_text(struct evhttp_request *request, int status, const char *type, const char *text)
{
    answer(request, status, type, (struct irsafs_str){text, strlen(text)});
}

static void
answer_document(struct evhttp_request *request, const char *type, struct irsafs_str document)
{
    if (document.len == 0) {
        answer_text(request, HTTP_SERVUNAVAIL, plain, "no memory: try again\n");
    } else {
        answer(request, HTTP_OK, type, document);
    }
}

/* ---- /healthz, /livez, /readyz, /status, /metrics */

static void serve_healthz(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    (void)e;
    answer_text(request, HTTP_OK, html, "{'status': 'Healthy'}");
}

static void serve_livez(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    (void)e;
    answer_text(request, HTTP_OK, plain, "ok\n");
}

static bool is_verbose(const struct evhttp_request *request)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    return query != NULL && (strcmp(query, "verbose") == 0 || strncmp(query, "verbose=", 8) == 0);
}

static void serve_readyz(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    struct irsafs_view view = e->source->view(e->source->user);
    const char *missing_front = e->source->missing_front(e->source->user);
    char missing[128] = "nobody has asked for it yet";
    if (view.error != NULL) {
        (void)snprintf(missing, sizeof(missing), "IRSAFS-E%03d, see /status",
                       (int)view.error->code);
    } else if (view.in_flight) {
        (void)snprintf(missing, sizeof(missing), "the first fetch is under way");
    }
    const struct {
        const char *name;
        bool good;
        const char *reason;
    } checks[] = {
        {"worker", !e->stopping, "it is stopping"},
        {e->source->front, missing_front == NULL, missing_front},
        {"text", view.have_text, missing},
    };
    const char *reason = NULL;
    char list[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < IRSAFS_COUNT(checks); i++) {
        if (checks[i].good) {
            len += (size_t)snprintf(list + len, sizeof(list) - len, "[+]%s ok\n", checks[i].name);
        } else {
            len += (size_t)snprintf(list + len, sizeof(list) - len, "[-]%s failed: %s\n",
                                    checks[i].name, checks[i].reason);
            reason = reason == NULL ? checks[i].reason : reason;
        }
    }
    if (is_verbose(request)) {
        (void)snprintf(list + len, sizeof(list) - len, "readyz check %s\n",
                       reason == NULL ? "passed" : "failed");
    } else if (reason == NULL) {
        (void)snprintf(list, sizeof(list), "ok\n");
    } else {
        (void)snprintf(list, sizeof(list), "not ready: %s\n", reason);
    }
    answer_text(request, reason == NULL ? HTTP_OK : HTTP_SERVUNAVAIL, plain, list);
}

static void serve_status(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    answer_document(request, json, e->source->status(e->source->user));
}

static void serve_metrics(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    answer_document(request, exposition, e->source->metrics(e->source->user));
}

/* ---- /refresh */

static void answer_json(struct evhttp_request *request, int status, json_t *document)
{
    char text[1024];
    size_t len = document != NULL ? json_dumpb(document, text, sizeof(text) - 1, 0) : 0;
    json_decref(document);
    if (len == 0 || len >= sizeof(text) - 1) {
        answer_text(request, HTTP_SERVUNAVAIL, plain, "no memory: try again\n");
        return;
    }
    text[len] = '\n';
    answer(request, status, json, (struct irsafs_str){text, len + 1});
}

static void answer_error(struct evhttp_request *request,
                         const struct irsafs_view *view,
                         const struct irsafs_error *err)
{
    char code[16];
    bool late = err->code == IRSAFS_E_NO_ANSWER_YET || err->code == IRSAFS_E_TIMEOUT;
    (void)snprintf(code, sizeof(code), "IRSAFS-E%03d", (int)err->code);
    answer_json(request, late ? 504 : 502,
                json_pack("{s:{s:s, s:s, s:s}, s:I, s:b}", "error", "code", code, "class",
                          irsafs_class_name(irsafs_code_class(err->code)), "message", err->message,
                          "generation", (json_int_t)view->generation, "stale",
                          view->have_text && view->state != IRSAFS_STATE_NONE));
}

static void
answer_call(struct irsafs_endpoint *e, struct call *call, const struct irsafs_error *late)
{
    struct evhttp_request *request = call->request;
    struct irsafs_view view = e->source->view(e->source->user);
    irsafs_connections_wait(&e->connections, call->fd, false);
    call->request = NULL;
    e->n_calls--;
    if (e->stopping) {
        answer_text(request, HTTP_SERVUNAVAIL, plain, "irsafs is stopping\n");
    } else if (view.error != NULL || late != NULL) {
        answer_error(request, &view, view.error != NULL ? view.error : late);
    } else {
        answer_json(request, HTTP_OK,
                    json_pack("{s:I, s:I, s:b}", "generation", (json_int_t)view.generation,
                              "profiles", (json_int_t)view.profiles, "changed",
                              view.n_texts != call->n_texts));
    }
}

static struct call *free_call(struct irsafs_endpoint *e)
{
    for (size_t i = 0; i < IRSAFS_COUNT(e->calls); i++) {
        if (e->calls[i].request == NULL) {
            return &e->calls[i];
        }
    }
    return NULL;
}

static void serve_refresh(struct irsafs_endpoint *e, struct evhttp_request *request)
{
    struct call *call = free_call(e);
    struct irsafs_view view = e->source->view(e->source->user);
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    if (call == NULL || e->stopping) {
        answer_text(request, HTTP_SERVUNAVAIL, plain, "not now: try again\n");
        return;
    }
    *call = (struct call){
        .n_texts = view.n_texts,
        .limit_ms = irsafs_clock_boot_ms() + e->refresh_limit_ms,
        .fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection)),
    };
    irsafs_connections_wait(&e->connections, call->fd, true);
    call->refresh = e->source->refresh(e->source->user);
    call->request = request; /* only now: it has begun */
    e->n_calls++;
    view = e->source->view(e->source->user);
    if (view.error != NULL && !view.in_flight && view.next_try_ms > e->refresh_limit_ms) {
        answer_call(e, call, NULL); /* the service asked for more patience than callers have */
    } else {
        irsafs_endpoint_settle(e);
    }
}

void irsafs_endpoint_settle(struct irsafs_endpoint *e)
{
    struct irsafs_error late;
    for (size_t i = 0; e->n_calls > 0 && i < IRSAFS_COUNT(e->calls); i++) {
        struct call *call = &e->calls[i];
        if (call->request == NULL) {
            continue;
        }
        if (e->stopping || e->source->refreshed(e->source->user, &call->refresh)) {
            answer_call(e, call, NULL);
        } else if (irsafs_clock_boot_ms() >= call->limit_ms) {
            (void)irsafs_error_set(&late, IRSAFS_E_NO_ANSWER_YET, "no answer within %lld ms",
                                   (long long)e->refresh_limit_ms);
            answer_call(e, call, &late);
        }
    }
}

/* ---- routing */

static const struct route {
    const char *path;
    const char *allow;
    void (*serve)(struct irsafs_endpoint *endpoint, struct evhttp_request *request);
    unsigned methods;
    bool metrics; /* served by the metrics listener too */
    bool own_host_only;
} routes[] = {
    {"/healthz", "GET, HEAD", serve_healthz, METHODS, false, false},
    {"/livez", "GET, HEAD", serve_livez, METHODS, true, false},
    {"/readyz", "GET, HEAD", serve_readyz, METHODS, true, false},
    {"/status", "GET, HEAD", serve_status, METHODS, false, false},
    {"/metrics", "GET, HEAD", serve_metrics, METHODS, true, false},
    {"/refresh", "GET, HEAD, POST", serve_refresh, METHODS | EVHTTP_REQ_POST, false, true},
};

static const struct route *find_route(const struct listening *l, const char *path)
{
    for (size_t i = 0; path != NULL && i < IRSAFS_COUNT(routes); i++) {
        if (strcmp(path, routes[i].path) == 0 &&
            (l->which == IRSAFS_LISTENING_CONTROL || routes[i].metrics)) {
            return &routes[i];
        }
    }
    return NULL;
}

static void on_request(struct evhttp_request *request, void *user)
{
    struct listening *l = user;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const struct route *route = find_route(l, uri != NULL ? evhttp_uri_get_path(uri) : NULL);
    enum irsafs_host_judgement host = irsafs_host_judge(request, l->own_host);
    if (host == IRSAFS_HOST_NOT_ONE) {
        answer_text(request, HTTP_BADREQUEST, plain, "a request has one Host\n");
    } else if (route == NULL) {
        answer_text(
            request, HTTP_NOTFOUND, plain,
            l->which == IRSAFS_LISTENING_METRICS
                ? "not here; there are /metrics /livez /readyz\n"
                : "not here; there are /healthz /livez /readyz /refresh /status /metrics\n");
    } else if (((unsigned)evhttp_request_get_command(request) & route->methods) == 0) {
        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", route->allow);
        answer_text(request, HTTP_BADMETHOD, plain, "not with this method: see Allow\n");
    } else if (route->own_host_only && host == IRSAFS_HOST_FOREIGN) {
        answer_text(request, 403, plain,
                    "asked for by the name of another host, or by a page of another site\n");
    } else {
        route->serve(l->endpoint, request);
    }
}

/* ---- connections */

static void pause_listening(struct irsafs_endpoint *e, bool pause)
{
    e->paused = pause;
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        struct evconnlistener *listener = e->listening[i].listener;
        if (listener != NULL) {
            (void)(pause ? evconnlistener_disable(listener) : evconnlistener_enable(listener));
        }
    }
}

static void sweep_later(struct irsafs_endpoint *e)
{
    const struct timeval pause = {.tv_usec = SWEEP_MS * 1000L};
    if (!evtimer_pending(e->sweep, NULL)) {
        (void)evtimer_add(e->sweep, &pause);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *user)
{
    struct irsafs_endpoint *e = user;
    (void)fd;
    (void)what;
    unsigned n = irsafs_connections_look(&e->connections, irsafs_clock_boot_ms());
    irsafs_endpoint_settle(e);
    if (e->paused && n < IRSAFS_CONNECTIONS_MAX && !e->stopping) {
        pause_listening(e, false);
    }
    if (n > 0 || e->paused) {
        sweep_later(e);
    }
}

/* Called for every connection, which has its descriptor by now. */
static struct bufferevent *on_connection(struct event_base *base, void *user)
{
    struct irsafs_endpoint *e = user;
    if (irsafs_connections_look(&e->connections, irsafs_clock_boot_ms()) >=
        IRSAFS_CONNECTIONS_MAX) {
        pause_listening(e, true);
    }
    sweep_later(e);
    return bufferevent_socket_new(base, -1, 0);
}

/* No descriptor or no memory for one more: later. */
static void on_accept_error(struct evconnlistener *listener, void *user)
{
    struct irsafs_endpoint *e = user;
    (void)listener;
    pause_listening(e, true);
    sweep_later(e);
}

/* ---- life */

struct irsafs_endpoint *irsafs_endpoint_new(struct event_base *base,
                                            const struct irsafs_endpoint_source *source,
                                            int64_t refresh_limit_ms)
{
    struct irsafs_endpoint *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return NULL;
    }
    e->base = base;
    e->source = source;
    e->refresh_limit_ms = refresh_limit_ms;
    for (size_t i = 0; i < IRSAFS_LISTENERS; i++) {
        e->listening[i] = (struct listening){.endpoint = e, .which = (enum irsafs_listening)i};
        e->connections.listeners[i] = -1;
    }
    e->sweep = evtimer_new(base, on_sweep, e);
    if (e->sweep == NULL) {
        free(e);
        return NULL;
    }
    return e;
}

static bool listen_on(struct irsafs_endpoint *e, struct listening *l, int fd)
{
    struct evhttp *http = evhttp_new(e->base);
    struct evconnlistener *listener =
        http != NULL ? evconnlistener_new(e->base, NULL, NULL,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
                     : NULL;
    if (listener == NULL || evhttp_bind_listener(http, listener) == NULL) {
        if (listener != NULL) {
            evconnlistener_free(listener);
        } else {
            (void)irsafs_fd_close(fd);
        }
        if (http != NULL) {
            evhttp_free(http);
        }
        return false;
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    evhttp_set_bevcb(http, on_connection, e);
    evhttp_set_gencb(http, on_request, l);
    evhttp_set_timeout(http, IDLE_S);
    evhttp_set_max_headers_size(http, HEAD_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_allowed_methods(http, KNOWN_METHODS);
    evhttp_set_default_content_type(http, NULL);
    l->http = http;
    l->listener = listener;
    return true;
}

bool irsafs_endpoint_listen(struct irsafs_endpoint *e,
                            enum irsafs_listening which,
                            int fd,
                            const char *address)
{
    const char *colon = strrchr(address, ':');
    struct listening *l = &e->listening[which];
    if (l->http != NULL) { /* the supervisor has sent it twice */
        (void)irsafs_fd_close(fd);
        return true;
    }
    (void)snprintf(l->own_host, sizeof(l->own_host), "%.*s",
                   colon != NULL ? (int)(colon - address) : 0, address);
    if (!listen_on(e, l, fd)) {
        return false;
    }
    e->connections.listeners[which] = fd;
    return true;
}

void irsafs_endpoint_stop(struct irsafs_endpoint *e)
{
    e->stopping = true;
    pause_listening(e, true);
    irsafs_endpoint_settle(e);
}
