package Shark;

# PDUs as tshark reads them. Nothing is captured: a file is written with each PDU as the only
# segment of a connection of its own, so that what is wrong with one cannot reach the next.
use strict;
use warnings;
use Exporter 'import';
use JSON::PP;

our @EXPORT = qw(shark_read pdus_of);

use constant { HEADERS => 40, PORT_SMPP => 2775, PORT_CMPP => 7890 };

# Raw IPv4 (link type 101), TCP; the connection is told by its first port.
sub pcap_of
{
	my ($proto, @pdus) = @_;
	my $file = pack 'LSSlLLL', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101;
	my $port = $proto eq 'smpp' ? PORT_SMPP : PORT_CMPP;
	my $n = 0;

	for my $pdu (@pdus) {
		my $len = HEADERS + length $pdu;
		my $ip = pack 'CCnnnCCnNN', 0x45, 0, $len, $n, 0x4000, 64, 6, 0, 0x7f000001,
			0x7f000001;
		my $tcp = pack 'nnNNCCnnn', 10000 + $n++, $port, 1, 1, 0x50, 0x18, 65535, 0, 0;

		$file .= pack('LLLL', $n, 0, $len, $len) . $ip . $tcp . $pdu;
	}
	return $file;
}

my %entity = (lt => '<', gt => '>', quot => '"', amp => '&', '#x27' => "'");

# One PDU: the fields in tshark's order, each { name, showname, show, value, at, len, depth },
# offsets in the PDU.
sub fields_of
{
	my ($packet, $proto) = @_;
	my ($depth, @fields) = (0);
	my ($body) = $packet =~ /<proto name="$proto"[^>]*>\n(.*?)\n  <\/proto>/s or return [];

	for my $line (split /\n/, $body) {
		$depth-- if $line =~ /^\s*<\/field>/;
		next unless $line =~ /^\s*<field (.*?)(\/?)>$/;
		my ($attributes, $leaf) = ($1, $2);
		my %f = $attributes =~ /(\w+)="([^"]*)"/g;

		s/&(#?\w+);/$entity{$1} \/\/ "&$1;"/ge for values %f;
		push @fields, { %f{qw(name showname show value)}, at => $f{pos} - HEADERS,
			len => $f{size}, depth => $depth }
			if $f{name} =~ /^$proto\./;
		$depth++ unless $leaf;
	}
	return \@fields;
}

# One list of fields a PDU.
sub shark_read
{
	my ($folder, $proto, @pdus) = @_;
	my $file = "$folder/$proto.pcap";

	open my $f, '>:raw', $file or die "$file: $!\n";
	print $f pcap_of($proto, @pdus);
	close $f;
	my @ports = ('-d', 'tcp.port==' . PORT_SMPP . ',smpp', '-d', 'tcp.port==' . PORT_CMPP .
		',cmpp');
	open my $out, '-|', "tshark -n -r $file @ports -T pdml 2>$folder/tshark.err"
		or die "tshark: $!\n";
	local $/;
	my $all = <$out>;
	close $out or die "tshark failed, see $folder/tshark.err\n";
	my @packets = $all =~ /(<packet>.*?<\/packet>)/sg;
	die "tshark read " . @packets . ' of ' . @pdus . " PDUs\n" unless @packets == @pdus;
	return map { fields_of($_, $proto) } @packets;
}

# The PDUs of a stream, by their length fields alone.
sub pdus_of
{
	my ($octets) = @_;
	my @pdus;

	while (length $octets) {
		my $len = unpack 'N', $octets;

		die "no whole PDU at the end of a stream\n"
			if length $octets < 4 || $len < 12 || $len > length $octets;
		push @pdus, substr $octets, 0, $len, '';
	}
	return @pdus;
}

1;
