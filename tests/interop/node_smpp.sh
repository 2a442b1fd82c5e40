#!/bin/sh
# Node's package `smpp` as ESME and as SMSC through smscoped, against each other and against our
# simulators: all accounts are the same, PDU by PDU.
#
# Usage: node_smpp.sh BUILD_DIR
# The package is looked for in BUILD_DIR/node, and put there, and nowhere else, when it is missing.
# Exit status 77: node or npm is missing, or the package cannot be had.
here=$(dirname "$0")
. "$here/need.sh"
need node_smpp.sh perl openssl
for program in node npm; do
	command -v $program >/dev/null || {
		echo "node_smpp.sh: missing: $program" >&2
		exit 77
	}
done
modules=${1:?usage: node_smpp.sh BUILD_DIR}/node
if [ ! -d "$modules/node_modules/smpp" ]; then
	mkdir -p "$modules" && echo '{ "private": true }' >"$modules/package.json"
	npm install --prefix "$modules" --ignore-scripts --no-audit --no-fund --loglevel=error \
		smpp@0.5.1 >"$modules/install.log" 2>&1 || {
		echo "node_smpp.sh: the package smpp cannot be had, see $modules/install.log" >&2
		exit 77
	}
fi
NODE_PATH=$(cd "$modules" && pwd)/node_modules
export NODE_PATH
exec perl "$here/node_smpp.pl" "$@"
