#!/bin/bash
# Keeper and engine as two processes: signals, deaths, exit codes.
# Usage: keeper.sh SMSCOPED. Needs bash, script(1) and /proc; ports are the kernel's choice. Takes half a minute.
set -u

program=$1
dir=$(mktemp -d)
failed=0 keeper=0 engine=0 port= ours=

# Only what this script started: keepers, and engines seen as their children.
finish()
{
	local pid

	for pid in $ours; do
		kill -KILL "$pid" 2>/dev/null
	done
	rm -rf "$dir"
	[ "$failed" -eq 0 ]
	exit
}
trap finish EXIT

is()
{
	local what=$1 want=$2 got=$3

	if [ "$want" = "$got" ]; then
		echo "ok: $what"
		return
	fi
	echo "not ok: $what: expected $want, got $got"
	sed 's/^/  /' "$dir/err" 2>/dev/null
	failed=1
}

# state and parent of a process: "S 812"; nothing if it is gone.
process()
{
	local stat

	read -r stat 2>/dev/null < "/proc/$1/stat" || return
	stat=${stat##*) }
	set -- $stat
	echo "$1 $2"
}

alive()
{
	case $(process "$1") in
	''|Z*|X*) return 1 ;;
	esac
}

engine_of()
{
	local p

	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		case $(process "$p") in
		Z*|X*) ;;
		*" $1")
			# Not a child that only checks something.
			grep -qa -e --engine "/proc/$p/cmdline" && echo "$p" && return
			;;
		esac
	done
}

# Wait at most $1 tenths of a second for a command to succeed.
within()
{
	local n=$1

	shift
	while ! "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.1
	done
}

gone() { ! alive "$1"; }

# Does an engine take connections? It ends one that does not begin with a login.
accepts()
{
	local answer

	exec 8<> "/dev/tcp/127.0.0.1/$port" || return 1
	printf 'GET / HTTP/1.0\r\n\r\n' >&8
	IFS= read -r -t 5 -n 1 answer <&8
	[ $? -le 128 ]
	local rc=$?
	exec 8>&-
	return $rc
}

