#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs from Debian what is missing of: build | demo | containers | test | all. Needs root only when something is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

build="gcc libc6-dev cmake ninja-build pkg-config libfuse3-dev libevent-dev libjansson-dev
       libcurl4-openssl-dev libssl-dev libjwt-dev libseccomp-dev libcap-dev libcmocka-dev
       ca-certificates"
demo="$build curl procps python3 python3-boto3 python3-cryptography python3-jwt"
containers="python3 python3-boto3 python3-cryptography python3-jwt awscli
            buildah runc debootstrap golang-github-containers-common util-linux ca-certificates"
test="$demo python3-pytest python3-yaml awscli openssl slowhttptest util-linux binutils
      groff-base shellcheck"
all="$test clang clang-format clang-tidy libclang-rt-14-dev patch cppcheck valgrind
     libc6-dbg gdb strace fio stress-ng libfaketime
     $containers"

case "${1:-}" in
build) wanted=$build ;;
demo) wanted=$demo ;;
containers) wanted=$containers ;;
test) wanted=$test ;;
all) wanted=$all ;;
*) echo "usage: $0 build|demo|containers|test|all" >&2; exit 2 ;;
esac

# promtool judges metrics and alert rules. It is in the package prometheus, whose installation would start
# a server: only the program is taken out, into build/tools.
fetch_promtool() {
    local folder
    if command -v promtool >/dev/null || [ -x build/tools/promtool ]; then return; fi
    echo "fetching promtool"
    folder=$(mktemp -d)
    (cd "$folder" &&
        { apt-get download -qq -o APT::Sandbox::User=root prometheus 2>/dev/null ||
            { apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root prometheus; }; })
    dpkg-deb -x "$folder"/prometheus_*.deb "$folder/tree"
    mkdir -p build/tools
    mv "$folder/tree/usr/bin/promtool" build/tools/
    rm -rf "$folder"
}

missing=()
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "These Debian packages are missing and installing them needs root: ${missing[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    echo "installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
case $1 in test | all) fetch_promtool ;; esac
