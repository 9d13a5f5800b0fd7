/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_FS_PROBE_H
#define IRSAFS_FS_PROBE_H

#include "base/command.h"

/* The verb for kubelet's exec probes. It is in this program and not in the client, since it is started every few
 * seconds: without libcurl and OpenSSL it takes a quarter of the time and of the memory. */
extern const struct irsafs_verb irsafs_probe_verb;
int irsafs_probe_main(int argc, char **argv);

#endif
