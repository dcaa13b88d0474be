#!/bin/sh
# deep.sh N COMMAND…: runs a command below N shells, each of which waits for the next one.
number=$1
shift
if [ "$number" -gt 1 ]; then
    sh "$0" "$((number - 1))" "$@"
else
    "$@"
fi
exit $?
