#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A client for the tests: does what its folder says, in place of irsafs-client.
#   text    exists: its bytes are the answer, with a report that calls them good
#   act     exists: is run as a shell script instead
#   neither: the real client, whose path is in the file `real`
# It is started by descriptor, so that $0 says nothing: the test puts its folder here.
here=@HERE@
fd=
previous=
for arg in "$@"; do
    case $arg in --report-fd=*) fd=${arg#--report-fd=} ;; esac
    [ "$previous" = --report-fd ] && fd=$arg
    previous=$arg
done
if [ -e "$here/act" ]; then
    # shellcheck disable=SC1091  # a test writes it
    . "$here/act"
elif [ -e "$here/text" ]; then
    cat "$here/report" >"/dev/fd/$fd"
    exec cat "$here/text"
else
    exec "$(cat "$here/real")" "$@"
fi
