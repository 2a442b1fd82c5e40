#!/usr/bin/perl
# An ESME for tests, on Debian's Net::SMPP: a codec that shares no line with ours.
#
# Usage: esme.pl PORT all|plain RECEIPTS
#
# Binds as a transceiver, sends one PDU of each kind (plain: only submit_sm and enquire_link) and
# waits for its answer, then for so many receipts and messages in all; unbinds. Standard output: its
# account, as Rig.pm has it ("pdu COMMAND SEQUENCE STATUS ID STAT"), then "end".
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use Net::SMPP;
use Time::HiRes qw(time);

my ($port, $mode, $receipts) = @ARGV;
my ($arrived, %answer) = (0);
my %from = (source_addr_ton => 0, source_addr_npi => 1, source_addr => '10086', dest_addr_ton => 1,
	dest_addr_npi => 1);

STDOUT->autoflush(1);
my $smsc = Net::SMPP->new_connect('127.0.0.1', port => $port, system_id => 'acme',
	password => 'secret',
	system_type => '', smpp_version => 0x34, async => 1) or die "esme.pl: cannot connect: $!\n";

sub told { print join(' ', 'pdu', map { defined && length ? $_ : '-' } @_[0 .. 4]), "\n"; return }

# deliver_sm and data_sm: a receipt or a message.
sub on_deliver
{
	my ($pdu, $name) = @_;
	my $text = length($pdu->{short_message} // '') ? $pdu->{short_message}
		: $pdu->{message_payload};
	my ($id) = $text =~ /id:(\S+)/i;
	my ($stat) = $text =~ /stat:(\S+)/i;
	my $resp = "${name}_resp";

	told($name, $pdu->{seq}, undef, $id, $stat);
	$smsc->$resp(seq => $pdu->{seq}, message_id => '');
	$arrived++;
}

# Read one PDU; false when nothing came within the seconds given.
sub take
{
	my ($seconds) = @_;

	return unless IO::Select->new($smsc)->can_read($seconds);
	my $pdu = $smsc->read_pdu or die "esme.pl: the connection ended\n";
	my $name = $pdu->explain_cmd;

	if ($name eq 'deliver_sm' || $name eq 'data_sm') {
		on_deliver($pdu, $name);
	} elsif ($name eq 'enquire_link') {
		$smsc->enquire_link_resp(seq => $pdu->{seq});
	} else {
		my $id = $pdu->{message_id};
		my $state = { 1 => 'ENROUTE', 2 => 'DELIVRD', 4 => 'DELETED',
			7 => 'UNKNOWN' }->{ $pdu->{message_state} // 0 };

		$answer{ $pdu->{seq} } = $pdu;
		told($name, $pdu->{seq}, $pdu->{status}, $id, $state)
			unless $name eq 'enquire_link_resp' || $name eq 'unbind_resp';
	}
	return 1;
}

# Send a request, wait for its answer; told: whether a log has a record of the request.
sub ask
{
	my ($command, @fields) = @_;
	my $seq = $smsc->$command(@fields);
	my $end = time + 10;

	told($command, $seq) if $command =~ /^(?:submit|data)/;
	while (!$answer{$seq}) {
		die "esme.pl: no answer to $command $seq\n" if time > $end;
		take(0.1);
	}
	return $answer{$seq};
}

ask('bind_transceiver');
ask('enquire_link');
my @id = map {
	ask('submit_sm', %from, destination_addr => "861380013800$_", registered_delivery => 1,
		short_message => "hello $_")->{message_id};
} 0, 1, 2, 3, 4, 9;
if ($mode eq 'all') {
	my $ucs2 = pack 'n*', map { ord } split //, "\x{4f60}\x{597d}";
	my @late = (%from, destination_addr => '8613800138000', registered_delivery => 1);

	ask('query_sm', message_id => $id[0], source_addr => '10086');
	ask('query_sm', message_id => 'NONE', source_addr => '10086');
	ask('submit_sm', @late, data_coding => 8, short_message => $ucs2,
		user_message_reference => pack('n', 77));
	ask('submit_sm', @late, short_message => '', message_payload => 'x' x 1000);
	ask('submit_multi', source_addr => '10086', registered_delivery => 1,
		short_message => 'many',
		destination_addr => [qw(8613800138000 8613800138009 8613800138001)]);
	ask('data_sm', %from, destination_addr => '8613800138000', registered_delivery => 1,
		data_coding => 0,
		esm_class => 0, message_payload => 'by data_sm');
	for my $kept (1, 0) {
		my $m = ask('submit_sm', @late, short_message => 'to be changed');

		ask('replace_sm', message_id => $m->{message_id}, source_addr => '10086',
			short_message => 'changed',
			schedule_delivery_time => '', validity_period => '',
			registered_delivery => 1, sm_default_msg_id => 0);
		ask('cancel_sm', message_id => $m->{message_id}, source_addr => '10086',
			destination_addr => '')
			unless $kept;
	}
	ask('cancel_sm', message_id => 'NONE', source_addr => '10086',
		destination_addr => '8613800138000');
}
my $end = time + 10;
take(0.1) while $arrived < $receipts && time < $end;
take(0.3);
ask('query_sm', message_id => $id[0], source_addr => '10086') if $mode eq 'all';
ask('unbind');
print "end\n";
