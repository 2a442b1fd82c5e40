#!/usr/bin/perl
# An SMSC for tests, on Debian's Net::SMPP: a codec that shares no line with ours.
#
# Usage: smsc.pl [--inbound N]
#
# Listens on 127.0.0.1 at a port of the kernel's choice. Standard output, one fact a line:
#	port PORT
#	bind COMMAND SYSTEM_ID
#	submit ID DESTINATION STATUS
#	receipt ID STAT          sent, on any connection of the account that may receive
#	receipt_ack ID STATUS
#	inbound N                sent after the first bind that may receive
#	inbound_ack N STATUS
#	unbind
# A receipt goes out 200 ms after its response: Kannel with two connections loses one that overtakes it.
# Ends when standard input ends, so it never outlives who started it.
#
# The last digit of a destination chooses its fate: 9 is refused with 0x0000000B and gives no receipt;
# the others are accepted and get the receipt of that digit in %receipt.
use strict;
use warnings;
use Getopt::Long;
use IO::Handle;
use IO::Select;
use Net::SMPP;
use Time::HiRes qw(time);

my $inbound = 0;
GetOptions('inbound=i' => \$inbound) or exit 2;

my %receipt = (
	0 => ['DELIVRD', '000'],
	1 => ['UNDELIV', 'MB:0064'],
	2 => ['EXPIRED', '000'],
	3 => ['MB:0064', '000'],
	4 => ['REJECTD', '013'],
);
my %bind_resp = (
	bind_transceiver => Net::SMPP->can('bind_transceiver_resp'),
	bind_transmitter => Net::SMPP->can('bind_transmitter_resp'),
	bind_receiver => Net::SMPP->can('bind_receiver_resp'),
);

my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, timeout => undef)
	or die "smsc.pl: cannot listen: $!\n";
my $select = IO::Select->new($listener, \*STDIN);
my (@receivers, @due, %waiting);
my ($next_id, $inbound_sent) = (0x1000, 0);
$SIG{PIPE} = 'IGNORE';
STDOUT->autoflush(1);
printf "port %d\n", $listener->sockport;

sub forget
{
	my ($s) = @_;

	@receivers = grep { $_ != $s } @receivers;
	$select->remove($s);
	close $s;
}

sub deliver
{
	my ($what, %fields) = @_;
	my $seq = $receivers[0]->deliver_sm(async => 1, source_addr_ton => 1, source_addr_npi => 1,
		dest_addr_ton => 1, dest_addr_npi => 1, %fields);

	$waiting{ fileno($receivers[0]) . " $seq" } = $what;
}

# Everything that waits for a connection that may receive.
sub flush_due
{
	return unless @receivers;
	while (@due && $due[0][0] <= time) {
		my (undef, $id, $to, $from, $stat, $err) = @{ shift @due };

		deliver("receipt_ack $id", source_addr => $to, destination_addr => $from, esm_class => 4,
			short_message => "id:$id sub:001 dlvrd:001 submit date:2611211917 " .
				"done date:2611211917 stat:$stat err:$err text:hello");
		print "receipt $id $stat\n";
	}
	while ($inbound_sent < $inbound) {
		$inbound_sent++;
		deliver("inbound_ack $inbound_sent", source_addr => '8613800001234',
			destination_addr => '10086', short_message => "hello $inbound_sent");
		print "inbound $inbound_sent\n";
	}
}

sub on_submit
{
	my ($s, $pdu) = @_;
	my $to = $pdu->{destination_addr};
	my $digit = substr $to, -1;
	my $id = sprintf '%X', $next_id++;

	if ($digit eq '9') {
		$s->submit_sm_resp(seq => $pdu->{seq}, status => 0x0B, message_id => '');
		print "submit - $to 11\n";
		return;
	}
	$s->submit_sm_resp(seq => $pdu->{seq}, message_id => $id);
	print "submit $id $to 0\n";
	push @due, [time + 0.2, $id, $to, $pdu->{source_addr}, @{ $receipt{$digit} || $receipt{0} }]
		if $pdu->{registered_delivery};
}

sub on_pdu
{
	my ($s) = @_;
	my $pdu = $s->read_pdu;
	my $name;

	return forget($s) unless $pdu;
	$name = $pdu->explain_cmd;
	if (my $resp = $bind_resp{$name}) {
		$s->$resp(seq => $pdu->{seq}, system_id => 'smsc');
		push @receivers, $s if $name ne 'bind_transmitter';
		print "bind $name $pdu->{system_id}\n";
	} elsif ($name eq 'submit_sm') {
		on_submit($s, $pdu);
	} elsif ($name eq 'deliver_sm_resp') {
		my $what = delete $waiting{ fileno($s) . " $pdu->{seq}" };

		print defined $what ? "$what $pdu->{status}\n" : "stray deliver_sm_resp $pdu->{seq}\n";
	} elsif ($name eq 'enquire_link') {
		$s->enquire_link_resp(seq => $pdu->{seq});
	} elsif ($name eq 'unbind') {
		$s->unbind_resp(seq => $pdu->{seq});
		print "unbind\n";
	} elsif ($name !~ /_resp$/) {
		$s->generic_nack(seq => $pdu->{seq}, status => 3);
		print "nack $name\n";
	}
}

while (1) {
	for my $s ($select->can_read(@due ? 0.05 : undef)) {
		exit 0 if $s == \*STDIN && !sysread(STDIN, my $ignored, 4096);
		next if $s == \*STDIN;
		if ($s == $listener) {
			my $new = $listener->accept or next;
			$select->add($new);
		} else {
			local $SIG{__WARN__} = sub { };	# Net::SMPP warns at every end of stream

			on_pdu($s);
		}
	}
	flush_due();
}
