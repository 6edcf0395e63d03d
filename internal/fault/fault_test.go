package fault_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/fault"
)

func TestNowFollowsTheWallClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := fault.Now()
		<-time.After(90 * time.Minute)
		if got, want := fault.Now().Sub(start), 90*time.Minute; got != want {
			t.Errorf("Now moved by %v in %v", got, want)
		}
	})
}

// A stored instant comes back without its monotonic reading and in UTC. What
// Now gives must already be so, or "equal before storing, unequal after".
func TestNowIsEqualToItselfStored(t *testing.T) {
	t.Parallel()
	now := fault.Now()
	text, err := now.MarshalText()
	if err != nil {
		t.Fatalf("MarshalText: %v", err)
	}
	var back time.Time
	if err := back.UnmarshalText(text); err != nil {
		t.Fatalf("UnmarshalText(%q): %v", text, err)
	}
	if now != back {
		t.Errorf("Now() = %#v, stored and read again = %#v", now, back)
	}
}
