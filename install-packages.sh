#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs from Debian what is missing of: build | demo | test | all. Needs root only when something is.
set -euo pipefail

build="gcc libc6-dev cmake ninja-build pkg-config libfuse3-dev libevent-dev libjansson-dev
       libcurl4-openssl-dev libssl-dev libjwt-dev libseccomp-dev libcap-dev libcmocka-dev
       ca-certificates"
demo="$build procps python3 python3-boto3 python3-cryptography python3-jwt"
test="$demo python3-pytest awscli openssl slowhttptest util-linux binutils"
all="$test clang clang-format clang-tidy libclang-rt-14-dev patch cppcheck shellcheck valgrind
     libc6-dbg gdb strace fio stress-ng libfaketime"

case "${1:-}" in
build) wanted=$build ;;
demo) wanted=$demo ;;
test) wanted=$test ;;
all) wanted=$all ;;
*) echo "usage: $0 build|demo|test|all" >&2; exit 2 ;;
esac

missing=()
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "These Debian packages are missing and installing them needs root: ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing ${missing[*]}"
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
