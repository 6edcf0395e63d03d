package im

import "time"

// UserID names an account: 1 to 2^53-1, given by the database, never given twice.
// 0 is nobody, or, as the author of an entry, the server.
type UserID uint64

// ConvID names a conversation: 1 to 2^53-1, never given twice.
type ConvID uint64

// LoginID names a login (a device that proved its user's password): 1 to 2^53-1.
type LoginID uint64

// Seq is an entry's place in its conversation, from 1 without gaps.
type Seq uint32

// MaxID is the largest id that may cross JSON unharmed.
const MaxID = 1<<53 - 1

// Millis is an instant: Unix milliseconds, UTC. 0 is never.
type Millis int64

// Time returns the instant as a time.Time in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// ToMillis is the instant of t in Unix milliseconds.
func ToMillis(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Micros is an instant of the database's clock: Unix microseconds, UTC. Clocks of
// nodes are never compared with it.
type Micros int64

// Millis rounds the instant down to milliseconds.
func (m Micros) Millis() Millis { return Millis(m / 1000) }
