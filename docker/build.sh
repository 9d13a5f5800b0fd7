#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the image with docker (which needs buildx), podman or buildah: the first that works.
#   docker/build.sh [--tool docker|podman|buildah] [--arch amd64|arm64] [--base IMAGE] [--tag NAME] [--output DIR]
#                   [--no-cache]
# Leaves the image in the tool's store as irsafs:VERSION, and in DIR (build/image) an archive for `load` and the SBOM,
# both named irsafs-VERSION-ARCH. SOURCE_DATE_EPOCH, if set, is the time of everything inside; else the commit's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(<VERSION)
tool='' arch='' base='' tag="irsafs:$version" output=build/image more=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --no-cache) more+=(--no-cache); shift; continue ;;
    --tool | --arch | --base | --tag | --output) ;;
    *) echo "build.sh: unknown argument '$1': see docker/build.sh --help" >&2; exit 2 ;;
    esac
    [ $# -ge 2 ] || { echo "build.sh: $1 wants a value" >&2; exit 2; }
    declare "${1#--}=$2"
    shift 2
done

# A docker without a daemon, or without BuildKit, is no reason not to take the next one.
works() {
    command -v "$1" >/dev/null || return 1
    [ "$1" != docker ] || { docker info && docker buildx version; } >/dev/null 2>&1
}
if [ -z "$tool" ]; then
    for tool in docker podman buildah none; do ! works "$tool" || break; done
fi
case $tool in
docker | podman | buildah) ;;
none) echo "build.sh: needs docker (its daemon, and buildx), podman or buildah" >&2; exit 1 ;;
*) echo "build.sh: --tool is docker, podman or buildah, not '$tool'" >&2; exit 2 ;;
esac
case ${arch:=$(dpkg --print-architecture 2>/dev/null || uname -m)} in
amd64 | x86_64) arch=amd64 ;;
arm64 | aarch64) arch=arm64 ;;
*) echo "build.sh: --arch is amd64 or arm64, not '$arch'" >&2; exit 2 ;;
esac

epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision+=-modified
args=(--platform "linux/$arch" --file docker/Dockerfile --tag "$tag"
    --build-arg "SOURCE_DATE_EPOCH=$epoch" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
    --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)")
[ -z "$base" ] || args+=(--build-arg "BASE=$base")

mkdir -p "$output"
name=$output/irsafs-$version-$arch
rm -f "$name.tar" "$name.spdx.json"
case $tool in
docker)
    DOCKER_BUILDKIT=1 docker build "${args[@]}" "${more[@]}" .
    docker save --output "$name.tar" "$tag"
    ;;
podman)
    podman build --timestamp "$epoch" "${args[@]}" "${more[@]}" .
    podman save --quiet --format docker-archive --output "$name.tar" "$tag"
    ;;
buildah)
    buildah build --timestamp "$epoch" "${args[@]}" "${more[@]}" .
    buildah push --quiet "$tag" "docker-archive:$name.tar:$tag"
    ;;
esac

python3 docker/sbom.py show "$name.tar" >"$name.spdx.json"
python3 docker/sbom.py check "$name.tar" "$name.spdx.json"
printf '%s: %s of %s KiB, %s KiB compressed; SBOM: %s\n' "$tag" "$name.tar" \
    "$(($(stat -c %s "$name.tar") / 1024))" "$(($(gzip -9 <"$name.tar" | wc -c) / 1024))" "$name.spdx.json"
