#!/usr/bin/env bash
# Measures one node on this machine, clients included: 200 pairs that send one
# message at a time with the limits off, then connections that only live.
# PAIRS, IDLE and DURATION change the load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pairs=${PAIRS:-200}
idle=${IDLE:-5000}
duration=${DURATION:-10s}

ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
dir=$(mktemp -d)
server=
finish() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap finish EXIT

users=$((pairs * 2 > idle ? pairs * 2 : idle))
bin/liao seed --data "$dir/data" --users "$users" --pairs --out "$dir/users.jsonl"

bin/liao serve --data "$dir/data" --http 127.0.0.1:0 --chat 127.0.0.1:0 --ops 127.0.0.1:0 \
	--limits.sends_per_second 0 --limits.requests_per_second 0 >"$dir/out" 2>"$dir/log" &
server=$!

# The server says where it listens once it is ready.
until grep -q 'is ready' "$dir/out" && grep -q 'Operator' "$dir/out"; do
	kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	read -r -t 0.1 <> <(:) || true
done
chat=$(awk '/Chat, TCP/ { print $3 }' "$dir/out")
ops=$(awk '/Operator/ { print $2 }' "$dir/out")

bin/liao bench send --tokens "$dir/users.jsonl" --address $chat --ops "$ops" --pid "$server" \
	--pairs "$pairs" --duration "$duration"
echo
bin/liao bench idle --tokens "$dir/users.jsonl" --address $chat --ops "$ops" --pid "$server" \
	--connections "$idle" --duration "$duration"
