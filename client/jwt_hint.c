/* SPDX-License-Identifier: Apache-2.0 */
#include "client/jwt_hint.h"

#include "base/attr.h"

#include <jwt.h>
#include <string.h>

enum { YEAR_S = 366 * 24 * 3600 };

static void freep(jwt_t **jwt)
{
    jwt_free(*jwt);
}

void irsafs_jwt_hint_read(const char *token, int64_t now_unix_s, struct irsafs_jwt_hint *ret_hint)
{
    IRSAFS_CLEANUP(freep) jwt_t *jwt = NULL;
    *ret_hint = (struct irsafs_jwt_hint){.sub = ""};
    /* Without a key libjwt only decodes: it accepts any signature, and refuses algorithms that it
     * does not know. */
    if (jwt_decode(&jwt, token, NULL, 0) != 0) {
        jwt = NULL;
        return;
    }
    int64_t exp = jwt_get_grant_int(jwt, "exp"); /* 0 for another type, -1 from the token itself */
    if (exp > now_unix_s - YEAR_S && exp < now_unix_s + YEAR_S && exp > 0) {
        ret_hint->expires_unix_s = exp;
    }
    const char *sub = jwt_get_grant(jwt, "sub");
    if (sub != NULL && strlen(sub) < sizeof(ret_hint->sub)) {
        memcpy(ret_hint->sub, sub, strlen(sub) + 1);
    }
}
