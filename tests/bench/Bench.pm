# What the benchmarks share: programs, ports, processor time.
package Bench;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket;
use POSIX qw(:sys_wait_h);

our @EXPORT = qw(nap start stop forget slurp spill free_port listening start_proxy family cpu memory descriptors);
our ($dir, $me);	# where outputs go; whose messages these are

my @children;
my $ticks = POSIX::sysconf(&POSIX::_SC_CLK_TCK);

sub nap { select undef, undef, undef, $_[0] }

sub stop
{
	for my $pid (reverse splice @children) {
		my $left = 100;

		kill 'TERM', $pid;
		nap(0.05) while waitpid($pid, WNOHANG) == 0 && $left-- > 0;
		if ($left < 0) { kill 'KILL', $pid; waitpid $pid, 0 }
	}
}

END { my $status = $?; stop(); $? = $status }
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# A program with its outputs in $dir/NAME.out and NAME.err.
sub start
{
	my ($name, @command) = @_;

	unlink "$dir/$name.out", "$dir/$name.err";	# of an earlier run
	my $pid = fork // die "fork: $!\n";

	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$dir/$name.out";
		open STDERR, '>', "$dir/$name.err";
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	push @children, $pid;
	return $pid;
}

sub slurp { my ($file) = @_; open my $f, '<', $file or return ''; local $/; return scalar(<$f>) // '' }
sub spill { my ($file, $text) = @_; open my $f, '>', $file or die "$file: $!\n"; print $f $text; close $f }

sub free_port
{
	my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no port: $!\n";
	return $s->sockport;
}

# Somebody listens on that loopback port: looked up, so that no proxy sees a connection of ours.
sub listening
{
	my $port = sprintf ':%04X', $_[0];
	return slurp('/proc/net/tcp') =~ /^\s*\d+: [0-9A-F]{8}$port \S+ 0A /m;
}

# A proxy on a port that is free; started again elsewhere if somebody took the port meanwhile.
sub start_proxy
{
	my ($name, $prepare) = @_;

	for (1 .. 5) {
		my $port = free_port();
		my $pid = start($name, $prepare->($port));

		for (1 .. 100) {
			return { name => $name, port => $port, pid => $pid } if listening($port);
			last if waitpid($pid, WNOHANG) != 0;
			nap(0.1);
		}
	}
	die "$me: $name did not start:\n" . slurp("$dir/$name.err");
}

# It has ended and was waited for.
sub forget { my ($pid) = @_; @children = grep { $_ != $pid } @children }

# A process and its children.
sub family
{
	my ($pid) = @_;
	my @family = ($pid);

	for my $stat (glob '/proc/[0-9]*/stat') {
		push @family, $1 if slurp($stat) =~ /^(\d+) \(.*\) \S (\d+)/s && $2 == $pid;
	}
	return @family;
}

# Seconds of CPU so far of a process and its children, by thread name.
sub cpu
{
	my ($pid) = @_;
	my %sum;

	for my $stat (map { glob "/proc/$_/task/*/stat" } family($pid)) {
		next unless slurp($stat) =~ /^\d+ \((.*)\) \S (?:\S+ ){10}(\d+) (\d+)/s;
		$sum{$1} += ($2 + $3) / $ticks;
	}
	return \%sum;
}

# Octets that a process and its children have for themselves, and what the kernel says of shared ones.
sub memory
{
	my ($pid) = @_;
	my $kib = 0;

	$kib += $_ for map { slurp("/proc/$_/smaps_rollup") =~ /^Pss:\s+(\d+)/m } family($pid);
	return $kib * 1024;
}

sub descriptors
{
	my ($pid) = @_;
	my $count = 0;

	for my $member (family($pid)) {
		my @all = glob "/proc/$member/fd/*";
		$count += @all;
	}
	return $count;
}

1;
