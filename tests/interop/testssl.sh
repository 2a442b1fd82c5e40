#!/bin/sh
# testssl.sh, a scanner of TLS servers, on a listener of smscoped: no finding of medium severity or worse.
#
# Usage: testssl.sh BUILD_DIR
# Exit status 77: a Debian package is missing.
here=$(dirname "$0")
. "$here/need.sh"
need testssl.sh perl openssl testssl.sh
exec perl "$here/testssl.pl" "$@"
