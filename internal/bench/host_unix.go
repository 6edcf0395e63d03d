//go:build unix

package bench

import (
	"fmt"
	"syscall"
	"time"
)

// allowFiles makes room for n open files.
func allowFiles(n int) error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("ask for the limit of open files: %w", err)
	}
	if uint64(n) <= r.Cur { //nolint:gosec // n is a count
		return nil
	}
	if uint64(n) > r.Max { //nolint:gosec // as above
		return fmt.Errorf("%d open files are needed and the limit is %d; raise it with `ulimit -Hn %d`", n, r.Max, n)
	}
	r.Cur = r.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", r.Max, err)
	}
	return nil
}

// ownCPU is the processor time that this process has used.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read our own processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
