package Rig;

# What the tests of this folder share: programs in a folder of their own, smscoped between two of
# them, and accounts.
#
# An account is what one party says went by: a list of lines "COMMAND SEQUENCE STATUS ID STAT", "-"
# where a PDU has no such thing. Only what a record tells of is in it: logins' answers, submits,
# their answers, reports, inbound messages, refused deliveries, answers to query, cancel and
# replace, nacks. Both peers print theirs ("pdu " before each line), the log's is read from its
# JSON; then all are compared, line by line.
use strict;
use warnings;
use Exporter 'import';
use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(fault faults folder start stop stop_all alive slurp spill free_ports listening
	until_true smscoped records account_of_output account_of_log same_accounts only);

my ($dir, %child, %ended);
my $faults = 0;

sub fault { print "not ok: @_\n"; $faults++; return }
sub faults { return $faults }

# A fresh folder: programs run there, their outputs are there.
sub folder
{
	($dir) = @_;
	remove_tree($dir);
	make_path($dir);
	return $dir;
}

# End a child with TERM; its wait status, -1 if it had to be killed.
sub stop
{
	my ($name) = @_;
	my $pid = delete $child{$name} or return;

	return delete $ended{$name} if exists $ended{$name};
	return $? if waitpid($pid, WNOHANG) != 0;
	kill 'TERM', $pid;
	for (1 .. 200) {
		return $? if waitpid($pid, WNOHANG) != 0;
		sleep 0.05;
	}
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return -1;
}

sub stop_all { stop($_) for keys %child; return }

END { my $status = $?; stop_all(); $? = $status }
$SIG{INT} = $SIG{TERM} = sub { exit 1 };
$SIG{PIPE} = 'IGNORE';

# Start a program with both outputs in NAME.out; a handle given as `in` becomes its standard input.
sub start
{
	my ($name, $in, @command) = @_;
	my $pid = fork;

	die "fork: $!\n" unless defined $pid;
	if ($pid == 0) {
		chdir $dir;
		open STDIN, '<&', $in or POSIX::_exit(126) if $in;
		open STDIN, '<', '/dev/null' unless $in;
		open STDOUT, '>', "$dir/$name.out";
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	$child{$name} = $pid;
	delete $ended{$name};
	return;
}

sub alive
{
	my ($name) = @_;

	return 0 if !$child{$name} || exists $ended{$name};
	return 1 if waitpid($child{$name}, WNOHANG) == 0;
	$ended{$name} = $?;
	return 0;
}

sub slurp
{
	my ($file) = @_;

	open my $f, '<', $file or return '';
	local $/;
	return scalar(<$f>) // '';
}

sub spill
{
	my ($file, $text) = @_;

	open my $f, '>', $file or die "$file: $!\n";
	print $f $text;
	close $f;
	return;
}

# Ports that are this process' own until it ends, as tests/sim/port.h has it: a UDP socket at the same number
# stands for each, and the kernel gives none of them away.
my @marks;
my $at = $$ * 7919;

sub free_ports
{
	my ($count) = @_;
	my @ports;

	for (1 .. 20_000) {
		my %here = (LocalAddr => '127.0.0.1', LocalPort => 10_000 + $at++ % 20_000);
		my $mark = IO::Socket::INET->new(%here, Proto => 'udp') or next;

		IO::Socket::INET->new(%here, Proto => 'tcp', Listen => 1) or next;
		push @marks, $mark;
		push @ports, $here{LocalPort};
		return @ports if @ports == $count;
	}
	die "no free port: $!\n";
}

# Somebody listens on that loopback port: looked up where a try would be a session in the log.
sub listening
{
	my $port = sprintf ':%04X', $_[0];

	return slurp('/proc/net/tcp') =~ /^\s*\d+: [0-9A-F]{8}$port \S+ 0A /m;
}

# Wait for a condition; `idle` is what to do meanwhile.
sub until_true
{
	my ($seconds, $condition, $idle) = @_;
	my $end = time + $seconds;

	while (time < $end) {
		return 1 if $condition->();
		$idle ? $idle->() : sleep 0.03;
	}
	return 0;
}

# smscoped in front of a gateway's port; its own port, or nothing when it did not start.
sub smscoped
{
	my ($build, $protocol, $upstream, $more) = @_;
	my ($listen) = free_ports(1);

	spill("$dir/smscope.conf", <<"EOT");
control = "";
links = (
  { name = "eu"; protocol = "$protocol"; listen = "127.0.0.1:$listen";
    upstream = "127.0.0.1:$upstream"; profile = "infox"; @{[ $more // '' ]} }
);
logs = (
  { type = "file"; path = "$dir/log.json"; format = "json"; }
);
EOT
	start('smscoped', undef, "$build/smscoped", '-c', "$dir/smscope.conf");
	until_true(20, sub { listening($listen) || !alive('smscoped') });
	return $listen if listening($listen);
	stop('smscoped');
	return;
}

# All records of the log; what is no JSON is a fault.
sub records
{
	my @records;

	for my $line (split /\n/, slurp("$dir/log.json")) {
		my $r = eval { decode_json($line) };

		$r ? push @records, $r : fault("not JSON: $line");
	}
	return @records;
}

sub account_of_output
{
	my ($name) = @_;

	return slurp("$dir/$name.out") =~ /^pdu (.*)$/mg;
}

my %told = map { $_ => 1 } qw(login submit submit_resp report deliver deliver_resp query_resp
	cancel_resp nack);

sub account_of_log
{
	my @account;

	for my $r (records()) {
		next unless $told{ $r->{ev} };
		my $report = $r->{ev} eq 'report';
		my $state = $r->{ev} eq 'query_resp' ? $r->{stat} : $report ? $r->{code} : undef;
		my $status = $report ? undef : $r->{code};
		my $id = $r->{ev} eq 'deliver' ? undef : $r->{msgid};

		push @account, join ' ', $r->{cmd}, $r->{seq},
			map { defined && length ? $_ : '-' } $status, $id, $state;
	}
	return @account;
}

# Those lines of an account that begin with one of the commands.
sub only { my ($commands, @account) = @_; return grep { /^(?:$commands) / } @account }

# One fault for each line that one of them has more often.
sub same_accounts
{
	my ($name, $have, $other, $want) = @_;
	my %count;

	$count{$_}++ for @$have;
	$count{$_}-- for @$want;
	for my $line (sort keys %count) {
		fault("$name has, $other has not: $line (" . $count{$line} . " more)")
			if $count{$line} > 0;
		fault("$other has, $name has not: $line (" . -$count{$line} . " more)")
			if $count{$line} < 0;
	}
	fault("$name: an empty account") unless @$have;
	return;
}

1;
