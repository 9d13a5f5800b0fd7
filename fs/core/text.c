/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/core/text.h"

#include <stdlib.h>

struct irsafs_text *irsafs_text_new(size_t size)
{
    struct irsafs_text *text = malloc(sizeof(*text) + size);
    if (text != NULL) {
        text->refs = 1;
        text->size = size;
    }
    return text;
}

struct irsafs_text *irsafs_text_ref(struct irsafs_text *text)
{
    text->refs++;
    return text;
}

struct irsafs_text *irsafs_text_unref(struct irsafs_text *text)
{
    if (text != NULL && --text->refs == 0) {
        free(text);
    }
    return NULL;
}
