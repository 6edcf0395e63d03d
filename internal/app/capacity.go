package app

import (
	"fmt"
	"syscall"
)

// spareFiles is how many descriptors the process keeps for everything but chat
// connections: listeners, the database, HTTP.
const spareFiles = 500

// capacity is how many chat connections this process may hold: what was chosen, but
// no more than its file limit allows (which Go has raised to the hard limit).
func capacity(chosen int) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	most := int(min(limit.Cur, 1<<30)) - spareFiles
	if most < 1 {
		return 0, fmt.Errorf("the limit of open files is %d; liao needs at least %d (ulimit -n)", limit.Cur, spareFiles+1)
	}
	if chosen > most {
		return 0, fmt.Errorf("limits.connections is %d, but the limit of %d open files leaves room for %d; raise it (ulimit -n) or lower the key", chosen, limit.Cur, most)
	}
	if chosen > 0 {
		return chosen, nil
	}
	return most, nil
}
