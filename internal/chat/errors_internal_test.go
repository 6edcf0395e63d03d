package chat

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestEveryCodeHasItsWireCode(t *testing.T) {
	t.Parallel()
	used := make(map[clientpb.Code]im.Code)
	for n := range im.CodeCount {
		c := im.Code(n)
		got := wireError(im.Fail(c, "text")).GetCode()
		if got == clientpb.Code_CODE_UNSPECIFIED {
			t.Errorf("%v has no wire code", c)
		}
		if other, twice := used[got]; twice {
			t.Errorf("%v and %v are both %v", c, other, got)
		}
		used[got] = c
	}
	for n, name := range clientpb.Code_name {
		if _, ok := used[clientpb.Code(n)]; n != 0 && !ok {
			t.Errorf("no code becomes %s", name)
		}
	}
}

func TestMillisRoundsUp(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]uint32{
		0: 0, -time.Second: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		time.Hour: 3_600_000, 1000 * time.Hour: 86_400_000,
	} {
		if got := millis(d); got != want {
			t.Errorf("millis(%v) = %d, want %d", d, got, want)
		}
	}
}

func TestIsRefusal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"an error for people": {im.Fail(im.NotFound, "x"), true},
		"wrapped":             {fmt.Errorf("ask: %w", im.Fail(im.Invalid, "x")), true},
		"a bare code":         {im.Forbidden, true},
		"internal":            {im.Fail(im.Internal, "x"), false},
		"anything else":       {errors.New("disk on fire"), false},
	} {
		if got := isRefusal(c.err); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	r := newRate(20, 60)
	var b bucket
	now := int64(time.Hour)
	for i := range 60 {
		if wait := b.take(now, r); wait != 0 {
			t.Fatalf("number %d of the burst must wait %v", i+1, wait)
		}
	}
	if wait := b.take(now, r); wait != 50*time.Millisecond {
		t.Errorf("after the burst one waits %v, want 50 ms", wait)
	}
	taken := 0
	for end := now + int64(10*time.Second); now < end; now += int64(time.Millisecond) {
		if b.take(now, r) == 0 {
			taken++
		}
	}
	if taken < 199 || taken > 200 {
		t.Errorf("%d in 10 s, want 200", taken)
	}
	var free bucket
	for range 1000 {
		if free.take(now, newRate(0, 0)) != 0 {
			t.Fatal("a limit of 0 limits")
		}
	}
}
