// Package fault is where tests of bad days reach into production code, and
// the only package that every other one may import.
//
// Now is the clock of whatever is stored or compared between processes: the
// time of an entry, the expiry of a token, the end of a lease. Such instants
// outlive the process that took them, so a clock that is wrong, or that steps
// back, is a fault like a disk that is full. With one door for all of them
// that fault can be made on purpose.
//
// Durations that begin and end in one process (deadlines, tickers, latencies)
// keep to package time, whose monotonic clock no step can touch.
package fault

import "time"

// Now returns the wall clock's time in UTC.
//
// It carries no monotonic reading: two results compare by the wall clock
// alone, just as they will when one of them has been to a database and back.
func Now() time.Time {
	return time.Now().UTC().Round(0)
}
