/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client_options.h"

#include "base/ascii.h"
#include "base/awsconfig/words.h"
#include "base/limits.h"
#include "base/sandbox.h"
#include "base/url.h"

#include <string.h>

#define FIELD(name) offsetof(struct irsafs_client_settings, name)

/* In two tables. */
#define TOKEN_PATH_OPTION                                                                          \
    {                                                                                              \
        .name = "web-identity-token-file",                                                         \
        .env = "IRSAFS_WEB_IDENTITY_TOKEN_FILE AWS_WEB_IDENTITY_TOKEN_FILE",                       \
        .type = IRSAFS_OPT_STRING, .offset = FIELD(web_identity_token_file), .arg = "PATH",        \
        .shown_default = "/var/run/secrets/eks.amazonaws.com/\n"                                   \
                         "                                 serviceaccount/token",                  \
        .help = "path written into the src_ profiles\n(AWS_WEB_IDENTITY_TOKEN_FILE)"               \
    }

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
     .help =
         "Domino API key, used only without URL and\ntoken file (DOMINO_USER_API_KEY: the key)"},
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
    TOKEN_PATH_OPTION,
    {.name = "fetch-timeout",
     .env = "IRSAFS_FETCH_TIMEOUT",
     .type = IRSAFS_OPT_DURATION,
     .offset = FIELD(fetch_timeout_ms),
     .min = 10,
     .max = INT64_C(3600) * 1000,
     .arg = "TIME",
     .shown_default = "60s",
     .help = "end of a whole fetch, token included"},
    {.name = "sandbox",
     .env = "IRSAFS_SANDBOX",
     .type = IRSAFS_OPT_STRING,
     .offset = FIELD(sandbox),
     .arg = "MODE",
     .shown_default = "best-effort",
     .values = "required, best-effort or off",
     .help = "where a wall (capabilities, seccomp, Landlock)\ncannot be had: required (fail), "
             "best-effort\n(go on), off (try none)"},
};

const struct irsafs_option_table irsafs_fetch_options = {
    .title = "Fetch",
    .options = options,
    .n_options = IRSAFS_COUNT(options),
};

static const struct irsafs_option text_options[] = {TOKEN_PATH_OPTION};

const struct irsafs_option_table irsafs_text_options = {
    .title = "Text",
    .options = text_options,
    .n_options = IRSAFS_COUNT(text_options),
};

struct irsafs_option_table irsafs_client_options(struct irsafs_client_settings *settings)
{
    *settings = (struct irsafs_client_settings){
        .web_identity_token_file = IRSAFS_DEFAULT_TOKEN_PATH,
        .fetch_timeout_ms = INT64_C(60) * 1000,
        .sandbox = irsafs_sandbox_mode_name(irsafs_sandbox_mode_default()),
    };
    struct irsafs_option_table table = irsafs_fetch_options;
    table.settings = settings;
    return table;
}

static bool is_url(const char *value)
{
    struct irsafs_url url;
    return irsafs_url_parse(value, &url);
}

/* TLS to the proxy itself is not supported: the checks of the certificate are those of the service. */
static bool is_proxy(const char *value)
{
    struct irsafs_url url;
    return irsafs_url_parse(value, &url) && !url.https;
}

static bool is_run_id(const char *value)
{
    return irsafs_is_run_id(value, strlen(value));
}

static bool is_token_path(const char *value)
{
    return value[0] == '/' && irsafs_is_config_value(value, strlen(value));
}

static const struct {
    const char *name;
    bool (*good)(const char *value);
    const char *wanted;
} forms[] = {
    {"endpoint", is_url, "a plain http or https URL (no user, no fragment)"},
    {"token-url", is_url, "a plain http or https URL (no user, no fragment)"},
    {"proxy", is_proxy, "a plain http URL (no user, no fragment)"},
    {"run-id", is_run_id, "a run id (letters, digits, '.', '_', '-', at most 63)"},
    {"web-identity-token-file", is_token_path,
     "an absolute path of visible ASCII, no quotes or #;[]"},
};

static enum irsafs_code
check_option(const struct irsafs_option *o, const char *value, struct irsafs_error *err)
{
    for (size_t i = 0; i < IRSAFS_COUNT(forms); i++) {
        if (strcmp(o->name, forms[i].name) != 0 || forms[i].good(value)) {
            continue;
        }
        return irsafs_option_refuse(o, value, forms[i].wanted, err);
    }
    return IRSAFS_OK;
}

enum irsafs_code irsafs_client_settings_check(const struct irsafs_option_table *table,
                                              struct irsafs_error *err)
{
    enum irsafs_code code = IRSAFS_OK;
    for (size_t i = 0; code == IRSAFS_OK && i < table->n_options; i++) {
        const struct irsafs_option *o = &table->options[i];
        if (o->type == IRSAFS_OPT_STRING) {
            const void *field = (const char *)table->settings + o->offset;
            const char *value = *(const char *const *)field;
            code = value != NULL ? check_option(o, value, err) : IRSAFS_OK;
        }
    }
    return code;
}
