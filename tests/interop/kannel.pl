#!/usr/bin/perl
# The body of kannel.sh, which see. One run for each way Kannel binds: as one transceiver, as a transmitter
# beside a receiver, as a transceiver over TLS, where either end shows a certificate; with an SMSC
# that writes delivrd, which Kannel takes for a failure; and with rules that give it the states it knows.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Getopt::Long;
use HTTP::Tiny;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Rig;
use Time::HiRes qw(sleep time);

my ($direct, $messages, $inbound) = (0, 40, 5);
GetOptions('direct' => \$direct, 'messages=i' => \$messages) && @ARGV == 1
	or die "usage: kannel.sh [--direct] [--messages N] BUILD_DIR\n";
my $here = abs_path(dirname $0);
my $build = abs_path($ARGV[0]) or die "kannel: no such folder: $ARGV[0]\n";
my $dir;

# Kannel's application: answers the URLs Kannel calls for receipts and inbound messages.
my ($app, %called);
sub serve_app
{
	my ($seconds) = @_;

	while (IO::Select->new($app)->can_read($seconds)) {
		my $c = $app->accept or next;
		my $request = '';

		while ($request !~ /\r\n\r\n/) {
			last unless IO::Select->new($c)->can_read(2) && sysread $c, $request, 4096,
				length $request;
		}
		$called{$1}++ if $request =~ m{^GET (/\S*)};
		syswrite $c,
			"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
		$seconds = 0;
	}
}

sub wait_for
{
	my ($seconds, $condition) = @_;

	return until_true($seconds, $condition, sub { serve_app(0.05) });
}

sub kannel_conf
{
	my ($mode, $smsc_port, $admin, $box, $sendsms) = @_;
	my $app_port = $app->sockport;
	my ($core_tls, $smsc_tls) = ('', '');
	($core_tls, $smsc_tls) = (<<"EOT", "use-ssl = true\n") if $mode eq 'tls';
ssl-client-certkey-file = "$dir/certs/both.pem"
ssl-trusted-ca-file = "$dir/certs/ca.pem"
EOT
	my @binds = $mode ne 'pair' ? ("port = $smsc_port\ntransceiver-mode = true\n")
		: ("port = $smsc_port\n", "port = 0\nreceive-port = $smsc_port\n");
	my $smsc = join '', map { <<"EOT" } @binds;
group = smsc
smsc = smpp
smsc-id = test
host = 127.0.0.1
${_}${smsc_tls}smsc-username = acme
smsc-password = secret
system-type = ""
interface-version = 34
reconnect-delay = 1
max-pending-submits = 10

EOT
	return <<"EOT";
group = core
admin-port = $admin
admin-interface = 127.0.0.1
admin-password = test
smsbox-port = $box
smsbox-interface = 127.0.0.1
log-file = "$dir/bearerbox.log"
log-level = 0
access-log = "$dir/access.log"
box-allow-ip = "127.0.0.1"
dlr-storage = internal
sms-resend-retry = 0
$core_tls
$smsc
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = $sendsms
sendsms-interface = 127.0.0.1
log-file = "$dir/smsbox.log"
log-level = 0

group = sendsms-user
username = test
password = test
max-messages = 1

group = sms-service
keyword = default
get-url = "http://127.0.0.1:$app_port/mo?text=%a"
max-messages = 0
EOT
}

# Certificates for both, and the link's keys for them.
sub tls_keys
{
	my $certs = "$dir/certs";

	system("$here/../tls/make-certs", $certs) == 0 or die "kannel: no certificates\n";
	spill("$certs/both.pem", slurp("$certs/client.pem") . slurp("$certs/client.key"));
	return qq(tls_certificate = "$certs/server.pem"; tls_key = "$certs/server.key"; tls_ca = "$certs/ca.pem";
    tls_client_names = "acme";);
}

my %keys = (tls => \&tls_keys, rules => sub { <<'EOT' });
rules = ( { name = "states"; action = "map_stat"; map = "states"; } );
EOT

