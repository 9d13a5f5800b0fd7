/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_BASE_REPORT_H
#define IRSAFS_BASE_REPORT_H

/* The report of irsafs-client, one JSON object on the descriptor of --report-fd, at most
 * IRSAFS_REPORT_MAX bytes. Written by client/report.c, read by fs/super/answer.c, documented here because
 * neither includes the other. A reader treats every value as foreign: type, length, ASCII.
 *
 * A client without memory for more writes schema, code and message only; every other key may be
 * missing.
 *
 * {
 *   "schema": 1,
 *   "code": 503,                 number of base/error.def; 0 = the text on stdout is good
 *   "message": "...",            null when code is 0; < IRSAFS_MESSAGE_MAX characters
 *   "retry_after_ms": 3000,      what the service asked for (not clamped), or null
 *   "connect_refused": false,    true: nothing listens there yet (containers start in any order)
 *   "identity": "<64 hex>",      SHA-256 of user and run id that the text belongs to, or null when
 *                                the run stopped before both were known
 *   "run_id": "...",             or null
 *   "workload_type": "...",      or null
 *   "profiles": 3,               sections in the text
 *   "token": {"source": "url"|"file"|"api_key"|null, "expires_at": "RFC 3339"|null},
 *   "endpoint": {"scheme": "http"|"https"|null, "host": "...", "tls": "verified"|"insecure"|"none"|null,
 *                "cert_expires_at": "RFC 3339"|null},   of the service's certificate, trusted or not
 *   "sandbox": ["no_new_privs", ...],   what took effect: irsafs_sandbox_names; [] before it was tried
 *   "dropped": {"total": 0, "items": [{"section": "...", "key": "..."|null, "reason": "..."}]}
 * }
 */
enum { IRSAFS_REPORT_SCHEMA = 1 };

#endif
