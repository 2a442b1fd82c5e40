#!/bin/sh
# tshark as a second opinion: on every PDU of tests/data/vectors.json, field by field, against
# `smscope explain`; and on both legs of sessions through smscoped, PDU by PDU, against its log.
#
# Usage: tshark.sh BUILD_DIR
# Exit status 77: a Debian package is missing.
here=$(dirname "$0")
. "$here/need.sh"
need tshark.sh perl tshark
exec perl "$here/tshark.pl" "$@"
