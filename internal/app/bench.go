package app

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/liao-im/liao/internal/bench"
)

const benchHelp = `Usage: liao bench send|idle --tokens FILE [flags]

Measures a running server from outside, with users that ` + "`liao seed`" + ` made:

  send   pairs of users, one of each sending a message at a time and waiting for its answer
  idle   connections that do nothing but live, and what each costs the server

Switch the limits off in the server (--limits.sends_per_second 0) to find its own.`

func benchmark(ctx context.Context, std Streams, args []string) error {
	var o bench.Options
	asJSON := false
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.Bind(fs)
	fs.BoolVar(&asJSON, "json", false, "print the report as JSON")
	f := &flags{FlagSet: fs}
	f.describe(benchHelp, std)
	operands, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(operands) != 1 {
		return usageError("name one scenario: send or idle")
	}
	o.Scenario = operands[0]
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	if asJSON {
		err = report.WriteJSON(std.Out)
	} else {
		err = report.WriteText(std.Out)
	}
	if err == nil && len(report.Failures) > 0 {
		err = errors.New("the measurement is not clean: " + fmt.Sprint(report.Failures))
	}
	return err
}
