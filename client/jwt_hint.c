/* SPDX-License-Identifier: Apache-2.0 */
#include "client/jwt_hint.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/limits.h"
#include "base/reserve.h"
#include "base/str.h"

#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { YEAR_S = 366 * 24 * 3600 };

static void jwt_freep(jwt_t **jwt)
{
    jwt_free(*jwt);
}

static void json_freep(json_t **json)
{
    json_decref(*json);
}

/* The part up to the next '.', cut off *rest. */
static bool next_part(struct irsafs_str *rest, struct irsafs_str *ret_part)
{
    size_t n = 0;
    while (n < rest->len &&
           (irsafs_is_alnum(rest->ptr[n]) || rest->ptr[n] == '-' || rest->ptr[n] == '_')) {
        n++;
    }
    bool ends = n == rest->len || rest->ptr[n] == '.';
    *ret_part = (struct irsafs_str){rest->ptr, n};
    rest->ptr += n;
    rest->len -= n;
    return ends;
}

static bool skip_dot(struct irsafs_str *rest)
{
    if (rest->len == 0) {
        return false;
    }
    rest->ptr++;
    rest->len--;
    return true;
}

/* To be asked before libjwt: 1.10 writes behind its buffer when a part is empty. */
static bool is_jwt(struct irsafs_str token, struct irsafs_str *ret_claims)
{
    struct irsafs_str header;
    struct irsafs_str signature;
    return token.len <= IRSAFS_TOKEN_MAX && next_part(&token, &header) && header.len > 0 &&
           skip_dot(&token) && next_part(&token, ret_claims) && ret_claims->len > 0 &&
           skip_dot(&token) && next_part(&token, &signature) && token.len == 0;
}

/* Without a key libjwt only decodes: it accepts any signature. */
static json_t *decode_with_libjwt(const char *token)
{
    IRSAFS_CLEANUP(jwt_freep) jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, NULL, 0) != 0) {
        jwt = NULL;
        return NULL;
    }
    char *text = jwt_get_grants_json(jwt, NULL);
    json_t *claims = text != NULL ? json_loads(text, 0, NULL) : NULL;
    irsafs_reserve_free(text); /* jansson's */
    return claims;
}

/* For the algorithms and types that libjwt refuses (PS256, EdDSA, at+jwt): the claims are base64url
 * of JSON all the same. */
static json_t *decode_claims(struct irsafs_str part)
{
    unsigned char base64[IRSAFS_TOKEN_MAX + 4];
    unsigned char text[IRSAFS_TOKEN_MAX];
    size_t padding = (4 - part.len % 4) % 4;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        base64[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    memset(base64 + part.len, '=', padding);
    int len = EVP_DecodeBlock(text, base64, (int)(part.len + padding));
    explicit_bzero(base64, part.len);
    return len < (int)padding ? NULL : json_loadb((char *)text, (size_t)len - padding, 0, NULL);
}

/* 0 for another type, too. */
static int64_t take_time(const json_t *claims, const char *key, int64_t now_unix_s)
{
    json_int_t time = json_integer_value(json_object_get(claims, key));
    return time > now_unix_s - YEAR_S && time < now_unix_s + YEAR_S && time > 0 ? time : 0;
}

/* Appends what is a text and fits whole. */
static void take_text(const json_t *value, char text[256])
{
    const char *more = json_string_value(value);
    size_t len = strlen(text);
    if (more != NULL && len + (len > 0 ? 1 : 0) + strlen(more) < 256) {
        memcpy(text + len, " ", len > 0 ? 1 : 0);
        memcpy(text + len + (len > 0 ? 1 : 0), more, strlen(more) + 1);
    }
}

static void take_audience(const json_t *aud, char text[256])
{
    take_text(aud, text); /* one, or an array of them (RFC 7519) */
    for (size_t i = 0; i < json_array_size(aud); i++) {
        take_text(json_array_get(aud, i), text);
    }
}

void irsafs_jwt_hint_read(const char *token, int64_t now_unix_s, struct irsafs_jwt_hint *ret_hint)
{
    *ret_hint = (struct irsafs_jwt_hint){.sub = ""};
    struct irsafs_str part;
    if (!is_jwt((struct irsafs_str){token, strlen(token)}, &part)) {
        return;
    }
    IRSAFS_CLEANUP(json_freep) json_t *claims = decode_with_libjwt(token);
    if (claims == NULL) {
        claims = decode_claims(part);
    }
    ret_hint->readable = json_is_object(claims);
    ret_hint->expires_unix_s = take_time(claims, "exp", now_unix_s);
    ret_hint->issued_unix_s = take_time(claims, "iat", now_unix_s);
    ret_hint->not_before_unix_s = take_time(claims, "nbf", now_unix_s);
    take_text(json_object_get(claims, "sub"), ret_hint->sub);
    take_text(json_object_get(claims, "iss"), ret_hint->iss);
    take_audience(json_object_get(claims, "aud"), ret_hint->aud);
}
