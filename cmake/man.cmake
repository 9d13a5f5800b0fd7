# SPDX-License-Identifier: Apache-2.0
# cmake -D PROGRAM=FILE -D TEMPLATE=FILE -D PAGE=FILE -D VERSION=V -P man.cmake
# Writes the manual page: its prose with the tables of the program (its hidden verb `manual`).
execute_process(COMMAND ${PROGRAM} manual OUTPUT_VARIABLE TABLES COMMAND_ERROR_IS_FATAL ANY)
string(STRIP "${TABLES}" TABLES)
configure_file(${TEMPLATE} ${PAGE} @ONLY)
