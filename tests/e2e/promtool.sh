#!/bin/sh
# What `smscope ctl metrics` says satisfies Prometheus' own check.
# Usage: promtool.sh SMSCOPED SMSCOPE. Exit status 77: no promtool (Debian package prometheus).
command -v promtool > /dev/null || { echo "no promtool here"; exit 77; }
dir=$(mktemp -d) || exit 1
"$1" --listen 127.0.0.1:0 --upstream 127.0.0.1:9 --control "$dir/s" > "$dir/out" 2> "$dir/err" &
keeper=$!
trap 'kill -INT $keeper 2> /dev/null; wait $keeper; rm -rf "$dir"' EXIT
n=100
until "$2" ctl --socket "$dir/s" metrics > "$dir/metrics" 2> "$dir/err2" &&
		grep -q '^smscope_code_table_entries{' "$dir/metrics"; do
	n=$((n - 1))
	[ $n -gt 0 ] || { cat "$dir/err" "$dir/err2"; exit 1; }
	sleep 0.1
done
promtool check metrics < "$dir/metrics"
