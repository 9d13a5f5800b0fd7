# SPDX-License-Identifier: Apache-2.0
add_library(irsafs_core STATIC
    fs/core/content.c
    fs/core/core.c
    fs/core/entry.c
    fs/core/files.c
    fs/core/notice.c
    fs/core/schedule.c
    fs/core/undo.c
    fs/core/view.c
    fs/core/waiters.c
)
target_link_libraries(irsafs_core PUBLIC irsafs_base)

# Apart, so that tests/confine can show it.
add_library(irsafs_confine STATIC fs/shared/confine.c)
target_link_libraries(irsafs_confine PUBLIC irsafs_sandbox)

set(IRSAFS_SOURCES
    fs/client.c
    fs/loopback.c
    fs/main.c
    fs/mode.c
    fs/mount.c
    fs/probe.c
    fs/fuse/ops.c
    fs/fuse/refuse.c
    fs/fuse/session.c
    fs/fuse/version.c
    fs/notifier/notifier.c
    fs/shared/address.c
    fs/super/applog.c
    fs/super/child.c
    fs/super/connection.c
    fs/super/copy.c
    fs/super/desk.c
    fs/super/environment.c
    fs/super/flight.c
    fs/super/folder.c
    fs/super/linger.c
    fs/super/listener.c
    fs/super/logs.c
    fs/super/mountpoint.c
    fs/super/post.c
    fs/super/process.c
    fs/super/receive.c
    fs/super/spawn.c
    fs/super/supervisor.c
    fs/super/volume.c
    fs/super/watch.c
    fs/worker/answer.c
    fs/worker/connections.c
    fs/worker/control.c
    fs/worker/endpoint.c
    fs/worker/host.c
    fs/worker/keeper.c
    fs/worker/land.c
    fs/worker/loop.c
    fs/worker/metrics.c
    fs/worker/process.c
    fs/worker/publisher.c
    fs/worker/scribe.c
    fs/worker/status.c
    fs/worker/worker.c
)
list(TRANSFORM IRSAFS_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/)
add_executable(irsafs ${IRSAFS_SOURCES})
target_link_libraries(irsafs PRIVATE irsafs_core irsafs_confine
    PkgConfig::FUSE3 PkgConfig::LIBEVENT PkgConfig::JANSSON)
install(TARGETS irsafs DESTINATION ${CMAKE_INSTALL_BINDIR})
