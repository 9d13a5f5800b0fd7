# SPDX-License-Identifier: Apache-2.0
# Manual pages and completions: made by the programs from the tables that their parsers read.
set(IRSAFS_SHARED_FILES)

function(irsafs_manual_page page program)
    set(template ${CMAKE_SOURCE_DIR}/docs/man/${page}.in)
    set(file ${CMAKE_BINARY_DIR}/man/${page})
    add_custom_command(OUTPUT ${file}
        COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${program}> -D TEMPLATE=${template}
                -D PAGE=${file} -D VERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/man.cmake
        DEPENDS ${program} ${template} ${CMAKE_SOURCE_DIR}/cmake/man.cmake VERBATIM)
    string(REGEX REPLACE ".*\\." "" section ${page})
    install(FILES ${file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    list(APPEND IRSAFS_SHARED_FILES ${file})
    set(IRSAFS_SHARED_FILES ${IRSAFS_SHARED_FILES} PARENT_SCOPE)
endfunction()

function(irsafs_completion program)
    set(file ${CMAKE_BINARY_DIR}/completions/${program})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/completions)
    add_custom_command(OUTPUT ${file}
        COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${program}> -D SCRIPT=${file}
                -P ${CMAKE_SOURCE_DIR}/cmake/completion.cmake
        DEPENDS ${program} ${CMAKE_SOURCE_DIR}/cmake/completion.cmake VERBATIM)
    install(FILES ${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    list(APPEND IRSAFS_SHARED_FILES ${file})
    set(IRSAFS_SHARED_FILES ${IRSAFS_SHARED_FILES} PARENT_SCOPE)
endfunction()

irsafs_manual_page(irsafs.1 irsafs)
irsafs_manual_page(irsafs-client.1 irsafs-client)
irsafs_manual_page(irsafs-config.5 irsafs)
irsafs_completion(irsafs)
irsafs_completion(irsafs-client)
add_custom_target(manual ALL DEPENDS ${IRSAFS_SHARED_FILES})
