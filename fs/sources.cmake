# SPDX-License-Identifier: Apache-2.0
add_library(irsafs_core STATIC
    fs/core/content.c
    fs/core/core.c
    fs/core/files.c
    fs/core/notice.c
    fs/core/schedule.c
    fs/core/text.c
    fs/core/view.c
    fs/core/waiters.c
)
target_link_libraries(irsafs_core PUBLIC irsafs_base)

add_executable(irsafs
    fs/client.c
    fs/daemon.c
    fs/main.c
    fs/mount.c
    fs/status.c
    fs/fuse/ops.c
    fs/fuse/refuse.c
    fs/fuse/session.c
    fs/fuse/version.c
    fs/super/answer.c
    fs/super/child.c
    fs/super/flight.c
    fs/super/mountpoint.c
    fs/super/notifier.c
)
target_link_libraries(irsafs PRIVATE irsafs_core
    PkgConfig::FUSE3 PkgConfig::LIBEVENT PkgConfig::JANSSON)
install(TARGETS irsafs DESTINATION ${CMAKE_INSTALL_BINDIR})
