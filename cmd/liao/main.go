// Command liao is an instant-messaging system that anyone can run: its services, its
// tools for operators and a terminal client. `liao help` lists what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/liao-im/liao/internal/app"
)

func main() {
	// The first signal asks for an orderly end; with the handler gone a second one
	// ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(app.Main(ctx, app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}, os.Args[1:]))
}
