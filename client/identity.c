/* SPDX-License-Identifier: Apache-2.0 */
#include "client/identity.h"

#include <openssl/evp.h>

static void freep(EVP_MD_CTX **md)
{
    EVP_MD_CTX_free(*md);
}

bool irsafs_identity(struct irsafs_str user,
                     struct irsafs_str run_id,
                     char ret_hex[IRSAFS_IDENTITY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    IRSAFS_CLEANUP(freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(md, user.ptr, user.len) != 1 || EVP_DigestUpdate(md, "", 1) != 1 ||
        EVP_DigestUpdate(md, run_id.ptr, run_id.len) != 1 || EVP_DigestFinal_ex(md, sum, &n) != 1 ||
        n != 32) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        ret_hex[2 * i] = digits[sum[i] >> 4];
        ret_hex[2 * i + 1] = digits[sum[i] & 15];
    }
    ret_hex[IRSAFS_IDENTITY_SIZE - 1] = '\0';
    return true;
}
