/* SPDX-License-Identifier: Apache-2.0 */
#include "client/certificate.h"

#include "base/ascii.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void take_name(const X509_NAME *name, char *text, size_t size)
{
    BIO *out = BIO_new(BIO_s_mem());
    if (out != NULL && X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE) > 0) {
        int n = BIO_read(out, text, (int)size - 1);
        text[n > 0 ? n : 0] = '\0';
        irsafs_ascii_clean(text, strlen(text));
    }
    BIO_free(out);
}

static void add_alternative(const GENERAL_NAME *name, char *text, size_t size)
{
    char address[INET6_ADDRSTRLEN] = "?";
    const char *word = address;
    int len = -1;
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS) {
        word = (const char *)ASN1_STRING_get0_data(value);
        len = ASN1_STRING_length(value);
    } else if (type == GEN_IPADD) {
        int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
        if (ASN1_STRING_length(value) == (family == AF_INET ? 4 : 16)) {
            (void)inet_ntop(family, ASN1_STRING_get0_data(value), address, sizeof(address));
        }
    } else {
        return; /* counts for no host */
    }
    size_t used = strlen(text);
    (void)snprintf(text + used, size - used, "%s%.*s", used > 0 ? " " : "",
                   len >= 0 ? len : (int)strlen(word), word);
    irsafs_ascii_clean(text, strlen(text));
}

static void take_alternatives(const X509 *cert, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        add_alternative(sk_GENERAL_NAME_value(names, i), text, size);
    }
    GENERAL_NAMES_free(names);
}

void irsafs_certificate_read(const X509 *cert, struct irsafs_certificate *ret)
{
    *ret = (struct irsafs_certificate){.subject = ""};
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) == 1) {
        ret->expires_unix_s = timegm(&end);
    }
    take_name(X509_get_subject_name(cert), ret->subject, sizeof(ret->subject));
    take_name(X509_get_issuer_name(cert), ret->issuer, sizeof(ret->issuer));
    take_alternatives(cert, ret->names, sizeof(ret->names));
}
