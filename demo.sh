#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows the main job in a minute: a config that is generated when it is read.
#   sudo ./demo.sh                  on this machine
#   sudo ./demo.sh --containers     the same in containers: the image, two containers on one volume, the three modes
# Installs what is missing from Debian, builds, starts a token endpoint and a mapping service on
# loopback, mounts on a directory of its own, and takes everything away at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

containers=false
case "${1:-}" in
"") ;;
--containers) containers=true ;;
--help | -h) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "demo.sh: unknown argument '$1': see ./demo.sh --help" >&2; exit 2 ;;
esac

say() { printf '\n\033[1m-- %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

[ "$(id -u)" = 0 ] || { echo "demo.sh mounts a file system: run it as root (sudo ./demo.sh)" >&2; exit 1; }
[ -c /dev/fuse ] || { echo "demo.sh needs /dev/fuse: load the module or give it to this container" >&2; exit 1; }

mkdir -p build
if $containers; then
    say "Install buildah, runc and debootstrap from Debian (log: build/demo.log)"
    ./install-packages.sh containers >build/demo.log 2>&1 || { tail -n 30 build/demo.log; exit 1; }
    PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/containers/demo.py
fi

say "Install and build (log: build/demo.log)"
{
    ./install-packages.sh demo
    cmake --preset release -B build/demo -DIRSAFS_TESTS=OFF
    cmake --build build/demo
} >build/demo.log 2>&1 || { tail -n 30 build/demo.log; exit 1; }
ls -l build/demo/irsafs build/demo/irsafs-client

here=$(mktemp -d /tmp/irsafs-demo.XXXXXX)
chmod 755 "$here"
pids=()
cleanup() {
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    if mountpoint -q "$here/aws"; then umount -l "$here/aws"; fi
    rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

arn=arn:aws:iam
printf '%s %s\n' $arn::524112250363:role/acme-read $arn::946429944765:role/acme-read \
    $arn::524112250363:role/acme-update $arn::946429944765:role/acme-update >"$here/roles"

say "A token endpoint and a mapping service, as in a Domino pod (tests/standin)"
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m standin --roles "$here/roles" >"$here/urls" &
pids+=($!)
for _ in $(seq 100); do
    [ "$(wc -l <"$here/urls")" -lt 2 ] || break
    sleep 0.1
done
token=$(sed -n 's/^token=//p' "$here/urls")
service=$(sed -n 's/^service=//p' "$here/urls")
[ -n "$service" ] || { echo "the stand-ins did not start" >&2; exit 1; }
cat "$here/urls"

say "irsafs mount"
mkdir -p "$here/aws"
export DOMINO_IRSA_ENDPOINT=$service IRSAFS_TOKEN_URL=$token IRSAFS_RUN_ID=63d1f0a1b2c3d4e5f6a7b8c9
port=$(/usr/bin/python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
export IRSAFS_CONTROL=127.0.0.1:$port
build/demo/irsafs mount "$here/aws" --min-refresh=0s --log-format=text &
pids+=($!)
for _ in $(seq 100); do
    ! mountpoint -q "$here/aws" || break
    sleep 0.05
done
cd "$here"
show ls aws

say "The first look asks the service; the file is there when cat is"
show cat aws/config

say "boto3 reads it as any config file"
profiles=(/usr/bin/python3 -c 'import boto3; print(boto3.Session().available_profiles)')
export AWS_CONFIG_FILE=$here/aws/config
show "${profiles[@]}"

say "An administrator adds a role; touch refresh, and the next look has it"
echo $arn::524112250363:role/acme-list $arn::946429944765:role/acme-list >>roles
show touch aws/refresh
show "${profiles[@]}"

say "The same over HTTP, with the result; any container of the pod can ask"
sed -i '$d' roles
show curl -sS "http://$IRSAFS_CONTROL/refresh"

say "The service fails: the last good text stays, with the reason on top"
sed -i '1i status 500' roles
show touch aws/refresh
show head -n 8 aws/config
show "${profiles[@]}"

say "Does it work? Since when not, why, what to do"
irsafs=$OLDPWD/build/demo/irsafs
echo '$ irsafs status'
"$irsafs" status || echo "exit $?: stale"

say "It recovers; nothing needs a restart"
sed -i 1d roles
show touch aws/refresh
show head -n 3 aws/config

say "The process that answers is killed; nobody notices"
show pkill -KILL -P "${pids[1]}" -x irsafs-worker
show head -n 3 aws/config

say "Whose processes these are"
show ps -o user:10,args --pid "${pids[1]}" --ppid "${pids[1]}"

say "What irsafs knows about itself"
echo '$ irsafs status --json'
"$irsafs" status --json

say "SIGTERM unmounts"
kill "${pids[1]}"
wait "${pids[1]}" && echo "exit 0"
pids=("${pids[0]}")
show ls -A aws
