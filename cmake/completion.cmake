# SPDX-License-Identifier: Apache-2.0
# cmake -D PROGRAM=FILE -D SCRIPT=FILE -P completion.cmake
# Writes what the program prints for bash.
execute_process(COMMAND ${PROGRAM} completion bash OUTPUT_FILE ${SCRIPT} COMMAND_ERROR_IS_FATAL ANY)
