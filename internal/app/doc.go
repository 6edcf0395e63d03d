// Package app joins the rooms by hand and is what the liao command does: one file
// for each subcommand.
//
// Whatever is started registers how it is ended in the place where it is made
// (stack.go), so a start that fails half-way ends what it had begun, and a stop
// goes in the reverse order of the start.
//
// Files: main.go (the table of commands), flags.go, open.go and lock.go (what several
// commands open), stack.go; then serve.go, system.go (the wiring of all four services
// in one process) with rooms.go (their options), listen.go, tls.go, capacity.go,
// memory.go and banner.go; migrate.go, seed.go, user.go with password.go, talk.go,
// config.go, bench.go, version.go.
package app
