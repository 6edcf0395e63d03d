package app

import (
	"context"
	"fmt"
	"runtime"
)

// Version is stamped by the linker at a release build.
var Version = "dev"

func version(_ context.Context, std Streams, args []string) error {
	if len(args) > 0 {
		return usageError("takes no arguments")
	}
	_, err := fmt.Fprintf(std.Out, "liao %s (%s, %s/%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
