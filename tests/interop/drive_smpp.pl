#!/usr/bin/perl
# The body of drive_smpp.sh, which see. drive_smpp is the SMSC; smsbox answers each message it
# delivers, and drive_smpp counts what comes back, and ends. It would be the smsbox, too, but does
# not name itself to bearerbox, which wants that, and so gets nothing. bearerbox may refuse the
# first messages, for now, while it still starts.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use IO::Socket::INET;
use Rig;

my ($messages, $box) = (50, 13001);
my $build = abs_path($ARGV[0] // '') or die "usage: drive_smpp.sh BUILD_DIR\n";
my $dir;

sub bearerbox_conf
{
	my ($admin, $box, $smsc) = @_;
	my $common = <<'EOT';
group = smsc
smsc = smpp
smsc-id = smpp
host = 127.0.0.1
system-type = "VMA"
smsc-username = "foo"
smsc-password = "bar"
reconnect-delay = 1
EOT

	chomp $common;
	return <<"EOT";
group = core
admin-port = $admin
admin-interface = 127.0.0.1
admin-password = bar
smsbox-port = $box
smsbox-interface = 127.0.0.1
log-file = "$dir/bearerbox.log"
access-log = "$dir/access.log"
box-allow-ip = "127.0.0.1"

$common
port = $smsc

$common
receive-port = $smsc

group = smsbox
bearerbox-host = 127.0.0.1
log-file = "$dir/smsbox.log"

group = sms-service
keyword = default
text = "an answer"
EOT
}

# Loopback is down in a new network. struct ifreq: 16 octets of name, then the flags.
sub loopback_up
{
	my $socket = IO::Socket::INET->new(Proto => 'udp') or die "socket: $!\n";
	my $ask = pack 'a16 s x22', 'lo', 0x41;

	ioctl $socket, 0x8914, $ask or die "SIOCSIFFLAGS: $!\n";
	return;
}

# Start everything; false when a port was taken meanwhile.
sub set_up
{
	my ($admin, $port) = free_ports(2);

	$dir = folder("$build/interop/drive_smpp");
	my $listen = smscoped($build, 'smpp', $port) or return;
	spill("$dir/kannel.conf", bearerbox_conf($admin, $box, $listen));
	start('drive', undef, '/usr/lib/kannel/test/drive_smpp', '-p', $port, '-m', $messages, '-c',
		"$dir/kannel.conf");
	until_true(10, sub { listening($port) || !alive('drive') });
	return unless listening($port);
	start('bearerbox', undef, '/usr/sbin/bearerbox', "$dir/kannel.conf");
	until_true(10, sub { listening($box) }) or return;
	start('smsbox', undef, '/usr/sbin/smsbox', "$dir/kannel.conf");
	return 1;
}

loopback_up();
for my $try (1 .. 3) {
	last if set_up();
	stop_all();
	die "drive_smpp: the programs did not start, see $dir\n" if $try == 3;
}
# All that bearerbox did not refuse comes back as a submit.
until_true(20, sub {
	my $log = slurp("$dir/log.json");
	my $refused = () = $log =~ /"ev":"deliver_resp"/g;
	my $answered = () = $log =~ /"ev":"submit_resp"/g;

	$answered > 0 && $answered + $refused >= $messages;
});
stop('smsbox');
stop('bearerbox');
my $status = stop('smscoped');
fault("smscoped ended with wait status $status, see $dir/smscoped.out") if $status != 0;
stop('drive');

my %ours = map { $_ => 0 } qw(ESME SMSC answered refused login);
# With a receipted_message_id each delivery counts as a report, though it has no state.
my %of = (deliver => 'ESME', report => 'ESME', deliver_resp => 'refused', submit => 'SMSC',
	submit_resp => 'answered', login => 'login');
for my $r (records()) {
	my $code = $r->{ev} eq 'report' ? 0 : $r->{code} // 0;

	$ours{ $of{ $r->{ev} } }++ if $of{ $r->{ev} };
	fault("log: $r->{cmd} $r->{seq} is $r->{ev}")
		if $r->{ev} =~ /^(?:malformed|blind|lost|stall|nack)$/
		|| ($r->{ev} eq 'unknown_code' && $r->{context} ne 'receipt_err');
	fault("log: no request for $r->{cmd} $r->{seq}") if $r->{unmatched};
	fault("log: code $code of $r->{cmd} $r->{seq}")
		if $code ne ($r->{ev} eq 'deliver_resp' ? 100 : 0);
}
my %theirs = slurp("$dir/drive.out") =~ /Number of messages sent to (\w+): (\d+)/g;
my %want = (ESME => $messages, map { $_ => $messages - $ours{refused} } 'SMSC');
for my $to (sort keys %want) {
	my $count = $theirs{$to} // -1;

	fault("drive_smpp counts $count messages to the $to, not $want{$to}")
		if $count != $want{$to};
	fault("the log has $ours{$to} messages to the $to, not $want{$to}")
		if ($ours{$to} // $want{$to}) != $want{$to};
}
my $received = () = slurp("$dir/access.log") =~ /Receive SMS/g;
my $sent = () = slurp("$dir/access.log") =~ /Sent SMS/g;
fault("bearerbox received $received and sent $sent of $want{SMSC}")
	if $received != $want{SMSC} || $sent != $want{SMSC};
fault("the log has $ours{answered} answers and $ours{login} logins")
	if $ours{answered} != $want{SMSC} || $ours{login} != 2;
printf "%s: drive_smpp: %d messages to the ESME, %d refused for now, %d to the SMSC\n", faults()
	? 'not ok' : 'ok',
	$ours{ESME}, $ours{refused}, $ours{SMSC};
exit(faults() ? 1 : 0);
