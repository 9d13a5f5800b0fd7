# SPDX-License-Identifier: Apache-2.0
add_library(irsafs_client_lib STATIC
    client/certificate.c
    client/check.c
    client/daemon.c
    client/doctor/aws.c
    client/doctor/board.c
    client/doctor/fetch.c
    client/doctor/host.c
    client/doctor/print.c
    client/doctor/walk.c
    client/doctor/way.c
    client/echo.c
    client/fetch.c
    client/http.c
    client/http_head.c
    client/identity.c
    client/jwt_hint.c
    client/labels.c
    client/mapping.c
    client/refresh.c
    client/report.c
    client/run.c
    client/sandbox.c
    client/show.c
    client/status.c
    client/token.c
)
target_link_libraries(irsafs_client_lib PUBLIC
    irsafs_base irsafs_sandbox PkgConfig::CURL PkgConfig::JANSSON PkgConfig::JWT PkgConfig::OPENSSL)

add_executable(irsafs-client client/main.c)
target_compile_definitions(irsafs-client PRIVATE IRSAFS_JWT_VERSION="${JWT_VERSION}")
target_link_libraries(irsafs-client PRIVATE irsafs_client_lib)
install(TARGETS irsafs-client DESTINATION bin)
