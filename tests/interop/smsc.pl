#!/usr/bin/perl
# An SMSC for tests, on Debian's Net::SMPP: a codec that shares no line with ours.
#
# Usage: smsc.pl [--inbound N] [--delivered WORD]
#	--delivered WORD   stat of what was delivered, DELIVRD otherwise
#
# Listens on 127.0.0.1 at a port of the kernel's choice. Standard output, one fact a line:
#	port PORT
#	bind COMMAND SYSTEM_ID
#	submit ID DESTINATION STATUS
#	receipt ID STAT          sent, on any connection of the account that may receive
#	receipt_ack ID STATUS
#	inbound N                sent after the first submit, on a connection that may receive
#	inbound_ack N STATUS
#	unbind
#	pdu COMMAND SEQUENCE STATUS ID STAT      its account, as Rig.pm has it
# A receipt goes out 200 ms after its response: Kannel with two connections loses one that overtakes
# it. Ends when standard input ends, so it never outlives who started it.
#
# The last digit of a destination chooses its fate: 9 is refused with 0x0000000B and gives no
# receipt; the others are accepted and get the receipt of that digit in %receipt. A message that
# came by data_sm has its receipt by data_sm, with TLVs. A message whose receipt is out cannot be
# cancelled or replaced.
use strict;
use warnings;
use Getopt::Long;
use IO::Handle;
use IO::Select;
use Net::SMPP;
use Time::HiRes qw(time);

my ($inbound, $delivered) = (0, 'DELIVRD');
GetOptions('inbound=i' => \$inbound, 'delivered=s' => \$delivered) or exit 2;

