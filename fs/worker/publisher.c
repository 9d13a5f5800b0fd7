/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/publisher.h"

#include "fs/worker/control.h"

#include <string.h>
#include <sys/mman.h>

bool irsafs_publisher_ask(struct irsafs_publisher *p,
                          uint64_t number,
                          const struct irsafs_str *parts,
                          size_t n_parts)
{
    size_t len = 0;
    if (p->asked != 0) {
        return false;
    }
    for (size_t i = 0; i < n_parts; i++) {
        size_t room = sizeof(p->publication->bytes) - len;
        size_t n = parts[i].len < room ? parts[i].len : room;
        memcpy(p->publication->bytes + len, parts[i].ptr, n);
        len += n;
    }
    p->asked = number;
    irsafs_control_send(&(struct irsafs_order){.type = IRSAFS_ORDER_PUBLISH,
                                               .code = p->no_other ? 1 : 0,
                                               .file = (uint32_t)p->file,
                                               .length = (uint32_t)len,
                                               .number = number});
    return true;
}

void irsafs_publisher_answered(struct irsafs_publisher *p, const struct irsafs_order *order)
{
    if (order->number != p->asked) {
        return; /* asked by a worker before us */
    }
    p->asked = 0;
    p->errnum = (int)order->code;
    p->published = order->code == 0 ? order->number : 0;
    (void)madvise(p->publication, sizeof(*p->publication), MADV_REMOVE);
}
