# SPDX-License-Identifier: Apache-2.0
# One interface target carries language, warnings, sanitizers and hardening.
include(CheckCCompilerFlag)

add_library(irsafs_flags INTERFACE)
target_compile_features(irsafs_flags INTERFACE c_std_17)
target_compile_definitions(irsafs_flags INTERFACE _GNU_SOURCE)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# -Werror during the probe: clang takes unknown warnings silently otherwise.
set(CMAKE_REQUIRED_FLAGS -Werror)
foreach(flag
        -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wconversion -Wsign-conversion
        -Wcast-align -Wcast-qual -Wpointer-arith -Wwrite-strings -Wstrict-prototypes
        -Wmissing-prototypes -Wold-style-definition -Wundef -Wnull-dereference
        -Wdouble-promotion -Wdate-time -Wimplicit-fallthrough -Wswitch-enum -Wredundant-decls
        -Wnested-externs -Wformat-signedness -Wlogical-op -Wduplicated-cond
        -Wduplicated-branches -Wjump-misses-init -Walloc-zero -Wtrampolines -Wcomma
        -Wloop-analysis -Wunreachable-code -Wassign-enum -Wshorten-64-to-32
        -Wconditional-uninitialized)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
    check_c_compiler_flag(${flag} ${have})
    if(${have})
        target_compile_options(irsafs_flags INTERFACE ${flag})
    endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)

if(IRSAFS_WERROR)
    target_compile_options(irsafs_flags INTERFACE -Werror)
endif()

if(IRSAFS_SANITIZE)
    target_compile_options(irsafs_flags INTERFACE
        -fsanitize=${IRSAFS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(irsafs_flags INTERFACE -fsanitize=${IRSAFS_SANITIZE})
else()
    target_compile_options(irsafs_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection
        $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
        target_compile_options(irsafs_flags INTERFACE -fcf-protection)
    endif()
    target_link_options(irsafs_flags INTERFACE
        $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>
        -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
