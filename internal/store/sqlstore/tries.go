package sqlstore

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

const (
	freeTries  = 5                // attempts at a password that need not wait
	firstDelay = time.Second      // before the one after them; doubled from there on
	maxDelay   = 15 * time.Minute // a delay, never a lock: who knows the password gets in
	triesKept  = 24 * time.Hour   // a name that nobody tries for so long starts anew
)

// delayAfter is how long after the last of so many attempts the next may come.
func delayAfter(tries int) time.Duration {
	if tries < freeTries {
		return 0
	}
	return min(maxDelay, firstDelay<<min(tries-freeTries, 20))
}

// TakeTry counts one attempt at name and returns 0 if it may be made now, else how
// long to wait: the first five are free, then each waits twice as long as the one
// before, up to 15 minutes. An attempt that must wait is not counted.
func (s *Store) TakeTry(ctx context.Context, name [32]byte) (time.Duration, error) {
	var wait time.Duration
	err := s.write(ctx, "take login try", func(ctx context.Context, x *tx) error {
		wait = 0
		// The row is made first, so that there is something to lock.
		if _, err := x.exec(ctx, "INSERT INTO login_tries (name, tries, at) VALUES (?, 0, 0)"+s.dialect.upsert("name"), name[:]); err != nil {
			return err
		}
		var tries int
		var at im.Micros
		if err := x.row(ctx, "SELECT tries, at FROM login_tries WHERE name = ?"+s.dialect.forUpdate(), name[:]).Scan(&tries, &at); err != nil {
			return err
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		if since(at, now) > triesKept {
			tries = 0
		}
		if d := delayAfter(tries) - since(at, now); tries > 0 && d > 0 {
			wait = min(d, maxDelay) // the clock may have stepped back
			return nil
		}
		_, err = x.exec(ctx, "UPDATE login_tries SET tries = ?, at = ? WHERE name = ?", tries+1, now, name[:])
		return err
	})
	return wait, err
}

// ClearTries forgets the attempts at name, after a right password.
func (s *Store) ClearTries(ctx context.Context, name [32]byte) error {
	return s.write(ctx, "clear login tries", func(ctx context.Context, x *tx) error {
		_, err := x.exec(ctx, "DELETE FROM login_tries WHERE name = ?", name[:])
		return err
	})
}
