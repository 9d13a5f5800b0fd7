/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"
#include "client/http_head.h"
#include "tests/unit/unit.h"

#include <string.h>

/* Which heads of an answer let the body be read. */

static enum irsafs_http_verdict take(struct irsafs_http_head *head, const char *text)
{
    enum irsafs_http_verdict verdict = IRSAFS_HTTP_GO_ON;
    while (*text != '\0' && verdict == IRSAFS_HTTP_GO_ON) {
        size_t len = strcspn(text, "\n") + 1;
        const char *why = NULL;
        verdict = irsafs_http_head_take(head, (struct irsafs_str){text, len}, &why);
        assert_int_equal(verdict == IRSAFS_HTTP_REFUSED, why != NULL);
        text += len;
    }
    return verdict;
}

static void test_heads(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        enum irsafs_http_verdict verdict;
        long status;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", IRSAFS_HTTP_GO_ON, 200},
        {"HTTP/1.0 200\r\ncontent-length:5\r\n\r\n", IRSAFS_HTTP_GO_ON, 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", IRSAFS_HTTP_GO_ON, 200},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\n",
         IRSAFS_HTTP_GO_ON, 200},
        {"HTTP/1.1 200 OK\r\n\r\n", IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 200 OK\r\nX-Content-Length: 5\r\n\r\n", IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", IRSAFS_HTTP_REFUSED,
         200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
         IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 404 Not Found\r\n\r\n", IRSAFS_HTTP_ENOUGH, 404},
        {"HTTP/1.1 204 No Content\r\n\r\n", IRSAFS_HTTP_ENOUGH, 204},
        {"HTTP/1.1 101 Switching\r\n\r\n", IRSAFS_HTTP_ENOUGH, 101},
        {"HTTP/1.1 xyz\r\n\r\n", IRSAFS_HTTP_ENOUGH, 0},
        {"HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
         IRSAFS_HTTP_REFUSED, 200},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         IRSAFS_HTTP_GO_ON, 200},
    };
    for (size_t i = 0; i < IRSAFS_COUNT(rows); i++) {
        struct irsafs_http_head head = {0};
        if (take(&head, rows[i].head) != rows[i].verdict || head.status != rows[i].status) {
            fail_msg("row %zu: status %ld", i, head.status);
        }
    }
}

static void test_trailers(void **state)
{
    (void)state;
    struct irsafs_http_head head = {0};
    assert_int_equal(take(&head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     IRSAFS_HTTP_GO_ON);
    assert_int_equal(take(&head, "Content-Length: 5\r\nHTTP/1.1 404 No\r\n\r\n"),
                     IRSAFS_HTTP_GO_ON);
    assert_int_equal(head.status, 200);
}

static void test_ceilings(void **state)
{
    (void)state;
    static char line[8192];
    memset(line, 'x', sizeof(line));
    struct irsafs_http_head many = {0};
    struct irsafs_http_head large = {0};
    const char *why = NULL;
    for (int i = 0; i < 128; i++) {
        assert_int_equal(irsafs_http_head_take(&many, (struct irsafs_str){"a: b\r\n", 6}, &why),
                         IRSAFS_HTTP_GO_ON);
    }
    assert_int_equal(irsafs_http_head_take(&many, (struct irsafs_str){"a: b\r\n", 6}, &why),
                     IRSAFS_HTTP_REFUSED);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(irsafs_http_head_take(&large, (struct irsafs_str){line, 8192}, &why),
                         IRSAFS_HTTP_GO_ON);
    }
    assert_int_equal(irsafs_http_head_take(&large, (struct irsafs_str){"\r\n", 2}, &why),
                     IRSAFS_HTTP_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
