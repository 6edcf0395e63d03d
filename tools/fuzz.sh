#!/usr/bin/env bash
# Runs every fuzz test of the module for as long as the argument says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go=${GO:-go}
fuzztime=${1:-10s}
targets=()
found=0

# go test -list prints a package's targets and then a line that names it.
while read -r word package _; do
	case $word in
	Fuzz*) targets+=("$word") ;;
	ok)
		for target in "${targets[@]}"; do
			echo "== $target in $package"
			"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package" </dev/null
			found=$((found + 1))
		done
		targets=()
		;;
	esac
done < <("$go" test -list '^Fuzz' ./... | grep -v '^?')

if [ "$found" -eq 0 ]; then
	echo "no fuzz test was found" >&2
	exit 1
fi
echo "$found fuzz tests ran for $fuzztime each"
