package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Streams are where a command reads and writes.
type Streams struct {
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Environ []string // as os.Environ gives it
}

// Exit codes of the liao command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line that cannot be understood.
type usageError string

func (e usageError) Error() string { return string(e) }

// exitError ends a command with this code; what went wrong was said already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// command is one subcommand.
type command struct {
	name  string
	brief string
	run   func(ctx context.Context, io Streams, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "run all four services in this process, on the embedded default", serve},
		{"talk", "a terminal client, also for scripts", talkTo},
		{"user", "list, show, disable, enable, delete, log out users; give one a way to set a new password", user},
		{"migrate", "bring the database's schema up to date", migrate},
		{"seed", "make users with tokens, for tests and benchmarks", seed},
		{"bench", "measure a running server", benchmark},
		{"config", "print the effective configuration and where each value comes from", showConfig},
		{"version", "print the version", version},
	}
}

// Main runs the command line args (without the program's name) and returns the
// process's exit code: 0, 1 for a failure, 2 for a command line that is wrong. It
// returns soon after ctx ends.
func Main(ctx context.Context, std Streams, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		usage(std.Out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return code(std.Err, c.name, c.run(ctx, std, args[1:]))
		}
	}
	_, _ = fmt.Fprintf(std.Err, "liao: there is no command %q; `liao help` lists them\n", args[0])
	return exitUsage
}

func code(stderr io.Writer, name string, err error) int {
	var exit exitError
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(stderr, "liao %s: %s; `liao %s --help` tells more\n", name, wrong, name)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "liao %s: %v\n", name, err)
	return exitFailed
}

func usage(w io.Writer) {
	var b strings.Builder
	b.WriteString("liao is an instant-messaging system that anyone can run.\n\nUsage: liao COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.brief)
	}
	b.WriteString("\n`liao COMMAND --help` lists the flags of a command. Start with `liao serve`, then `liao talk` in another terminal.\n")
	_, _ = io.WriteString(w, b.String())
}
