#!/usr/bin/env bash
# Everything that must hold before code is merged: `make test` and nothing else
# runs it, here and on build machines. Steps that fail fast come first. A step
# that cannot run is a failure, never a skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go=${GO:-go}
step=""
step_began=0

# heading NAME ends the step before, with its time, and begins the next.
heading() {
	if [ -n "$step" ]; then
		printf -- '-- %s took %d:%02d\n' "$step" $(((SECONDS - step_began) / 60)) $(((SECONDS - step_began) % 60))
	fi
	step=$1
	step_began=$SECONDS
	printf '\n== %s (%d:%02d since the start)\n' "$step" $((SECONDS / 60)) $((SECONDS % 60))
}

trap 'status=$?; [ $status -eq 0 ] || printf "\n!! failed: %s\n" "$step" >&2' EXIT

tool() {
	"$go" tool -modfile=tools/go.mod "$@"
}

heading "what the machine needs"
tools/need.sh

heading "tools, from source at the versions of tools/go.mod"
tool buf --version
tool golangci-lint version

heading "generated code is what the .proto files say, and breaks no client"
fresh=$(mktemp -d)
tool buf lint
tool buf breaking --against internal/wire/proto/baseline.binpb
tool buf generate -o "$fresh"
diff -r "$fresh/internal/wire/clientpb" internal/wire/clientpb
rm -rf "$fresh"

heading "lint, over every build tag"
tool golangci-lint run ./...
tool golangci-lint run --build-tags integration ./internal/store/...

heading "unit tests, with the race detector"
"$go" test -race -timeout 15m ./client/... ./cmd/... ./internal/...

heading "stores on MariaDB, with the race detector"
"$go" test -race -timeout 15m -tags integration ./internal/store/...

heading "the binary"
make --no-print-directory build
bin/liao version

heading "the binary as a black box: contract, scripts, attacks"
LIAO_BIN="$PWD/bin/liao" "$go" test -count=1 -timeout 20m ./test/...