my %receipt = (
	0 => [$delivered, '000'],
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
my (@receivers, @due, %waiting, %message);
my ($next_id, $inbound_sent, $submits) = (0x1000, 0, 0);
my %state = (DELIVRD => 2, EXPIRED => 3, UNDELIV => 5, REJECTD => 8);
my %state_name = (1 => 'ENROUTE', 4 => 'DELETED', reverse %state);
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

# One line of the account.
sub told { print join(' ', 'pdu', map { defined && length ? $_ : '-' } @_[0 .. 4]), "\n"; return }

sub deliver
{
	my ($command, $what, %fields) = @_;
	my $seq = $receivers[0]->$command(async => 1, source_addr_ton => 1, source_addr_npi => 1,
		dest_addr_ton => 1, dest_addr_npi => 1, %fields);

	$waiting{ fileno($receivers[0]) . " $seq" } = $what;
	return $seq;
}

sub deliver_receipt
{
	my ($id, $to, $from, $stat, $err) = @_;
	my $data = $message{$id}{data};
	my $text = "id:$id sub:001 dlvrd:001 submit date:2611211917 done date:2611211917 " .
		"stat:$stat err:$err text:hello";
	my @tlvs = (receipted_message_id => "$id\0", message_state => pack('C', $state{$stat} // 5),
		message_payload => $text);
	my $seq = deliver($data ? 'data_sm' : 'deliver_sm', "receipt_ack $id", source_addr => $to,
		destination_addr => $from, esm_class => 4, $data ? @tlvs
		: (short_message => $text));

	$message{$id}{state} = $state{$stat} // 5;
	told($data ? 'data_sm' : 'deliver_sm', $seq, undef, $id, $stat);
	print "receipt $id $stat\n";
}

# Everything that waits for a connection that may receive.
sub flush_due
{
	return unless @receivers;
	while (@due && $due[0][0] <= time) {
		my (undef, @receipt) = @{ shift @due };

		deliver_receipt(@receipt);
	}
	while ($submits && $inbound_sent < $inbound) {
		$inbound_sent++;
		my $seq = deliver('deliver_sm', "inbound_ack $inbound_sent",
			source_addr => '8613800001234',
			destination_addr => '10086', short_message => "hello $inbound_sent");

		told('deliver_sm', $seq);
		print "inbound $inbound_sent\n";
	}
}

# submit_sm and data_sm, one destination; submit_multi, several: one id, and a list of those
# refused.
sub on_submit
{
	my ($s, $pdu, $name) = @_;
	my @to = ref $pdu->{destination_addr} ? @{ $pdu->{destination_addr} }
		: $pdu->{destination_addr};
	my @refused = grep { /9$/ } @to;
	my $id = sprintf '%X', $next_id++;
	my $status = @refused == @to ? 0x0B : 0;
	my @lists = map { $_ => [@refused] } $name eq 'submit_multi' ? 'destination_addr' : ();
	my $resp = "${name}_resp";

	$submits++;
	$s->$resp(seq => $pdu->{seq}, status => $status, message_id => $status ? '' : $id,
		@lists ? (@lists, error_status_code => [@refused ? (0x0B) x @refused : 0]) : ());
	told($name, $pdu->{seq});
	told($resp, $pdu->{seq}, $status, $status ? undef : $id);
	printf "submit %s %s %d\n", $status ? '-' : $id, $to[0], $status;
	return if $status;
	$message{$id} = { state => 1, data => $name eq 'data_sm' };
	push @due, map { [time + 0.2, $id, $_, $pdu->{source_addr}, @{ $receipt{ substr $_, -1 } ||
		$receipt{0} }] }
		grep { !/9$/ } @to if $pdu->{registered_delivery};
}

# Those that name a message.
sub on_query
{
	my ($s, $pdu) = @_;
	my $m = $message{ $pdu->{message_id} };
	my $status = $m ? 0 : 0x0C;

	$s->query_sm_resp(seq => $pdu->{seq}, status => $status, message_id => $pdu->{message_id},
		final_date => '', message_state => $m ? $m->{state} : 7, error_code => 0);
	told('query_sm_resp', $pdu->{seq}, $status, $pdu->{message_id},
		$m ? $state_name{ $m->{state} } : 'UNKNOWN');
}

sub on_change
{
	my ($s, $pdu, $resp, $failure) = @_;
	my $m = $message{ $pdu->{message_id} };
	my $status = !$m ? 0x0C : $m->{state} != 1 ? $failure : 0;

	$s->$resp(seq => $pdu->{seq}, status => $status);
	told($resp, $pdu->{seq}, $status);
	return if $status || $resp ne 'cancel_sm_resp';
	$m->{state} = 4;
	@due = grep { $_->[1] ne $pdu->{message_id} } @due;
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
		told("${name}_resp", $pdu->{seq}, 0);
		print "bind $name $pdu->{system_id}\n";
	} elsif ($name =~ /^(?:submit_sm|submit_multi|data_sm)$/) {
		on_submit($s, $pdu, $name);
	} elsif ($name eq 'query_sm') {
		on_query($s, $pdu);
	} elsif ($name eq 'cancel_sm') {
		on_change($s, $pdu, 'cancel_sm_resp', 0x11);
	} elsif ($name eq 'replace_sm') {
		on_change($s, $pdu, 'replace_sm_resp', 0x13);
	} elsif ($name eq 'deliver_sm_resp' || $name eq 'data_sm_resp') {
		my $what = delete $waiting{ fileno($s) . " $pdu->{seq}" };

		print defined $what ? "$what $pdu->{status}\n" : "stray $name $pdu->{seq}\n";
		told($name, $pdu->{seq}, $pdu->{status}) if $pdu->{status};
	} elsif ($name eq 'enquire_link') {
		$s->enquire_link_resp(seq => $pdu->{seq});
	} elsif ($name eq 'unbind') {
		$s->unbind_resp(seq => $pdu->{seq});
		print "unbind\n";
	} elsif ($name !~ /_resp$/) {
		$s->generic_nack(seq => $pdu->{seq}, status => 3);
		told('generic_nack', $pdu->{seq}, 3);
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
