/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/options.h"
#include "client/doctor/checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE_ACCOUNT "system:serviceaccount:"
#define STS             "sts.amazonaws.com"
#define PROJECTION      "correct the projected volume of the mutation (serviceAccountToken)"

/* ---- the projected token */

int irsafs_doctor_read_identity(const void *doctor, int fd)
{
    const struct irsafs_doctor *d = doctor;
    IRSAFS_CLEANUP(irsafs_buf_deinit)
    struct irsafs_buf token = IRSAFS_SECRET_INIT(IRSAFS_TOKEN_MAX + 64);
    struct stat st;
    const char *path = d->client.web_identity_token_file;
    int errnum = irsafs_file_read(path, &token);
    if (errnum == 0 && stat(path, &st) == 0) {
        d->board->identity_mode = st.st_mode & 07777U;
    }
    if (errnum == 0 && !irsafs_write_all(fd, token.data != NULL ? token.data : "", token.len)) {
        errnum = errno;
    }
    return errnum;
}

static void explain_no_identity(struct irsafs_doctor *d)
{
    const char *path = d->client.web_identity_token_file;
    char reason[IRSAFS_FILE_REASON_SIZE];
    bool missing = d->identity_errnum == ENOENT || d->identity_errnum == ENOTDIR;
    if (missing && d->board->sidecar) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_NOT_TRIED, "",
                          "not tried: irsafs does not use it, ask where SDKs run");
        return;
    }
    if (missing) {
        char remedy[256];
        (void)snprintf(
            remedy, sizeof(remedy),
            "volume aws-user-token belongs on %.100s: see that the mutation selects this "
            "pod, restart its webhook (domsed), start the run anew",
            path);
        irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL, remedy,
                          "no projected token: the mutation is missing or not applied");
        return;
    }
    irsafs_file_reason(path, d->identity_errnum, "irsafs-client", reason);
    irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL,
                      d->identity_errnum == EACCES
                          ? "let every user of the run read it: defaultMode 0644 of its volume"
                          : PROJECTION,
                      "%.100s: %.140s", path, reason);
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == len && strncmp(at, word, len) == 0) {
            return true;
        }
        at += n;
    }
    return false;
}

/* https://oidc.eks.REGION.amazonaws.com/id/HEX, in China with .cn; RFC 8414 wants https in any case. */
static bool is_eks(const char *issuer)
{
    return strncmp(issuer, "https://oidc.eks.", 17) == 0 &&
           strstr(issuer, ".amazonaws.com") != NULL && strstr(issuer, "/id/") != NULL;
}

static bool is_service_account(const char *subject)
{
    size_t n = strlen(SERVICE_ACCOUNT);
    const char *colon = strchr(strlen(subject) > n ? subject + n : subject, ':');
    return strncmp(subject, SERVICE_ACCOUNT, n) == 0 && colon != NULL && colon > subject + n &&
           colon[1] != '\0' && strchr(colon + 1, ':') == NULL;
}

/* What is wrong with the claims: AWS would refuse the token. */
static bool refuse_claims(struct irsafs_board *b, const struct irsafs_jwt_hint *jwt)
{
    int64_t now_unix_s = irsafs_clock_real().tv_sec;
    size_t before = b->n;
    if (strncmp(jwt->iss, "https://", 8) != 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, PROJECTION, "issuer '%.120s' is no https URL",
                          jwt->iss);
    }
    if (!has_word(jwt->aud, STS)) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, PROJECTION ": audience " STS,
                          "audience '%.120s' is not " STS, jwt->aud);
    }
    if (!is_service_account(jwt->sub)) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, PROJECTION,
                          "subject '%.120s' is not " SERVICE_ACCOUNT "NAMESPACE:NAME", jwt->sub);
    }
    if (jwt->expires_unix_s != 0 && jwt->expires_unix_s <= now_unix_s) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL,
                          "kubelet renews it: see the pod's events; is the clock right?",
                          "it has expired");
    }
    return b->n > before;
}

