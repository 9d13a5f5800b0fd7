/* SPDX-License-Identifier: Apache-2.0 */
#include "client/labels.h"

#include "base/ascii.h"

#include <stdint.h>

enum { LABELS_MAX = 8 };

/* The value being decoded; overflow is remembered, not an error: most labels are not for us. */
struct decoded {
    char bytes[sizeof(((struct irsafs_label *)0)->value)];
    size_t len;
    bool overflow;
};

static void put_byte(struct decoded *d, unsigned byte)
{
    if (byte == 0 || d->len + 1 >= sizeof(d->bytes)) {
        d->overflow = true;
        return;
    }
    d->bytes[d->len++] = (char)(unsigned char)byte;
}

static void put_rune(struct decoded *d, uint32_t rune)
{
    if (rune < 0x80) {
        put_byte(d, rune);
    } else if (rune < 0x800) {
        put_byte(d, 0xC0 | rune >> 6);
        put_byte(d, 0x80 | (rune & 0x3F));
    } else {
        if (rune < 0x10000) {
            put_byte(d, 0xE0 | rune >> 12);
        } else {
            put_byte(d, 0xF0 | rune >> 18);
            put_byte(d, 0x80 | (rune >> 12 & 0x3F));
        }
        put_byte(d, 0x80 | (rune >> 6 & 0x3F));
        put_byte(d, 0x80 | (rune & 0x3F));
    }
}

static int hex_digit(char c)
{
    if (irsafs_is_digit(c)) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The digits of \xHH, \uXXXX, \UXXXXXXXX. */
static bool decode_hex(struct irsafs_str *rest, size_t digits, struct decoded *d)
{
    uint32_t rune = 0;
    if (rest->len < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(rest->ptr[i]);
        if (digit < 0) {
            return false;
        }
        rune = rune << 4 | (uint32_t)digit;
    }
    rest->ptr += digits;
    rest->len -= digits;
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) {
        return false;
    }
    if (digits == 2) {
        put_byte(d, rune);
    } else {
        put_rune(d, rune);
    }
    return true;
}

/* What follows a backslash (Go language specification, string literals). */
static bool decode_escape(struct irsafs_str *rest, struct decoded *d)
{
    static const char from[] = "abfnrtv\\\"'";
    static const char to[] = "\a\b\f\n\r\t\v\\\"'";
    if (rest->len == 0 || rest->ptr[0] == '\0') {
        return false;
    }
    char c = rest->ptr[0];
    rest->ptr++;
    rest->len--;
    const char *simple = strchr(from, c);
    if (simple != NULL) {
        put_byte(d, (unsigned char)to[simple - from]);
        return true;
    }
    return c == 'x'   ? decode_hex(rest, 2, d)
           : c == 'u' ? decode_hex(rest, 4, d)
                      : c == 'U' && decode_hex(rest, 8, d);
}

/* quoted is everything from the first quote to the end of the line. */
static bool decode(struct irsafs_str quoted, struct decoded *d)
{
    if (quoted.len < 2 || quoted.ptr[0] != '"' || quoted.ptr[quoted.len - 1] != '"') {
        return false;
    }
    struct irsafs_str rest = {quoted.ptr + 1, quoted.len - 2};
    while (rest.len > 0) {
        char c = rest.ptr[0];
        rest.ptr++;
        rest.len--;
        if (c == '"' || (unsigned char)c < 0x20) {
            return false;
        }
        if (c != '\\') {
            put_byte(d, (unsigned char)c);
        } else if (!decode_escape(&rest, d)) {
            return false;
        }
    }
    return true;
}

static struct irsafs_label *
find(struct irsafs_label *labels, size_t n_labels, struct irsafs_str key)
{
    for (size_t i = 0; i < n_labels; i++) {
        if (irsafs_str_is(key, labels[i].key)) {
            return &labels[i];
        }
    }
    return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *take_line(struct irsafs_str line, struct irsafs_label *labels, size_t n_labels)
{
    struct decoded d = {.len = 0};
    const char *equals = memchr(line.ptr, '=', line.len);
    size_t key_len = equals != NULL ? (size_t)(equals - line.ptr) : 0;
    struct irsafs_str quoted = {line.ptr + key_len + 1, line.len - key_len - 1};
    if (key_len == 0 || !decode(quoted, &d)) {
        return "is not KEY=\"VALUE\"";
    }
    struct irsafs_label *label = find(labels, n_labels, (struct irsafs_str){line.ptr, key_len});
    if (label == NULL) {
        return NULL;
    }
    if (label->present || d.overflow) {
        return label->present ? "has a label for the second time" : "has a label that is too long";
    }
    label->present = true;
    memcpy(label->value, d.bytes, sizeof(label->value));
    return NULL;
}

enum irsafs_code irsafs_labels_parse(struct irsafs_str text,
                                     struct irsafs_label *labels,
                                     size_t n_labels,
                                     struct irsafs_error *err)
{
    struct irsafs_label found[LABELS_MAX];
    if (n_labels > IRSAFS_COUNT(found)) {
        return irsafs_error_set(err, IRSAFS_E_LABELS, "%zu labels wanted at once", n_labels);
    }
    for (size_t i = 0; i < n_labels; i++) {
        found[i] = (struct irsafs_label){.key = labels[i].key};
    }
    size_t number = 0;
    while (text.len > 0) {
        const char *lf = memchr(text.ptr, '\n', text.len);
        struct irsafs_str line = {text.ptr, lf != NULL ? (size_t)(lf - text.ptr) : text.len};
        size_t taken = line.len + (lf != NULL ? 1 : 0);
        text.ptr += taken;
        text.len -= taken;
        number++;
        const char *fault = take_line(line, found, n_labels);
        if (fault != NULL) {
            return irsafs_error_set(err, IRSAFS_E_LABELS, "line %zu of the labels file %s", number,
                                    fault);
        }
    }
    memcpy(labels, found, n_labels * sizeof(found[0]));
    return IRSAFS_OK;
}
