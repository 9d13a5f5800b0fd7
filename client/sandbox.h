/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_SANDBOX_H
#define IRSAFS_CLIENT_SANDBOX_H

#include "base/client_options.h"
#include "base/sandbox.h"

/* The walls around a fetch: put up when the settings are known and before anything foreign is read.
 *
 * Files: none is written, created or listed. Read are the folders of token file, API key file, labels and
 * CA file, what the C library's resolver reads, the system's certificates, libraries (NSS and gconv
 * modules), /dev/urandom. Network: TCP and UDP over IPv4 and IPv6, going out only, and the netlink socket
 * that getaddrinfo(3) looks addresses up with. A resolver's thread can be started, no process and no
 * program. Everything else is EPERM, and nothing kills: a library that asks for more shall go on without.
 *
 * Ids stay as they are. Capabilities go, but DAC_OVERRIDE and DAC_READ_SEARCH of a client that root starts
 * by hand: they are how root reads other people's files, and writing is refused above. */

/* To be called once, without threads. Lowers RLIMIT_CORE to 0 and RLIMIT_NOFILE to 256. Does not block on
 * anything but the file systems of the paths. *ret_report is always set; its uid is true when no id is
 * root's, which no mode demands. E_SANDBOX (required only). Mode off changes nothing. */
enum irsafs_code irsafs_client_confine(const struct irsafs_client_settings *settings,
                                       enum irsafs_sandbox_mode mode,
                                       struct irsafs_sandbox_report *ret_report,
                                       struct irsafs_error *err) IRSAFS_MUST_CHECK;

#endif
