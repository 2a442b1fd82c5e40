#!/bin/sh
# Kannel, through smscoped, to an SMSC of another codebase: every message and every receipt arrives,
# and every one is in the log with its meaning.
#
# Usage: kannel.sh [--direct] [--messages N] BUILD_DIR
#	--direct      leave smscoped out, to see the two programs alone
# Exit status 77: a Debian package is missing.
here=$(dirname "$0")
. "$here/need.sh"
need kannel.sh perl kannel libnet-smpp-perl
exec perl "$here/kannel.pl" "$@"
