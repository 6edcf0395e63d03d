#!/usr/bin/env bash
# What the tests need besides Go: a C compiler for the race detector, and MariaDB,
# which they start privately. As root on Debian it is installed; elsewhere this
# says what is missing and stops.
set -euo pipefail

packages=()

compiles() {
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null
}

has_mariadb() {
	PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mariadbd >/dev/null
}

compiles || packages+=(gcc libc6-dev)
has_mariadb || packages+=(mariadb-server)

if [ ${#packages[@]} -eq 0 ]; then
	echo "nothing is missing"
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing: ${packages[*]} (these are Debian's names). Install them and run this again." >&2
	exit 1
fi

echo "installing ${packages[*]}"
# Tests start servers of their own; the system's must not run because of us. An
# exit of 101 is how Debian's packages are told so.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null >/dev/null

if ! compiles || ! has_mariadb; then
	echo "installed ${packages[*]}, and something is missing still" >&2
	exit 1
fi