static void judge_identity(struct irsafs_doctor *d)
{
    struct irsafs_board *b = d->board;
    struct irsafs_jwt_hint jwt;
    char end[IRSAFS_RFC3339_SIZE];
    struct irsafs_str token =
        irsafs_str_trim((struct irsafs_str){d->identity.data, strcspn(d->identity.data, "\r\n")});
    char *text = d->identity.data + (token.ptr - d->identity.data);
    text[token.len] = '\0';
    irsafs_jwt_hint_read(text, irsafs_clock_real().tv_sec, &jwt);
    irsafs_clock_rfc3339(jwt.expires_unix_s, end);
    if (!jwt.readable) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, PROJECTION, "%.150s holds no JWT",
                          d->client.web_identity_token_file);
    } else if (refuse_claims(b, &jwt)) {
        return;
    } else if (!is_eks(jwt.iss)) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          "AWS must know this issuer: see the OIDC provider of the proxy role's "
                          "account",
                          "the issuer is not EKS: %.150s", jwt.iss);
    } else if ((b->identity_mode & 0044U) == 0) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN,
                          "let every user of the run read it: defaultMode 0644 of its volume",
                          "mode %04o: only its owner can read it", b->identity_mode);
    } else {
        irsafs_board_ok(b, "%.100s, %s%s", jwt.sub + strlen(SERVICE_ACCOUNT),
                        jwt.expires_unix_s != 0 ? "valid until " : "does not say until when",
                        jwt.expires_unix_s != 0 ? end : "");
    }
}

void irsafs_doctor_identity(struct irsafs_doctor *d)
{
    if (d->identity_errnum != 0) {
        explain_no_identity(d);
    } else if (d->identity.len == 0) {
        irsafs_board_note(d->board, IRSAFS_LEVEL_FAIL, PROJECTION, "%.150s is empty",
                          d->client.web_identity_token_file);
    } else {
        judge_identity(d);
    }
}

/* ---- variables */

static bool is_set(const char *name)
{
    return irsafs_env(name) != NULL;
}

/* A role from the webhook, which SDKs take by themselves. */
static bool has_webhook_role(void)
{
    return is_set("AWS_ROLE_ARN") && is_set("AWS_WEB_IDENTITY_TOKEN_FILE");
}

static bool role_and_profile(void)
{
    return has_webhook_role() && is_set("AWS_PROFILE");
}

static bool role_without_profile(void)
{
    return has_webhook_role() && !is_set("AWS_PROFILE");
}

static bool role_alone(void)
{
    return is_set("AWS_ROLE_ARN") && !is_set("AWS_WEB_IDENTITY_TOKEN_FILE");
}

static bool token_file_alone(void)
{
    return is_set("AWS_WEB_IDENTITY_TOKEN_FILE") && !is_set("AWS_ROLE_ARN");
}

static bool keys(void)
{
    return is_set("AWS_ACCESS_KEY_ID") || is_set("AWS_SECRET_ACCESS_KEY") ||
           is_set("AWS_SESSION_TOKEN");
}

static bool sts_url(void)
{
    return is_set("AWS_ENDPOINT_URL_STS");
}

static bool container_credentials(void)
{
    return is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI") ||
           is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
}

static bool node_role(void)
{
    const char *value = irsafs_env("AWS_EC2_METADATA_DISABLED");
    return value == NULL || strcasecmp(value, "true") != 0;
}

static bool ca_bundle(void)
{
    const char *path = irsafs_env("AWS_CA_BUNDLE");
    return path != NULL && access(path, R_OK) != 0;
}

/* ~/.aws/NAME, where SDKs look when no variable says where. */
static const char *default_file(const char *name, char ret_path[PATH_MAX])
{
    const char *home = irsafs_env("HOME");
    (void)snprintf(ret_path, PATH_MAX, "%s/.aws/%s", home != NULL ? home : "~", name);
    return ret_path;
}

