/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IRSAFS_TESTS_UNIT_UNIT_H
#define IRSAFS_TESTS_UNIT_UNIT_H

/* cmocka.h wants these before it, in this order. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
