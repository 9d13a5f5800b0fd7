/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/worker/loop.h"

#include "base/error.h"
#include "base/log.h"

#include <event2/event.h>
#include <unistd.h>

static void on_event_log(int severity, const char *text)
{
    irsafs_log(severity < EVENT_LOG_WARN ? IRSAFS_LOG_DEBUG : IRSAFS_LOG_WARN, "libevent",
               IRSAFS_LOG_TEXT("text", text));
}

static void on_event_fatal(int status)
{
    (void)status;
    _exit(
        irsafs_code_exit_status(IRSAFS_E_IO)); /* libevent has said why; the next worker goes on */
}

struct event_base *irsafs_loop_new(int priorities, int in_a_row, int last)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    event_set_log_callback(on_event_log);
    event_set_fatal_callback(on_event_fatal);
    if (config != NULL &&
        event_config_set_max_dispatch_interval(config, NULL, in_a_row, last) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    if (base != NULL && event_base_priority_init(base, priorities) != 0) {
        event_base_free(base);
        base = NULL;
    }
    return base;
}