# Start everything; false when a port was taken meanwhile.
sub set_up
{
	my ($mode) = @_;
	my ($smsc_port, $keep);
	my ($admin, $box, $sendsms) = free_ports(3);

	pipe my $in, $keep or die "pipe: $!\n";
	start('smsc', $in, 'perl', "$here/smsc.pl", '--inbound', $inbound,
		$mode =~ /^(?:rules|words)$/ ? ('--delivered', 'delivrd') : ());
	wait_for(10, sub { ($smsc_port) = slurp("$dir/smsc.out") =~ /^port (\d+)$/m })
		or die "kannel: smsc.pl did not start\n";
	unless ($direct) {
		$smsc_port = smscoped($build, 'smpp', $smsc_port, $keys{$mode} ? $keys{$mode}->() : '') or return;
	}
	spill("$dir/kannel.conf", kannel_conf($mode, $smsc_port, $admin, $box, $sendsms));
	start('bearerbox', undef, '/usr/sbin/bearerbox', "$dir/kannel.conf");
	wait_for(15, sub { listening($box) || !alive('bearerbox') });
	return unless listening($box);
	start('smsbox', undef, '/usr/sbin/smsbox', "$dir/kannel.conf");
	wait_for(15, sub { listening($sendsms) || !alive('smsbox') });
	return unless listening($sendsms);
	my $binds = $mode eq 'pair' ? 2 : 1;
	return unless wait_for(15, sub { (() = slurp("$dir/smsc.out") =~ /^bind /mg) >= $binds });
	return ($keep, $sendsms);
}

sub send_all
{
	my ($sendsms) = @_;
	my $http = HTTP::Tiny->new(timeout => 10);
	my $port = $app->sockport;

	for my $n (1 .. $messages) {
		my $to = sprintf '86138%07d%d', $n, $n % 10 == 9 ? 9 : $n % 5;
		my $back = "http%3A%2F%2F127.0.0.1%3A$port%2Fdlr%3Fn%3D$n%26s%3D%25d";
		my $answer = $http->get("http://127.0.0.1:$sendsms/cgi-bin/sendsms?username=test&password=test" .
			"&from=10086&to=$to&text=hello+$n&dlr-mask=19&dlr-url=$back");

		fault("message $n was not taken: $answer->{status} $answer->{content}")
			if $answer->{status} !~ /^2/;
		serve_app(0);
	}
}

# What the SMSC saw, and what Kannel's application got.
sub check_arrivals
{
	my $smsc = slurp("$dir/smsc.out");
	my (%to, $refused, %sent, %acked, $dlr);

	while ($smsc =~ /^submit (\S+) (\d+) (\d+)$/mg) { $3 ? $refused++ : ($to{$1} = $2) }
	$sent{$1} = $2 while $smsc =~ /^receipt (\S+) (\S+)$/mg;
	while ($smsc =~ /^receipt_ack (\S+) (\d+)$/mg) { $acked{$1} = 1 unless $2 }
	$refused //= 0;
	$dlr = grep { m{^/dlr} } keys %called;
	fault("the SMSC saw " . (keys %to) . " accepted and $refused refused of $messages")
		if keys(%to) + $refused != $messages;
	fault((keys %to) . " messages, " . (keys %sent) . " receipts sent, " . (keys %acked) .
		" acknowledged")
		if keys %to != keys %sent || keys %to != keys %acked;
	fault("Kannel's application heard of $dlr of $messages messages") if $dlr != $messages;
	fault("inbound: " . (grep { m{^/mo} } keys %called) . " of $inbound")
		if $inbound != grep { m{^/mo} } keys %called;
	fault("the SMSC saw something stray: $1") if $smsc =~ /^((?:stray|nack) .*)$/m;
	return (\%to, \%sent, $refused);
}

