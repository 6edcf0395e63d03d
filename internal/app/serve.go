package app

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const serveHelp = `Usage: liao serve [flags]

Runs gate, verify, status and chat in this process. Without flags: on loopback, on
SQLite in ./liao-data, mails to the log and the operator's outbox. SIGTERM or Ctrl-C
asks its clients to reconnect, flushes and ends within 10 s; a second one ends it at
once.`

// stopTime is how long an orderly end may take in all.
const stopTime = 9500 * time.Millisecond

func serve(ctx context.Context, std Streams, args []string) error {
	eff, err := newFlags("serve", serveHelp, std, nil).load(std, args)
	if err != nil {
		return err
	}
	sys, err := Start(ctx, &eff.Config, std)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before it was ready")
		}
		return err
	}
	banner(std.Out, &eff.Config, sys.doors)
	select {
	case <-ctx.Done():
	case err = <-sys.broken:
		err = fmt.Errorf("a listener broke: %w", err)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return errors.Join(err, sys.Stop(stopping))
}
