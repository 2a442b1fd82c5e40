#!/usr/bin/perl
# The body of tshark.sh, which see. Where the two differ and the reason is known, the difference has
# a name in %known, and the run fails if one of these names is no longer needed.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use JSON::PP;
use Rig;
use Shark;

my $here = abs_path(dirname $0);
my $build = abs_path($ARGV[0] // '') or die "usage: tshark.sh BUILD_DIR\n";

# Of Wireshark 4.0.17: what it does, and what the specification says.
my %known = (
	cmpp2 => 'reads every CMPP body as 3.0: of 2.x only the header is compared',
	refusal => 'reads no body when command_status is not 0, though peers send one',
	rep_num => 'takes one octet of broadcast_rep_num, not two: the rest is not compared',
	ismg_code => 'leaves off low octets of the gateway code in Msg_Id (bits 37 to 16)',
	unlisted => 'reads not even the header of a command that it does not list',
	query_resp => 'calls CMPP_QUERY_RESP by the name of its request',
	src_id => 'gives Src_Id of SUBMIT 17 octets, not 21 (CMPP 3.0, 8.4.3.1)',
	no_layout => 'has no body for QUERY, CANCEL, FWD and their responses',
	report60 => 'reads a report of 60 octets as one of 71',
	multi_validity => "calls submit_multi's validity_period by another name (SMPP 3.4, 4.5.1)",
	cut_tlv => 'shows a TLV that is longer than what is left as if it were whole',
	no_nul => 'has no line for a message_id that ends the PDU without its NUL',
);
my %met = map { $_ => 0 } keys %known;

# tshark's names of fields, where they are not the specification's.
my %name = (
	schedule_delivery_time_r => 'schedule_delivery_time',
	validity_period_r => 'validity_period',
	final_date_r => 'final_date', message => 'short_message', servicd_id => 'service_id',
	valld_time => 'valid_time',
	(map { ("esm.submit.$_" => 'esm_class') } qw(msg_mode msg_type features)),
	(map { ("regdel.$_" => 'registered_delivery') } qw(receipt acks notif)),
);
# Fields that it has no line for.
my %unshown = map { $_ => 1 } qw(number_of_dests no_unsuccess dest_flag dest_address unsuccess_sme);

# `smscope explain` of many PDUs of one protocol and dialect.
sub explain
{
	my ($proto, $dialect, @hex) = @_;

	# Where the length field is wrong, the next PDU would begin in the wrong place.
	return map { explain($proto, $dialect, $_) } @hex
		if @hex > 1 && grep { hex(substr $_, 0, 8) != length($_) / 2 } @hex;
	open my $f, '-|', "$build/smscope", 'explain', '--json', '--proto', $proto, $dialect
		? ('--dialect', $dialect) : (),
		@hex or die "smscope: $!\n";
	my @all = map { decode_json($_) } <$f>;
	close $f;
	die "smscope explained " . @all . ' of ' . @hex . " PDUs\n" unless @all == @hex;
	return @all;
}

sub command_name
{
	my ($f) = @_;
	my ($name) = $f->{showname} =~ /: (.*) \(0x/ or return 'unknown';

	$name =~ s/ - resp$/_resp/;
	return $name =~ /^CMPP_/ ? $name : $name =~ /^Unknown/ ? 'unknown' : lc $name;
}

# Of one PDU: "OFFSET LENGTH NAME" of each field.
sub places_of_tshark
{
	my ($id, $fields) = @_;
	my (%place, $known);

	for my $f (@$fields) {
		my $name = lc $f->{name};

		$name =~ s/^[sc]mpp\.//;
		$name =~ s/^(?:connect|submit|deliver)(?:_resp)?\.//;
		$known = 'rep_num' if $name eq 'broadcast_rep_num';
		$name = $f->{showname} =~ /: (\w+) \(0x(\w+)\)/ ? "0x$2 " . ($1 eq "0x$2"
			? 'unknown' : $1) : '?' if $name eq 'opt_param';
		next if $f->{len} == 0 ||
			$name =~ /^(?:opt_|msg_id\.|report|dcs\.|message_text|dlist)/;
		next if $f->{name} =~ /^smpp/ && $f->{depth} > 1 || $f->{name} =~ /^cmpp/ &&
			$f->{depth} > 0 && $name ne 'dest_terminal_id';
		$place{ "$f->{at} $f->{len} " . ($name{$name} // $name) } = 1;
	}
	return (\%place, $known);
}

sub places_of_explain
{
	my ($e) = @_;
	my %items = map { $_->{name} => 1 } grep { $_->{part} eq 'item' } @{ $e->{fields} };

	return { map { ("$_->{at} $_->{len} " . lc $_->{name} => $_) } grep {
		$_->{part} =~ /^(?:header|body|item|tlv)$/ && $_->{len} > 0 &&
			$_->{name} ne '(broken)' && !$unshown{ $_->{name} } &&
		!($_->{part} eq 'body' && $items{ $_->{name} })
	} @{ $e->{fields} } };
}

# What is not compared in this PDU, and why.
sub excuse
{
	my ($proto, $e, $status) = @_;

	return 'cmpp2' if $proto eq 'cmpp' && $e->{dialect} =~ /[12]\.\d$/;
	return 'no_layout' if $proto eq 'cmpp' && $e->{pdu} =~ /_(?:QUERY|CANCEL|FWD)(?:_RESP)?$/;
	return 'refusal' if $status && grep { $_->{part} =~ /^(?:body|tlv)$/ } @{ $e->{fields} };
	return;
}

sub value
{
	my ($e, $name) = @_;
	my ($field) = grep { $_->{name} eq $name } @{ $e->{fields} };

	return $field->{value};
}

sub compare_header
{
	my ($id, $e, $fields) = @_;
	my %shark;

	$shark{ $_->{name} =~ s/^.*\.//r } //= $_ for grep { $_->{depth} == 0 } @$fields;
	my $command = $shark{command_id} // $shark{Command_Id};
	my $sequence = $shark{sequence_number} // $shark{Sequence_Id};
	my $name = command_name($command);

	$met{query_resp}++ if $e->{pdu} eq 'CMPP_QUERY_RESP' && $name eq 'CMPP_QUERY';
	fault("$id: tshark names it $name, we $e->{pdu}")
		if $name ne $e->{pdu} && !($e->{pdu} eq 'CMPP_QUERY_RESP' && $name eq 'CMPP_QUERY');
	my $ours = value($e, 'sequence_number') // value($e, 'Sequence_Id');
	fault("$id: sequence $sequence->{show}, we say $ours") if $sequence->{show} ne $ours;
	if (my $status = $shark{command_status}) {
		fault("$id: status $status->{show}, we say " . value($e, 'command_status'))
			if hex $status->{show} != hex value($e, 'command_status');
	}
	if (defined $shark{message_id} && $shark{message_id}{show} ne value($e, 'message_id')) {
		fault("$id: message_id $shark{message_id}{show}, we say " . value($e,
			'message_id'));
	}
	return hex($shark{command_status}{show} // 0);
}

# The gateway code as tshark has it, against bits 37 to 16 of the eight octets.
sub compare_gateway_code
{
	my ($fields) = @_;
	my ($id) = grep { $_->{name} eq 'cmpp.Msg_Id' } @$fields;
	my ($code) = grep { $_->{name} eq 'cmpp.Msg_Id.ismg_code' } @$fields;

	return unless $id;
	my ($high, $low) = unpack 'NN', pack 'H*', $id->{value};
	$met{ismg_code}++ if $code->{show} != (($high & 0x3f) << 16 | $low >> 16);
	return;
}

# A report has no line as a whole, but its parts.
sub compare_report
{
	my ($id, $e, $fields, $theirs, $ours) = @_;
	my %part = map { $_->{name} => $_ } grep { $_->{part} eq 'report' } @{ $e->{fields} };
	my ($content) = grep { / msg_content$/ } keys %$ours;

	return unless %part;
	delete $ours->{$content};
	for my $f (grep { $_->{name} =~ /Report\./ } @$fields) {
		my $name = $f->{name} =~ s/.*\.//r =~ s/^Status$/Stat/r;
		my $value = $name eq 'SMSC_sequence' ? hex $f->{value} : $f->{show};

		next if $content =~ / 60 / && $name eq 'SMSC_sequence';
		$value =~ s/\s+$//;
		fault("$id: $name $value, we say $part{$name}{value}")
			if $name !~ /time/ && $value ne $part{$name}{value};
		fault("$id: $name at $f->{at}, we say $part{$name}{at}")
			if $f->{at} != $part{$name}{at};
	}
	$met{report60}++ if $content =~ / 60 /;
	my ($number) = grep { / dest_terminal_id$/ } keys %$theirs;
	delete $theirs->{$number};
	fault("$id: the number of the report is at $number")
		if $content !~ / 60 / && $number !~ /^$part{Dest_terminal_Id}{at} 32 /;
	return;
}

sub compare
{
	my ($proto, $v, $e, $fields) = @_;
	my $id = $v->{id};

	if (!@$fields) {
		$e->{pdu} eq 'unknown' ? $met{unlisted}++ : fault("$id: tshark reads nothing");
		return;
	}
	my $status = compare_header($id, $e, $fields);
	my $excuse = excuse($proto, $e, $status);
	my ($theirs, $more) = places_of_tshark($id, $fields);
	my $ours = places_of_explain($e);

	$excuse //= $more;
	$met{$excuse}++ if $excuse;
	compare_gateway_code($fields) if $proto eq 'cmpp' && !$excuse;
	return if $excuse;
	compare_report($id, $e, $fields, $theirs, $ours) if $e->{pdu} eq 'CMPP_DELIVER';
	if (delete $theirs->{'119 17 src_id'} && delete $ours->{'119 21 src_id'}) {
		$met{src_id}++;
	}
	if (my ($broken) = grep { $_->{name} eq '(broken)' } @{ $e->{fields} }) {
		for my $place (grep { /^$broken->{at} $broken->{len} 0x/ } keys %$theirs) {
			delete $theirs->{$place};
			$met{cut_tlv}++;
		}
	}
	if ($e->{pdu} eq 'submit_multi' &&
		(my ($at) = map { /^(\d+) 1 validity_period/ } keys %$ours)) {
		$met{multi_validity} += delete $theirs->{"$at 1 schedule_delivery_time"};
		delete $ours->{"$at 1 validity_period"};
	}
	for my $place (sort keys %$theirs) {
		fault("$id: only tshark has $place") unless $ours->{$place};
	}
	for my $place (sort keys %$ours) {
		next if $place =~ /command_status/ && $status == 0;	# has no line in requests
		next if $ours->{$place}{len} == 1 &&
		$ours->{$place}{value} eq '';	# has no line for some empty strings
		if ($place =~ /message_id/ && $v->{hex} !~ /00$/ && !$theirs->{$place}) {
			$met{no_nul}++;
			next;
		}
		fault("$id: only we have $place") unless $theirs->{$place};
	}
	return;
}

sub compare_vectors
{
	my $dir = folder("$build/interop/tshark");
	my %group;

	open my $f, '<', "$here/../data/vectors.json" or die "vectors.json: $!\n";
	my $vectors = decode_json(do { local $/; <$f> });
	for my $v (@$vectors) {
		my ($dialect) = $v->{version} =~ /^(\d\.\d)$/;

		push @{ $group{ lc $v->{protocol} }{ $dialect // '' } }, $v;
	}
	for my $proto (sort keys %group) {
		my @mine = map { @{ $group{$proto}{$_} } } sort keys %{ $group{$proto} };
		my @ours = map { my $d = $_; explain($proto, $d,
			map { $_->{hex} } @{ $group{$proto}{$d} }) } sort keys %{ $group{$proto} };
		my @theirs = shark_read($dir, $proto, map { pack 'H*', $_->{hex} } @mine);

		compare($proto, $mine[$_], $ours[$_], $theirs[$_]) for 0 .. $#mine;
	}
	return scalar @$vectors;
}

# --- sessions ---

sub told { return join ' ', map { defined && length ? $_ : '-' } @_[0 .. 4] }

# Msg_Id for people, from its octets: tshark's gateway code is wrong.
sub msgid_of
{
	my ($hex) = @_;
	my ($high, $low) = unpack 'NN', pack 'H*', $hex;

	return sprintf '%02d%02d%02d%02d%02d-%d-%d', $high >> 28, $high >> 23 & 31,
		$high >> 18 & 31, $high >> 12 & 63,
		$high >> 6 & 63, ($high & 0x3f) << 16 | $low >> 16, $low & 0xffff;
}

# A line of an account (see Rig.pm) from tshark's fields; nothing for a PDU that no record tells of.
sub line_of_tshark
{
	my ($fields) = @_;
	my (%f, %report);

	for my $f (@$fields) {
		my $name = $f->{name} =~ s/^.*\.//r;

		$f{$name} //= $f;
		$report{$name} //= $f if $f->{depth} > 0;
	}
	my $name = command_name($f{command_id} // $f{Command_Id});
	my $seq = ($f{sequence_number} // $f{Sequence_Id})->{show};

	if ($name =~ /^CMPP/) {
		my $code = ($f{Result} // $f{Status})->{show}
			if $name =~ /_RESP$/ && ($f{Result} // $f{Status});
		my $id = $f{Msg_Id} && $f{Msg_Id}{value} !~ /^0*$/ ? msgid_of($f{Msg_Id}{value})
			: undef;

		return told($name, $seq, $code) if $name eq 'CMPP_CONNECT_RESP';
		return told($name, $seq) if $name eq 'CMPP_SUBMIT';
		return told($name, $seq, hex($f{Result}{value}), $id)
			if $name eq 'CMPP_SUBMIT_RESP';
		return $report{Status} ? told($name, $seq, undef, msgid_of($report{Msg_Id}{value}),
			$report{Status}{show})
			: told($name, $seq) if $name eq 'CMPP_DELIVER';
		return;
	}
	my $status = hex($f{command_status}{show} // 0);

	return told($name, $seq, $status) if $name =~ /^bind_\w+_resp$/;
	return told($name, $seq) if $name eq 'submit_sm';
	return told($name, $seq, $status, $f{message_id}{show}) if $name eq 'submit_sm_resp';
	if ($name eq 'deliver_sm') {
		my $text = pack 'H*', $f{message}{value} // '';
		my ($id) = $text =~ /id:(\S+)/;
		my ($stat) = $text =~ /stat:(\S+)/;

		return told($name, $seq, undef, $id, $stat);
	}
	return;
}

# The same without tshark, for what it cannot read: CMPP 2.0. Only command and sequence.
my %cmpp_told = (0x80000001 => 'CMPP_CONNECT_RESP', 4 => 'CMPP_SUBMIT',
	0x80000004 => 'CMPP_SUBMIT_RESP', 5 => 'CMPP_DELIVER');
sub line_of_header
{
	my ($pdu) = @_;
	my (undef, $command, $seq) = unpack 'NNN', $pdu;

	return $cmpp_told{$command} ? "$cmpp_told{$command} $seq" : ();
}

sub tap
{
	my ($name, $port, $dir) = @_;
	my $listen;

	start($name, undef, 'perl', "$here/tap.pl", $port, $name);
	until_true(10, sub { ($listen) = slurp("$dir/$name.out") =~ /^(\d+)$/m })
		or die "tshark: no $name\n";
	return $listen;
}

# simsp, a tap, smscoped, a tap, simgw.
sub run_session
{
	my ($proto) = @_;
	my $dir = folder("$build/interop/tshark-$proto");
	my ($protocol) = $proto =~ /^([a-z]+)/;
	my @script = map { ('--line', $_) } "submit 1/7 8", 'submit 0',
		'report 1/3 UNDELIV err=069 after=20ms',
		'report 1/5 EXPIRED after=10ms', 'report DELIVRD after=20ms', 'mo 1/9 "TD"';
	my $port;

	start('simgw', undef, "$build/tests/simgw", '--proto', $proto, '--listen', '127.0.0.1:0',
		@script);
	until_true(10, sub { ($port) = slurp("$dir/simgw.out") =~ /^(\d+)$/m })
		or die "tshark: no simgw\n";
	my $behind = tap('behind', $port, $dir);
	my $listen = smscoped($build, $protocol, $behind)
		or die "tshark: no smscoped\n";
	my $before = tap('before', $listen, $dir);
	start('simsp', undef, "$build/tests/simsp", '--proto', $proto, '--connect',
		"127.0.0.1:$before", '--count', 100,
		'--registered', '--wait', 5);
	until_true(30, sub { !alive('simsp') });
	until_true(5, sub { !alive('before') && !alive('behind') });
	fault("$proto: simsp saw something strange, see $dir/simsp.out") if stop('simsp') != 0;
	fault("$proto: smscoped did not end well, see $dir/smscoped.out") if stop('smscoped') != 0;
	stop('simgw');
	for my $way (qw(up down)) {
		fault("$proto: the octets $way differ before and behind smscoped")
			if slurp("$dir/before.$way") ne slurp("$dir/behind.$way");
	}
	return $dir;
}

sub compare_session
{
	my ($proto) = @_;
	my $dir = run_session($proto);
	my @pdus = map { pdus_of(slurp("$dir/behind.$_")) } qw(up down);
	my @log = account_of_log();
	my @other;

	if ($proto eq 'cmpp2') {
		@other = map { line_of_header($_) } @pdus;
		@log = map { /^(\S+ \S+)/ } @log;
	} else {
		@other = map { line_of_tshark($_) } shark_read($dir, $proto =~ /^([a-z]+)/, @pdus);
	}
	same_accounts($proto eq 'cmpp2' ? 'cmpp2: the wire' : "$proto: tshark", \@other, 'the log',
		\@log);
	stop_all();
	return (scalar @pdus, scalar @log);
}

my $vectors = compare_vectors();
for my $why (sort keys %known) {
	print "known, $met{$why} times: tshark $known{$why}\n";
	fault("tshark no longer differs: $why") unless $met{$why};
}
for my $proto (qw(smpp cmpp3 cmpp2)) {
	my $before = faults();
	my ($pdus, $lines) = compare_session($proto);

	printf "%s: %s: %d PDUs on the wire, %d lines in each account\n", faults() == $before ? 'ok'
		: 'not ok', $proto, $pdus, $lines;
}
printf "%s: tshark on %d PDUs of vectors.json\n", faults() ? 'not ok' : 'ok', $vectors;
exit(faults() ? 1 : 0);
