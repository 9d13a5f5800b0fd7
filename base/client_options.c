/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client_options.h"

#include "base/limits.h"

#define FIELD(name) offsetof(struct irsafs_client_settings, name)

static const struct irsafs_option options[] = {
    {.name = "endpoint",
     .env = "IRSAFS_ENDPOINT DOMINO_IRSA_ENDPOINT IAM_SA_MAPPING_ENDPOINT",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(endpoint),
     .arg = "URL",
     .help = "mapping service, full URL\n(DOMINO_IRSA_ENDPOINT)"},
    {.name = "token-url",
     .env = "IRSAFS_TOKEN_URL",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(token_url),
     .arg = "URL",
     .help = "where to get the Domino token\n(DOMINO_API_PROXY + /access-token)"},
    {.name = "token-file",
     .env = "IRSAFS_TOKEN_FILE DOMINO_TOKEN_FILE",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(token_file),
     .arg = "PATH",
     .help = "token file, also used when the URL fails\n(DOMINO_TOKEN_FILE)"},
    {.name = "api-key-file",
     .env = "IRSAFS_API_KEY_FILE",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(api_key_file),
     .arg = "PATH",
     .help = "Domino API key, used only without URL and\ntoken file (DOMINO_USER_API_KEY: the key)"},
    {.name = "run-id",
     .env = "IRSAFS_RUN_ID",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(run_id),
     .arg = "ID",
     .help = "run id; otherwise from the labels, last\nfrom DOMINO_RUN_ID"},
    {.name = "labels",
     .env = "IRSAFS_LABELS POD_INFO_PATH",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(labels),
     .arg = "PATH",
     .help = "the pod's labels, downward API file\n(POD_INFO_PATH)"},
    {.name = "ca-file",
     .env = "IRSAFS_CA_FILE DOMINO_IRSA_SSL_CERT",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(ca_file),
     .arg = "PATH",
     .help = "trust this CA, and no other\n(DOMINO_IRSA_SSL_CERT)"},
    {.name = "insecure-skip-tls-verify",
     .env = "IRSAFS_INSECURE_SKIP_TLS_VERIFY",
     .type = IRSAFS_OPT_FLAG,
     .offset = FIELD(insecure_skip_tls_verify),
     .help = "accept any certificate: anybody on the way\ncan then read the token"},
    {.name = "proxy",
     .env = "IRSAFS_PROXY",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(proxy),
     .arg = "URL",
     .help = "HTTP proxy; *_proxy variables do not count"},
    {.name = "web-identity-token-file",
     .env = "IRSAFS_WEB_IDENTITY_TOKEN_FILE AWS_WEB_IDENTITY_TOKEN_FILE",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(web_identity_token_file),
     .arg = "PATH",
     .shown_default = "/var/run/secrets/eks.amazonaws.com/\n"
                      "                                 serviceaccount/token",
     .help = "path written into the src_ profiles\n(AWS_WEB_IDENTITY_TOKEN_FILE)"},
    {.name = "fetch-timeout",
     .env = "IRSAFS_FETCH_TIMEOUT",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(fetch_timeout_ms),
     .min = 10,
     .max = 3600 * 1000,
     .arg = "TIME",
     .shown_default = "60s",
     .help = "end of a whole fetch, token included"},
};

struct irsafs_option_table irsafs_client_options(struct irsafs_client_settings *settings)
{
    *settings = (struct irsafs_client_settings){
        .web_identity_token_file = IRSAFS_DEFAULT_TOKEN_PATH,
        .fetch_timeout_ms = 60 * 1000,
    };
    return (struct irsafs_option_table){
        .title = "Fetch",
        .options = options,
        .n_options = IRSAFS_COUNT(options),
        .settings = settings,
    };
}
