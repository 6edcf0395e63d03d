//go:build !unix

package bench

import (
	"errors"
	"time"
)

// allowFiles has nothing to do: there is no such limit here.
func allowFiles(int) error { return nil }

func ownCPU() (time.Duration, error) {
	return 0, errors.New("read our own processor time: not on this system")
}
