#!/bin/sh
# Net::SMPP as ESME through smscoped, to an SMSC on Net::SMPP and to our simulated one: both ends'
# own accounts and the log's are the same, PDU by PDU.
#
# Usage: netsmpp.sh BUILD_DIR
# Exit status 77: a Debian package is missing.
here=$(dirname "$0")
. "$here/need.sh"
need netsmpp.sh perl libnet-smpp-perl
exec perl "$here/netsmpp.pl" "$@"
