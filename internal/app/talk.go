package app

import (
	"context"

	"github.com/liao-im/liao/internal/talk"
)

func talkTo(ctx context.Context, std Streams, args []string) error {
	code := talk.Run(ctx, talk.Options{Args: args, In: std.In, Out: std.Out, Err: std.Err, Environ: std.Environ, Version: Version})
	if code != exitOK {
		return exitError(code)
	}
	return nil
}
