#!/usr/bin/perl
# The body of node_smpp.sh, which see.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Rig;

my $here = abs_path(dirname $0);
my $build = abs_path($ARGV[0] // '') or die "usage: node_smpp.sh BUILD_DIR\n";
my $inbound = 3;
my ($dir, $keep);

sub smsc
{
	my $port;

	pipe my $in, $keep or die "pipe: $!\n";
	start('smsc', $in, 'node', "$here/node_smsc.js", $inbound);
	until_true(20, sub { ($port) = slurp("$dir/smsc.out") =~ /^port (\d+)$/m })
		or die "node_smpp: no SMSC\n";
	return $port;
}

sub simgw
{
	my @script = map { ('--line', $_) } 'submit 1/6 11', 'submit 0',
		'report 1/2 UNDELIV err=069 after=20ms',
		'report DELIVRD after=20ms';
	my $port;

	start('simgw', undef, "$build/tests/simgw", '--proto', 'smpp', '--listen', '127.0.0.1:0',
		@script);
	until_true(10, sub { ($port) = slurp("$dir/simgw.out") =~ /^(\d+)$/m })
		or die "node_smpp: no simgw\n";
	return $port;
}

sub finish
{
	my ($caller) = @_;

	until_true(40, sub { !alive($caller) })
		or fault("$caller does not end, see $dir/$caller.out");
	fault("$caller did not end well, see $dir/$caller.out") if stop($caller) != 0;
	fault("smscoped did not end well, see $dir/smscoped.out") if stop('smscoped') != 0;
	close $keep if $keep;
	until_true(5, sub { !alive('smsc') }) if $keep;
	undef $keep;
	for my $r (records()) {
		fault("log: $r->{ev} $r->{cmd} $r->{seq}")
			if $r->{ev} =~ /^(?:malformed|blind|lost|stall|nack)$/
			|| ($r->{ev} eq 'unknown_code' && $r->{context} ne 'receipt_err');
		fault("log: no request for $r->{cmd} $r->{seq}") if $r->{unmatched};
		fault("log: ended by $r->{how}, $r->{unanswered} unanswered")
			if $r->{ev} eq 'session_close' && ($r->{how} ne 'unbind' || $r->{unanswered}
			|| $r->{gw_unanswered});
	}
	return account_of_log();
}

sub counts_agree
{
	my ($name, $want, %got) = @_;

	for my $key (sort keys %$want) {
		fault("$name counts " . ($got{$key} // 'no') . " $key, the log $want->{$key}")
			if ($got{$key} // -1) != $want->{$key};
	}
	return;
}

sub each_other
{
	my $listen = smscoped($build, 'smpp', smsc()) or die "node_smpp: no smscoped\n";

	# 5 + 9 + 1 receipts of the single messages, 3 of submit_multi, 1 by data_sm; one message is
	# cancelled
	start('esme', undef, 'node', "$here/node_esme.js", $listen, 'all',
		5 + 7 + 3 + 1 + $inbound);
	my @log = finish('esme');
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	same_accounts('the SMSC', [account_of_output('smsc')], 'the log', \@log);
	return @log;
}

# The same with TLS and certificates on all four ends.
sub with_tls
{
	my $certs = "$dir/certs";

	system("$here/../tls/make-certs", $certs) == 0 or die "node_smpp: no certificates\n";
	local $ENV{SMPP_TLS} = $certs;
	my $listen = smscoped($build, 'smpp', smsc(), <<"END") or die "node_smpp: no smscoped\n";
    tls_certificate = "$certs/server.pem"; tls_key = "$certs/server.key"; tls_ca = "$certs/ca.pem";
    tls_client_names = "acme"; upstream_tls = true; upstream_tls_ca = "$certs/ca.pem";
    upstream_tls_name = "localhost"; upstream_tls_certificate = "$certs/client.pem";
    upstream_tls_key = "$certs/client.key";
END
	start('esme', undef, 'node', "$here/node_esme.js", $listen, 'all',
		5 + 7 + 3 + 1 + $inbound);
	my @log = finish('esme');
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	same_accounts('the SMSC', [account_of_output('smsc')], 'the log', \@log);
	my ($login) = grep { $_->{ev} eq 'login' } records();
	fault('the login does not tell of TLS') if ($login->{tls} // '') !~ /^TLSv1\.3 /
		|| ($login->{upstream_tls} // '') !~ /^TLSv1\.3 / || ($login->{tls_name} // '') ne 'acme';
	return @log;
}

# Rules that say in words what a response's status means: the ESME reads them, and all else is as it was.
sub with_words
{
	my $listen = smscoped($build, 'smpp', smsc(), <<'END') or die "node_smpp: no smscoped\n";
    rules = ( { name = "words"; action = "annotate"; in = "tlv"; pdu = "submit_resp"; lang = "en"; } );
END
	start('esme', undef, 'node', "$here/node_esme.js", $listen, 'plain', 5 + $inbound);
	my @log = finish('esme');
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	same_accounts('the SMSC', [account_of_output('smsc')], 'the log', \@log);
	my %words = map { /^words (\d+) \d+ (.*)$/ ? ($1 => $2) : () } split /\n/, slurp("$dir/esme.out");
	for my $r (grep { $_->{ev} eq 'submit_resp' && $_->{code} != 0 } records()) {
		fault("the ESME read \"" . ($words{ $r->{seq} } // '') . "\", the log says \"$r->{en}\"")
			if index($words{ $r->{seq} } // '', $r->{en}) != 0;
	}
	fault('no words came') if !%words;
	return @log;
}

sub to_simgw
{
	my $listen = smscoped($build, 'smpp', simgw()) or die "node_smpp: no smscoped\n";

	start('esme', undef, 'node', "$here/node_esme.js", $listen, 'plain', 5);
	my @log = finish('esme');
	fault("simgw saw something strange, see $dir/simgw.out") if stop('simgw') != 0;
	same_accounts('the ESME', [account_of_output('esme')], 'the log', \@log);
	my %want = map { my ($key, $commands) = @$_; ($key => scalar only($commands, @log)) }
		['logins', 'bind_transceiver_resp'], ['submits', 'submit_sm'], ['answers',
			'submit_sm_resp'],
		['reports', 'deliver_sm'], ['acks', 'deliver_sm'];
	counts_agree('simgw', \%want, slurp("$dir/simgw.out") =~ /(\w+)=(\d+)/g);
	return @log;
}

sub from_simsp
{
	my $listen = smscoped($build, 'smpp', smsc()) or die "node_smpp: no smscoped\n";

	start('simsp', undef, "$build/tests/simsp", '--proto', 'smpp', '--connect',
		"127.0.0.1:$listen", '--count', 60,
		'--dest', '13800######', '--registered', '--wait', 5);
	my @log = finish('simsp');
	same_accounts('the SMSC', [account_of_output('smsc')], 'the log', \@log);
	my $accepted = grep { /^submit_sm_resp \d+ 0 / } @log;
	my %want = (sent => scalar only('submit_sm', @log), ok => $accepted, reports => $accepted,
		rejected => only('submit_sm_resp', @log) - $accepted, mo => $inbound, logins => 1);
	counts_agree('simsp', \%want, slurp("$dir/simsp.out") =~ /(\w+)=(\d+)/g);
	return @log;
}

for my $run (['node-smpp', \&each_other, 'smpp as ESME to smpp as SMSC'],
	['node-tls', \&with_tls, 'the same, TLS on both sides, certificates on all ends'], ['node-simgw', \&to_simgw,
	'smpp as ESME to simgw'],
	['node-words', \&with_words, 'smpp as ESME, rules that say what a status means'],
	['node-simsp', \&from_simsp, 'simsp to smpp as SMSC']) {
	my ($folder, $body, $name) = @$run;
	my $before = faults();

	$dir = folder("$build/interop/$folder");
	my @log = $body->();
	stop_all();
	printf "%s: %s: %d lines in each account\n", faults() == $before ? 'ok' : 'not ok', $name,
		scalar @log;
}
exit(faults() ? 1 : 0);
