package app

import (
	"context"
	"fmt"
)

const configHelp = `Usage: liao config [flags]

Prints every key with the value in force and where it comes from: its default, a
line of the file, a variable or a flag. Secrets are hidden. What it prints can be
kept as a configuration file.`

func showConfig(_ context.Context, std Streams, args []string) error {
	eff, err := newFlags("config", configHelp, std, nil).load(std, args)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(std.Out, "# Each key may be set in a YAML file (--config FILE), as a variable (limits.sends_per_second is\n# LIAO_LIMITS_SENDS_PER_SECOND) or as a flag (--limits.sends_per_second); the later beats the earlier."); err != nil {
		return err
	}
	return eff.Write(std.Out)
}