static bool credentials_file(void)
{
    const char *path = irsafs_env("AWS_SHARED_CREDENTIALS_FILE");
    char own[PATH_MAX];
    struct stat st;
    return stat(path != NULL ? path : default_file("credentials", own), &st) == 0 && st.st_size > 0;
}

static const struct clash {
    bool (*is_there)(void);
    const char *finding, *remedy;
} clashes[] = {
    {role_and_profile, "AWS_ROLE_ARN beats AWS_PROFILE in Go, Java, Ruby and CRT",
     "unset AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE in this container"},
    {role_without_profile, "AWS_ROLE_ARN: taken by SDKs that find no profile",
     "unset AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE in this container"},
    {role_alone, "AWS_ROLE_ARN is set, of no use without a token file",
     "unset it in this container"},
    {token_file_alone, "AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN",
     "unset it in this container: boto3 and Go fail without a profile, Go also with AWS_PROFILE"},
    {keys, "AWS_ACCESS_KEY_ID or its like: most SDKs prefer these keys",
     "unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"},
    {container_credentials, "AWS_CONTAINER_CREDENTIALS_*: SDKs without a profile take it",
     "unset it in this container: JS, Java and Rust say nothing when they take it"},
    {node_role, "AWS_EC2_METADATA_DISABLED is not true: node's role counts",
     "set AWS_EC2_METADATA_DISABLED=true: some SDKs take the node's role when they find no "
     "profile, and say nothing"},
    {sts_url, "AWS_ENDPOINT_URL_STS breaks every profile in the CRT",
     "unset it: AWS_STS_REGIONAL_ENDPOINTS and AWS_REGION choose the endpoint"},
    {credentials_file, "AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials is read, too",
     "let it hold no [default] and no profile of a name in config: which one counts differs "
     "between SDKs"},
};

/* The file as named may be a symlink into the mount: its folder is what counts. */
static bool is_config_of(const char *path, const char *mountpoint)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || strcmp(slash, "/config") != 0) {
        return false;
    }
    *slash = '\0';
    char *real = realpath(folder, NULL);
    bool same = strcmp(real != NULL ? real : folder, mountpoint) == 0;
    free(real);
    return same;
}

void irsafs_doctor_aws(struct irsafs_doctor *d)
{
    static const char set_it[] = "set it to MOUNTPOINT/config in this container";
    struct irsafs_board *b = d->board;
    const char *config = irsafs_env("AWS_CONFIG_FILE");
    char own[PATH_MAX];
    size_t before = b->n;
    if (b->sidecar) {
        irsafs_board_note(b, IRSAFS_LEVEL_NOT_TRIED, "",
                          "not tried: no SDK runs in the container of irsafs, ask where they do");
        return;
    }
    if (config == NULL && !is_config_of(default_file("config", own), b->mountpoint)) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, set_it,
                          "AWS_CONFIG_FILE is not set: SDKs read ~/.aws/config");
    } else if (config != NULL && !is_config_of(config, b->mountpoint)) {
        irsafs_board_note(b, IRSAFS_LEVEL_WARN, set_it,
                          "AWS_CONFIG_FILE is %.90s, not %.90s/config", config, b->mountpoint);
    }
    for (size_t i = 0; i < IRSAFS_COUNT(clashes); i++) {
        if (clashes[i].is_there()) {
            irsafs_board_note(b, IRSAFS_LEVEL_WARN, clashes[i].remedy, "%s", clashes[i].finding);
        }
    }
    if (ca_bundle()) {
        irsafs_board_note(b, IRSAFS_LEVEL_FAIL, "correct it, or unset it",
                          "AWS_CA_BUNDLE cannot be read: no SDK call succeeds");
    }
    if (b->profile_missing) {
        irsafs_board_note(
            b, IRSAFS_LEVEL_WARN,
            "name one that 'aws configure list-profiles' shows; some SDKs take another "
            "identity silently",
            "AWS_PROFILE=%.128s is not among the profiles", irsafs_env("AWS_PROFILE"));
    }
    if (b->n == before) {
        irsafs_board_ok(b, "no variable makes SDKs use another identity");
    }
}
