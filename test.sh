#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs every test that a change can break.
#   sudo ./test.sh          build with gcc, layers, unit, stand-in, confine, client, mount, operate and take-over tests, release
#   sudo ./test.sh --all    the same, and style, clang, sanitizers, kernel fallbacks, mutants, host, containers,
#                           manifests, fuzz
#   ./test.sh --help
# Ends with the seconds of each tier and the line "N passed, N failed". A skipped test is a failure.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

case "${1:-}" in
"") all=false ;;
--all) all=true ;;
--help | -h) sed -n '3,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "test.sh: unknown argument '$1': see ./test.sh --help" >&2; exit 2 ;;
esac

root=$PWD
reports=$root/build/reports
mkdir -p "$reports" && rm -f "$reports"/*.xml
passed=0
failed=0
summary=()

# tier NAME COMMAND...: runs it, counts it as one test unless it leaves a JUnit report NAME.xml
tier() {
    local name=$1 begin=$SECONDS status=0 counts
    shift
    printf '\n== %s\n' "$name"
    "$@" || status=$?
    counts=$(/usr/bin/python3 tests/lint/count.py "$status" "$reports/$name.xml") || counts="0 1"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    summary+=("$(printf '%4d s  %-18s %s' $((SECONDS - begin)) "$name" \
        "${counts% *} passed, ${counts#* } failed")")
}

build() { # PRESET
    cmake --preset "$1" -DIRSAFS_WERROR=ON >"$reports/$1.configure.log" || { cat "$reports/$1.configure.log"; return 1; }
    cmake --build --preset "$1" -- -v >"$reports/$1.build.log" 2>&1 && return 0
    grep -E -A8 'error|warning|FAILED' "$reports/$1.build.log" | head -80
    return 1
}

unit() { # PRESET TIER
    ctest --preset "$1" -L unit --output-junit "$reports/$2.xml" | tail -n 4
}

pytests() { # PRESET TIER FOLDER...
    local preset=$1 name=$2 walls=--sandbox=required
    shift 2
    case $preset in asan | tsan) walls=--sandbox=off ;; esac # their runtimes open files and start threads
    (cd tests && IRSAFS_BUILD=$root/build/$preset PYTHONDONTWRITEBYTECODE=1 \
        IRSAFS_MOUNT_ARGS="$walls ${IRSAFS_MOUNT_ARGS:-}" \
        /usr/bin/python3 -m pytest -q --junitxml="$reports/$name.xml" "$@")
}

style() {
    git ls-files '*.[ch]' | xargs clang-format --dry-run -Werror &&
        tests/lint/layers.py &&
        git ls-files "*.sh" .ci/run tests/fuzz/run tests/fuzz/teeth tests/manifests/build | xargs shellcheck
}

tidy() {
    git ls-files 'base/*.c' 'fs/*.c' 'client/*.c' |
        xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/clang 2>"$reports/tidy.log"
}

cppcheck_all() {
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --std=c11 \
        --inline-suppr -I . -I build/dev/generated base fs client
}

valgrind_unit() { # every unit test, leaks and errors are failures
    local test bad=0
    for test in build/dev/tests/test_*; do
        [ -x "$test" ] || continue
        case $test in */test_undo | */test_take_over) continue ;; esac # a tracer; a copy of 80 MB per death: ASan has them
        valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
            "$test" >"$reports/valgrind.log" 2>&1 || { cat "$reports/valgrind.log"; bad=1; }
    done
    return $bad
}

mount_without_epoch() { # without what the kernel is told nothing about
    local -a elsewhere=()
    local name
    for name in failures inputs hostile_client fetch_settings usage verbs status volume fd file_mode mode probe \
        linger migrate; do
        elsewhere+=("--ignore=mount/test_$name.py")
    done
    IRSAFS_LOOKS_MAX=200000 IRSAFS_MOUNT_ARGS=--kernel-features=-epoch \
        pytests "$@" "${elsewhere[@]}" -m "not slow"
}

mount_with_asan() { # without what times and programs of others decide; pods that demand all walls
    local -a elsewhere=()
    local name
    for name in ageing first_readers inputs outage_wait sdk touch_forms; do
        elsewhere+=("--ignore=mount/test_$name.py")
    done
    pytests "$@" "${elsewhere[@]}" -m "not slow" -k "not test_storm and not user_namespace_has_not \
        and not restricted_pod and not folder_that_cannot_be_written and not nobody_has_a_right and not torn_or_empty"
}

if $all; then ./install-packages.sh all; else ./install-packages.sh test; fi || exit 1
[ "$(id -u)" = 0 ] || echo "not root: the mount tests need root or will fail" >&2

tier build build dev
tier layers tests/lint/layers.py
tier unit unit dev unit
tier standin pytests dev standin standin
tier confine pytests dev confine confine
tier client pytests dev client client
if $all; then speed=""; else speed="not slow"; export IRSAFS_LOOKS_MAX=250000; fi
tier mount pytests dev mount mount -m "$speed"
tier operate pytests dev operate operate -m "$speed"
tier takeover pytests dev takeover takeover -m "$speed"
tier release build release
tier hardening pytests release hardening release
if $all; then
    tier style style
    tier clang build clang
    tier clang-unit unit clang clang-unit
    tier tidy tidy
    tier analyzer build analyzer
    tier cppcheck cppcheck_all
    tier valgrind valgrind_unit
    tier mount-inval mount_without_epoch dev mount-inval mount
    tier takeover-teeth tests/takeover/teeth
    tier asan build asan
    tier asan-unit unit asan asan-unit
    # LeakSanitizer wants /proc, which a bare chroot has not.
    tier asan-client pytests asan asan-client client -k "not test_copied"
    # In a user namespace LeakSanitizer may not trace.
    tier asan-operate pytests asan asan-operate operate -m "not slow" -k "endpoint or logs or metrics or doctor"
    tier asan-mount mount_with_asan asan asan-mount mount
    IRSAFS_LOOKS_MAX=100000 IRSAFS_MOUNT_ARGS=--client=$root/build/release/irsafs-client \
        tier asan-storm pytests asan asan-storm mount/test_consistency.py -k test_storm
    tier asan-host pytests asan asan-host host/test_odd_calls.py host/test_ends.py \
        host/test_storms.py host/test_mapping_limit.py -k "not crashed_daemon"
    tier oom pytests dev oom oom
    tier host pytests dev host host
    tier manifests pytests dev manifests manifests
    tier containers pytests dev containers containers
    tier fuzz tests/fuzz/run 30
    tier teeth tests/fuzz/teeth
    tier tsan build tsan
    tier tsan-unit unit tsan tsan-unit
    tier tsan-mount pytests tsan tsan-mount mount/test_single_flight.py mount/test_touch.py \
        mount/test_shutdown.py client/test_fetch.py
fi

printf '\n'
printf '%s\n' "${summary[@]}"
printf '%4d s  total\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