# Where it listens, as it says itself: on a terminal, and in the operator log.
banner()
{
	port=$(sed -n -e 's/^smscoped: 127\.0\.0\.1:\([0-9]*\) -> .*/\1/p' \
		-e 's/.* listening link=.* on=127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/err")
	[ -n "$port" ]
}

# Another engine than $1, at work?
other_engine()
{
	engine=$(engine_of "$keeper")
	[ -n "$engine" ] && [ "$engine" != "$1" ] && ours="$ours $engine"
}

# The service manager heard of a reload, and of its end behind it.
told_again()
{
	sed -n '/^RELOADING=1/,$p' "$dir/told" | grep -q '^READY=1'
}

# Start a keeper with the given options, or with one link from the command line.
begin()
{
	[ $# -gt 0 ] || set -- --listen 127.0.0.1:0 --upstream 127.0.0.1:9
	: > "$dir/err"
	"$program" "$@" > "$dir/out" 2> "$dir/err" &
	keeper=$!
	ours="$ours $keeper"
	within 100 banner && within 100 other_engine 0 && accepts
	is "an engine takes connections" 0 $?
	[ "$failed" -eq 0 ] || exit
}

# Signal $1 ends keeper and engine within $2 tenths of a second, with exit code 0.
ends()
{
	kill "-$1" "$keeper"
	within "$2" gone "$keeper"
	is "$3: the keeper ends" 0 $?
	alive "$keeper" && return
	wait "$keeper"
	is "$3: exit code" 0 $?
	within 20 gone "$engine"
	is "$3: the engine is gone" 0 $?
}

"$program" --no-such-option 2> "$dir/err"
is "unknown option: exit code" 2 $?
is "unknown option: one line" 1 "$(grep -c 'try --help' "$dir/err")"
timeout 10 "$program" --listen 127.0.0.1:0 --upstream 127.0.0.1:9 --protocol nonsense > /dev/null 2> "$dir/err"
is "bad option value: exit code" 2 $?
"$program" -t -c "$dir/missing.conf" 2> "$dir/err"
is "check of a missing file: exit code" 1 $?
"$program" -t --listen 127.0.0.1:0 --upstream 127.0.0.1:9 > "$dir/out" 2> "$dir/err"
is "check: exit code" 0 $?
is "check: says OK" 1 "$(grep -c '^OK: 1 link' "$dir/out")"
"$program" --version > /dev/full 2> "$dir/err"
is "output that finds no room: exit code" 1 $?

begin
"$program" --listen "127.0.0.1:$port" --upstream 127.0.0.1:9 > /dev/null 2> "$dir/busy"
is "port taken: exit code" 3 $?

for signal in HUP USR1; do
	kill -$signal "$keeper" "$engine"
done
kill -TERM "$engine"
sleep 0.3
is "signals that end nothing: same engine" "$engine" "$(engine_of "$keeper")"
accepts
is "signals that end nothing: takes connections" 0 $?
old=$engine
kill -USR2 "$keeper"
within 100 other_engine "$old"
is "USR2: another engine" 0 $?
accepts
is "USR2: takes connections" 0 $?

for n in 1 2 3; do
	old=$engine
	kill -KILL "$old"
	within 50 other_engine "$old"
	is "engine killed ($n): another one" 0 $?
	accepts
	is "engine killed ($n): takes connections" 0 $?
done
is "engine killed: the log says so" 3 "$(grep -c 'engine died pid=[0-9]* signal=SIGKILL' "$dir/err")"
ends INT 30 INT

begin
ends TERM 30 "TERM without sessions"

begin
exec 9<> "/dev/tcp/127.0.0.1/$port"
sleep 0.3
kill -TERM "$keeper"
sleep 1
alive "$engine"
is "TERM with a session: the engine waits for it" 0 $?
ends TERM 30 "second TERM"
exec 9>&-

begin
kill -STOP "$engine"
old=$engine
within 250 other_engine "$old"
is "engine stands still: another one" 0 $?
gone "$old"
is "engine stands still: the old one is gone" 0 $?
accepts
is "engine stands still: takes connections" 0 $?
kill -STOP "$engine"
ends INT 80 "INT with an engine that stands still"

begin
kill -KILL "$keeper"
wait "$keeper" 2> /dev/null
within 50 gone "$engine"
is "keeper killed: the engine ends" 0 $?

# The control socket: refused to a second one, left behind by a death, replaced, removed at the end.
control=$dir/control.sock
rm -f "$control"
begin --listen 127.0.0.1:0 --upstream 127.0.0.1:9 --control "$control"
is "control: mode and owner" "660 $(id -u)" "$(stat -c '%a %u' "$control")"
timeout 20 "$program" --listen 127.0.0.1:0 --upstream 127.0.0.1:9 --control "$control" \
	> /dev/null 2> "$dir/busy"
is "control taken: exit code" 3 $?
is "control taken: the reason" 1 "$(grep -c "control=$control: another smscoped answers" "$dir/busy")"
is "control taken: it is still there" 0 "$(test -S "$control"; echo $?)"
kill -KILL "$keeper"
wait "$keeper" 2> /dev/null
within 50 gone "$engine"
is "keeper killed: the control socket is left behind" 0 "$(test -S "$control"; echo $?)"
begin --listen 127.0.0.1:0 --upstream 127.0.0.1:9 --control "$control"
ends INT 30 "control left behind: replaced; INT"
is "control: removed at the end" 1 "$(test -e "$control"; echo $?)"

# As a service: told to the manager, logs reopened, faults in the file refused.
cat > "$dir/conf" <<END
links = ( { name = "one"; listen = [ "127.0.0.1:0" ]; upstream = [ "127.0.0.1:9" ]; } );
logs = ( { type = "file"; path = "$dir/records"; } );
control = "$dir/control.sock";
END
perl -MSocket -e '
	$| = 1;
	socket(S, PF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die;
	while (defined recv(S, $text, 4096, 0)) { print "$text\n"; }' "$dir/notify" > "$dir/told" &
manager=$!
ours="$ours $manager"
within 50 test -S "$dir/notify"
export NOTIFY_SOCKET=$dir/notify WATCHDOG_USEC=1000000
begin -c "$dir/conf"
unset NOTIFY_SOCKET WATCHDOG_USEC
within 50 grep -q '^READY=1' "$dir/told"
is "service: ready is told" 0 $?
within 50 test -s "$dir/records"
is "service: records are written" 0 $?
mv "$dir/records" "$dir/records.1"
kill -USR1 "$keeper"
within 50 test -e "$dir/records"
is "USR1: the log file is there again" 0 $?
kill -HUP "$keeper"
within 100 grep -q 'CONFIG .*what=codes state=ok' "$dir/records"
is "HUP: the code tables are loaded again" 0 $?
within 50 told_again
is "HUP: reloading is told, then ready" 0 $?
is "HUP: since when is told" 1 "$(grep -c '^MONOTONIC_USEC=[0-9][0-9]*$' "$dir/told")"
is "HUP: what it leaves out is logged" 1 "$(grep -c 'HUP: .*restart to apply' "$dir/err")"
sleep 1.5
is "service: the watchdog is fed" yes "$([ "$(grep -c '^WATCHDOG=1' "$dir/told")" -ge 3 ] && echo yes)"
ends TERM 30 "service: TERM"
is "service: stopping is told" 1 "$(grep -c '^STOPPING=1' "$dir/told")"
is "service: the engine says nothing to the manager" 2 "$(grep -c '^READY=1' "$dir/told")"
kill "$manager"
echo 'links = ( { name = "one"; lisen = [ "127.0.0.1:0" ]; } );' > "$dir/conf"
timeout 10 "$program" -c "$dir/conf" > /dev/null 2> "$dir/err"
is "service: a faulty file is refused" 1 $?
is "service: the fault is named" 1 "$(grep -c "^$dir/conf:1: error: .*lisen" "$dir/err")"

# A user that may have two processes, but no thread besides: the reason is told, and no engine is tried again.
alone="setpriv --reuid 54321 --clear-groups"
if $alone test -x "$program" 2> /dev/null; then
	timeout 20 $alone prlimit --nproc=2 "$program" --listen 127.0.0.1:0 --upstream 127.0.0.1:9 \
		> /dev/null 2> "$dir/err"
	is "no threads: exit code" 1 $?
	is "no threads: the reason" 1 "$(grep -c 'the front cannot start: .*unavailable' "$dir/err")"
else
	echo "skip: no threads: needs root"
fi

# Ctrl-C on a terminal reaches the keeper's process group alone.
mkfifo "$dir/keys"
: > "$dir/err"
script -qec "exec '$program' --listen 127.0.0.1:0 --upstream 127.0.0.1:9 2> '$dir/err'" /dev/null \
	< "$dir/keys" > "$dir/out" 2>&1 &
terminal=$!
ours="$ours $terminal"
exec 9> "$dir/keys"
within 100 banner
keeper=$(engine_of "$terminal")
ours="$ours $keeper"
within 100 other_engine 0
is "on a terminal: an engine runs" 0 $?
sleep 0.5
printf '\003' >&9
within 30 gone "$keeper" && within 20 gone "$engine"
is "Ctrl-C ends both" 0 $?
wait "$terminal"
is "Ctrl-C: exit code" 0 $?
exec 9>&-
