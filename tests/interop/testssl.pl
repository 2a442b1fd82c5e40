#!/usr/bin/perl
# The body of testssl.sh, which see. The listener's certificate is one that the scanner has nothing to say
# of: it is good for long enough and tells where it would be revoked.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use JSON::PP;
use Rig;

@ARGV == 1 or die "usage: testssl.sh BUILD_DIR\n";
my $build = abs_path($ARGV[0]) or die "testssl: no such folder: $ARGV[0]\n";
my $dir = folder("$build/interop/testssl");
my ($nobody) = free_ports(1);

sub openssl { system("cd '$dir' && openssl @_ 2>>openssl.err") == 0 or die "testssl: openssl @_: " . slurp("$dir/openssl.err") }

openssl('req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out ca.pem -days 90 -subj "/CN=scan CA"');
openssl('req -newkey rsa:3072 -nodes -keyout server.key -out server.csr -subj "/CN=localhost"');
spill("$dir/ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\ncrlDistributionPoints=URI:http://127.0.0.1/ca.crl\n");
openssl('x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -sha256 -extfile ext -out server.pem');
chmod 0600, "$dir/server.key";
my $port = smscoped($build, 'smpp', $nobody, qq(tls_certificate = "$dir/server.pem"; tls_key = "$dir/server.key";
    handshake_rate = 10000; max_per_ip = 10000; max_sessions = 10000;)) or die "testssl: smscoped did not start\n";
my $scanner = (grep { -x } '/usr/bin/testssl', '/usr/bin/testssl.sh')[0] or die "testssl: where is it?\n";
system("$scanner --quiet --color 0 --warnings batch --openssl /usr/bin/openssl --add-ca '$dir/ca.pem' "
	. "--jsonfile '$dir/found.json' 127.0.0.1:$port >'$dir/testssl.out' 2>&1");
fault('smscoped does not end well') if stop('smscoped') != 0;
my $found = eval { decode_json(slurp("$dir/found.json")) } or die "testssl: no findings to be read, see $dir\n";
my %count;
for my $f (@$found) {
	$count{ $f->{severity} }++;
	fault("$f->{severity}: $f->{id}: $f->{finding}") if $f->{severity} =~ /^(?:MEDIUM|HIGH|CRITICAL)$/;
}
fault('too little was looked at, see ' . $dir) if ($count{OK} // 0) < 20;
printf "%s: testssl.sh: %s\n", faults() ? 'not ok' : 'ok', join ', ', map { "$count{$_} $_" } sort keys %count;
exit(faults() ? 1 : 0);
