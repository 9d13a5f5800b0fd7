/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_DOCTOR_CHECKS_H
#define IRSAFS_CLIENT_DOCTOR_CHECKS_H

#include "client/doctor/board.h"
#include "client/doctor/doctor.h"
#include "client/fetch.h"
#include "client/http.h"
#include "client/jwt_hint.h"

/* The checks. Each one notes one finding at least, and may block for as long as walk.c allows. */

/* One walk. Beside the board everything belongs to the process of a check: a check finds here what the
 * ones before it in the same process have left. */
struct irsafs_doctor {
    const struct irsafs_doctor_request *request;
    struct irsafs_client_settings client; /* a copy, with the time that is left */
    struct irsafs_board *board;
    /* the projected token, read before the walls are up: it is the programs' of the run, not ours */
    struct irsafs_buf identity;
    int identity_errnum; /* why it could not be read */
    /* of the process that does what a fetch does */
    int64_t deadline_ms; /* irsafs_clock_boot_ms */
    struct irsafs_url endpoint;
    char host[256];
    enum irsafs_code probed;
    struct irsafs_error probe_error;
    struct irsafs_http_peer peer;
    struct irsafs_jwt_hint token;
    struct irsafs_fetch fetch;
    int64_t fetched_unix_s; /* 0: not fetched */
};

/* host.c: this container and its mount */
void irsafs_doctor_survey(struct irsafs_doctor *d); /* no check: fills the facts about the mount */
void irsafs_doctor_way(
    struct irsafs_doctor *d);        /* no check: where no mount is seen, way and here */
bool irsafs_doctor_is_sidecar(void); /* whether irsafs is the first process of this container */
void irsafs_doctor_settings(struct irsafs_doctor *d);
void irsafs_doctor_fuse(struct irsafs_doctor *d);
void irsafs_doctor_mount(struct irsafs_doctor *d);
void irsafs_doctor_daemon(struct irsafs_doctor *d);
void irsafs_doctor_propagation(struct irsafs_doctor *d);
void irsafs_doctor_access(struct irsafs_doctor *d);

/* fetch.c: what a fetch needs, in its order; rights first, for good */
void irsafs_doctor_rights(struct irsafs_doctor *d);
void irsafs_doctor_labels(struct irsafs_doctor *d);
void irsafs_doctor_token(struct irsafs_doctor *d);
void irsafs_doctor_endpoint(struct irsafs_doctor *d);
void irsafs_doctor_dns(struct irsafs_doctor *d);
void irsafs_doctor_tcp(struct irsafs_doctor *d);
void irsafs_doctor_tls(struct irsafs_doctor *d);
void irsafs_doctor_mapping(struct irsafs_doctor *d);
void irsafs_doctor_clock(struct irsafs_doctor *d);

/* aws.c: what the programs of the run need */
int irsafs_doctor_read_identity(const void *doctor, int fd); /* no check: a job of deadline.h */
void irsafs_doctor_identity(struct irsafs_doctor *d);
void irsafs_doctor_aws(struct irsafs_doctor *d);

#endif
