#!/bin/sh
# Kannel's own test of its SMPP driver, drive_smpp, with smscoped between bearerbox and it: separate
# transmitter and receiver, so many messages each way; the three accounts are equal.
#
# Usage: drive_smpp.sh BUILD_DIR
# drive_smpp looks for bearerbox at a fixed port, so all of them run in a network of their own.
# Exit status 77: a Debian package is missing, or such a network cannot be made.
here=$(dirname "$0")
. "$here/need.sh"
need drive_smpp.sh perl kannel kannel-extras
for network in "unshare --net" "unshare --net --map-root-user"; do
	$network true 2>/dev/null && exec $network perl "$here/drive_smpp.pl" "$@"
done
echo "drive_smpp.sh: no network of its own" >&2
exit 77
