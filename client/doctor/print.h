/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_CLIENT_DOCTOR_PRINT_H
#define IRSAFS_CLIENT_DOCTOR_PRINT_H

#include "client/doctor/board.h"

/* The findings on stdout, for people and for programs. Return the exit status of the walk: 0, 1 when a
 * finding is FAIL, 75 when it could not be printed. */
int irsafs_doctor_print(const struct irsafs_board *board);
int irsafs_doctor_print_json(const struct irsafs_board *board);

/* Name of a check of the table in walk.c. */
const char *irsafs_doctor_check_name(size_t check);

#endif