# What smscoped's log says of the same traffic.
sub check_log
{
	my ($to, $sent, $refused, $binds) = @_;
	my (%count, %resp, %report, $number);

	for my $r (records()) {
		my $line = encode_json($r);
		my $known = length($r->{zh} // '') && length($r->{en} // '');

		$count{ $r->{ev} // '?' }++;
		$resp{ $r->{msgid} }++ if $r->{ev} eq 'submit_resp' && length($r->{msgid} // '');
		$report{ $r->{msgid} }++ if $r->{ev} eq 'report';
		fault("no meaning: $line")
			if $r->{ev} =~ /^(?:login|submit_resp|report)$/ && !$known;
		fault("no round-trip time: $line")
			if $r->{ev} eq 'submit_resp' && !defined $r->{rtt_us};
		$number = $line if $line =~ /86138\d{8}/;
	}
	fault("a telephone number that is not masked: $number") if $number;
	my %want = (login => $binds, submit => $messages, submit_resp => $messages,
		report => scalar keys %$sent, deliver => $inbound, session_open => $binds,
		session_close => $binds,
		unknown_code => 1); # the err:013 of smsc.pl, which is its own
	for my $ev (sort keys %want) {
		fault("log: " . ($count{$ev} // 0) . " $ev records, not $want{$ev}")
			if ($count{$ev} // 0) != $want{$ev};
	}
	for my $ev (qw(malformed blind lost stall nack)) {
		fault("log: $count{$ev} $ev records") if $count{$ev};
	}
	for my $id (sort keys %$to) {
		fault("log: message $id has " . ($resp{$id} // 0) . " responses")
			if ($resp{$id} // 0) != 1;
		fault("log: message $id has " . ($report{$id} // 0) . " reports")
			if ($report{$id} // 0) != 1;
	}
}

sub check_tls
{
	my ($login) = grep { $_->{ev} eq 'login' } records();

	fault('the login does not tell of TLS') if ($login->{tls} // '') !~ /^TLSv1\.[23] /
		|| ($login->{tls_name} // '') ne 'acme';
}

# Kannel's application was told what became of each message: 1 delivered, 2 failed, 16 refused. Without rules it
# was told of failures only.
sub check_states
{
	my ($mode) = @_;
	my %want = (0 => $mode eq 'rules' ? 1 : 2, 9 => 16);

	for my $n (1 .. $messages) {
		my $digit = $n % 10 == 9 ? 9 : $n % 5;
		my ($got) = map { m{^/dlr\?n=$n&s=(\d+)} } keys %called;

		fault("message $n, digit $digit: Kannel says " . ($got // 'nothing') . ', not ' . ($want{$digit} // 2))
			if ($got // -1) != ($want{$digit} // 2);
	}
	return if $mode ne 'rules';
	for my $r (grep { $_->{ev} eq 'report' } records()) {
		my $odd = ($r->{was} // '') =~ /delivrd|MB:0064/;

		fault('a state that was not mapped: ' . encode_json($r)) if $r->{code} =~ /^(?:delivrd|MB:)/ && !$odd;
		fault('no rule is named: ' . encode_json($r)) if $odd && ($r->{rule} // '') ne 'states';
	}
}

sub run
{
	my ($mode) = @_;
	my ($keep, $sendsms);
	my $binds = $mode eq 'pair' ? 2 : 1;
	my $before = faults();

	$app = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp')
		or die "listen: $!\n";
	%called = ();
	for my $try (1 .. 3) {
		$dir = folder("$build/interop/kannel-$mode");
		last if ($keep, $sendsms) = set_up($mode);
		stop_all();
	}
	die "kannel: the programs did not start, see $dir\n" unless $sendsms;
	send_all($sendsms);
	wait_for(30, sub {
		my $dlr = grep { m{^/dlr} } keys %called;
		my $mo = grep { m{^/mo} } keys %called;
		my $acks = () = slurp("$dir/smsc.out") =~ /^receipt_ack /mg;
		my $sent = () = slurp("$dir/smsc.out") =~ /^receipt /mg;

		$dlr >= $messages && $mo >= $inbound && $acks == $sent
	});
	stop('smsbox');
	stop('bearerbox');
	sleep 0.3;
	unless ($direct) {
		my $status = stop("smscoped");

		fault("smscoped ended with wait status $status, see $dir/smscoped.out")
			if $status != 0;
	}
	close $keep;
	my ($to, $sent, $refused) = check_arrivals();
	check_log($to, $sent, $refused, $binds) unless $direct;
	check_tls() if $mode eq 'tls';
	check_states($mode) if $mode =~ /^(?:rules|words)$/;
	stop('smsc');
	printf "%s: Kannel as %s%s: %d messages, %d refused, %d receipts, %d inbound\n",
		faults() == $before ? 'ok' : 'not ok', $mode, $direct ? ', without smscoped' : '',
		$messages, $refused, scalar keys %$sent, $inbound;
}

run($_) for 'transceiver', 'pair', $direct ? () : ('tls', 'words', 'rules');
exit(faults() ? 1 : 0);
