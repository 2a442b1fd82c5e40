#!/bin/sh
# Kannel, through smscoped, to an SMSC of another codebase: every message and every receipt arrives,
# and every one is in the log with its meaning.
#
# Usage: kannel.sh [--direct] [--messages N] BUILD_DIR
#	--direct      leave smscoped out, to see the two programs alone
# Exit status 77: a Debian package is missing.
here=$(dirname "$0")
missing=
for package in kannel libnet-smpp-perl; do
	dpkg-query -W -f '${db:Status-Status}\n' $package 2>/dev/null | grep -qx installed ||
		missing="$missing $package"
done
if [ -n "$missing" ]; then
	echo "kannel.sh: missing:$missing" >&2
	exit 77
fi
exec perl "$here/kannel.pl" "$@"
