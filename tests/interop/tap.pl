#!/usr/bin/perl
# A recorder between two programs, one connection: what goes by is passed on as it is and kept.
#
# Usage: tap.pl PORT NAME
#	PORT  of 127.0.0.1, where it dials when it is dialled
#	NAME  NAME.up gets the octets from the caller, NAME.down those to it
# Prints the port it listens on. Ends with the connection.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;

my ($port, $name) = @ARGV;
my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp')
	or die "listen: $!\n";
STDOUT->autoflush(1);
print $listener->sockport, "\n";
my $caller = $listener->accept or die "accept: $!\n";
my $other = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp')
	or die "dial: $!\n";
my %to = ($caller => $other, $other => $caller);
my $open = IO::Select->new($caller, $other);
my %kept;

for ([$caller, 'up'], [$other, 'down']) {
	open $kept{ $_->[0] }, '>:raw', "$name.$_->[1]" or die "$name.$_->[1]: $!\n";
}
while ($open->count) {
	for my $from ($open->can_read) {
		my $n = sysread $from, my $octets, 65536;

		if (!$n) {
			$open->remove($from);
			shutdown $to{$from}, 1;
			next;
		}
		print { $kept{$from} } $octets;
		while (length $octets) {
			my $sent = syswrite $to{$from}, $octets or last;
			substr $octets, 0, $sent, '';
		}
	}
}
