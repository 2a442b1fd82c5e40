#!/usr/bin/perl
# The body of netsmpp.sh, which see.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Rig;

my $here = abs_path(dirname $0);
my $build = abs_path($ARGV[0] // '') or die "usage: netsmpp.sh BUILD_DIR\n";

sub finish
{
	my ($dir) = @_;

	until_true(40, sub { !alive('esme') }) or fault("the ESME does not end, see $dir/esme.out");
	fault("the ESME did not end well, see $dir/esme.out")
		if stop('esme') != 0 || slurp("$dir/esme.out") !~ /^end$/m;
	my $status = stop('smscoped');
	fault("smscoped ended with wait status $status, see $dir/smscoped.out") if $status != 0;
	return;
}

sub log_is_whole
{
	my @records = records();

	for my $r (@records) {
		fault("log: $r->{ev} $r->{cmd} $r->{seq}")
			if $r->{ev} =~ /^(?:malformed|blind|lost|stall)$/
			|| ($r->{ev} eq 'unknown_code' && $r->{context} ne 'receipt_err');
		fault("log: no request for $r->{cmd} $r->{seq}") if $r->{unmatched};
	}
	my ($close) = grep { $_->{ev} eq 'session_close' } @records;
	fault('log: the session did not end by unbind') unless $close && $close->{how} eq 'unbind';
	fault("log: $close->{unanswered} unanswered") if $close && $close->{unanswered};
	return;
}

# Both on Net::SMPP, every kind of PDU.
sub to_net_smpp
{
	my $dir = folder("$build/interop/netsmpp");
	my $inbound = 3;
	my ($in, $keep, $port, $listen);

	pipe $in, $keep or die "pipe: $!\n";
	start('smsc', $in, 'perl', "$here/smsc.pl", '--inbound', $inbound);
	until_true(10, sub { ($port) = slurp("$dir/smsc.out") =~ /^port (\d+)$/m })
		or die "netsmpp: no SMSC\n";
	$listen = smscoped($build, 'smpp', $port)
		or die "netsmpp: no smscoped\n";
	start('esme', undef, 'perl', "$here/esme.pl", $listen, 'all', 5 + 2 + 2 + 1 + 1 + $inbound);
	finish($dir);
	close $keep;
	stop('smsc');
	my @log = account_of_log();
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	same_accounts('the SMSC', [account_of_output('smsc')], 'the log', \@log);
	log_is_whole();
	return scalar @log;
}

# To our own simulator, which counts.
sub to_simgw
{
	my $dir = folder("$build/interop/netsmpp-simgw");
	my ($port, $listen);
	my @script = map { ('--line', $_) } 'submit 1/6 11', 'submit 0',
		'report 1/2 UNDELIV err=069 after=20ms',
		'report DELIVRD after=20ms';

	start('simgw', undef, "$build/tests/simgw", '--proto', 'smpp', '--listen', '127.0.0.1:0',
		@script);
	until_true(10, sub { ($port) = slurp("$dir/simgw.out") =~ /^(\d+)$/m })
		or die "netsmpp: no simgw\n";
	$listen = smscoped($build, 'smpp', $port)
		or die "netsmpp: no smscoped\n";
	start('esme', undef, 'perl', "$here/esme.pl", $listen, 'plain', 5);
	finish($dir);
	fault("simgw saw something strange, see $dir/simgw.out") if stop('simgw') != 0;
	my %got = slurp("$dir/simgw.out") =~ /(\w+)=(\d+)/g;
	my @log = account_of_log();
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	my %want = (logins => scalar only('bind_transceiver_resp', @log),
		submits => scalar only('submit_sm', @log),
		answers => scalar only('submit_sm_resp', @log), reports => scalar only('deliver_sm',
		@log),
		acks => scalar only('deliver_sm', @log));
	for my $key (sort keys %want) {
		fault("simgw counts $got{$key} $key, the log $want{$key}")
			if $got{$key} != $want{$key};
	}
	log_is_whole();
	return scalar @log;
}

for my $run ([\&to_net_smpp, 'Net::SMPP to Net::SMPP'], [\&to_simgw, 'Net::SMPP to simgw']) {
	my $before = faults();
	my $lines = $run->[0]->();

	stop_all();
	printf "%s: %s: %d lines in each account\n", faults() == $before ? 'ok' : 'not ok',
		$run->[1], $lines;
}
exit(faults() ? 1 : 0);
