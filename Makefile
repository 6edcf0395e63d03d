# Everything that is done with this code, by name. `make help` lists it.

GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 10s
# Further arguments of `liao serve` for `make run`.
ARGS    ?=

# The changelog's newest version and the commit; a clone without tags, or a
# folder that is no clone, will do.
VERSION ?= $(shell sed -n 's/^\#\# \([0-9][^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)$(shell git describe --always --dirty --exclude '*' 2>/dev/null | sed 's/^/+/')
LDFLAGS  = -s -w -X github.com/liao-im/liao/internal/app.Version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help run test quick build fuzz bench lint fmt generate hooks

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build what is out of date and start all services on the embedded default
	@exec bin/liao serve $(ARGS)

test: ## everything that CI runs; on Debian, as root, it installs what is missing
	@GO="$(GO)" tools/test.sh

quick: ## what to run between two edits: vet and the tests without the race detector
	$(GO) vet ./...
	$(GO) test -short ./client/... ./cmd/... ./internal/...

build: ## one static binary at bin/liao
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/liao ./cmd/liao

fuzz: ## feed every decoder for FUZZTIME (10s) each
	@GO="$(GO)" tools/fuzz.sh $(FUZZTIME)

bench: build ## what one node does here: messages a second, memory of a connection
	@tools/bench.sh

lint: ## the linter, over every build tag
	$(TOOL) golangci-lint run ./...
	$(TOOL) golangci-lint run --build-tags integration ./internal/store/...

fmt: ## put every file into the house's form
	$(TOOL) golangci-lint fmt

generate: ## make again what is made from other files: code from .proto, the page of keys
	$(TOOL) buf generate
	$(GO) test ./internal/config -run TestReferencePage -update

hooks: ## check format, vet and plan before each commit of this clone
	git config core.hooksPath .githooks
