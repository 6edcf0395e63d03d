package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func codeThemes() []theme {
	return []theme{
		{"CodeTries", testCodeTries},
		{"CodeTriesRace", testCodeTriesRace},
		{"CodeUsedOnce", testCodeUsedOnce},
		{"CodeReturned", testCodeReturned},
		{"CodeLimits", testCodeLimits},
		{"CodeLimitsRace", testCodeLimitsRace},
		{"OpenCodes", testOpenCodes},
		{"LoginTries", testLoginTries},
		{"LoginTriesRace", testLoginTriesRace},
	}
}

func newCode(request string, limits im.CodeLimits) im.NewCode {
	return im.NewCode{
		Request: request, Purpose: im.Register, Email: "ann@example.org", IP: "192.0.2.1",
		MAC: [32]byte{1, 2, 0xff}, Expires: 5 * time.Minute, Limits: limits,
	}
}

func (w *world) addCode(c im.NewCode) {
	w.t.Helper()
	if err := w.AddCode(w.t.Context(), c); err != nil {
		w.t.Fatalf("AddCode(%s): %v", c.Request, err)
	}
}

func testCodeTries(t *testing.T, home Home) {
	w := newWorld(t, home)
	c := newCode("r1", im.CodeLimits{})
	w.addCode(c)
	for i := range 3 {
		got, err := w.TakeCodeTry(t.Context(), "r1", 3)
		if err != nil {
			t.Fatalf("try %d: %v", i+1, err)
		}
		if diff := cmp.Diff(im.StoredCode{Purpose: c.Purpose, Email: c.Email, MAC: c.MAC}, got); diff != "" {
			t.Errorf("TakeCodeTry (-want +got):\n%s", diff)
		}
	}
	_, err := w.TakeCodeTry(t.Context(), "r1", 3)
	wantCode(t, "a try too many", err, im.Forbidden)
	_, err = w.TakeCodeTry(t.Context(), "R1", 3)
	wantCode(t, "a try at a request that differs in case", err, im.Forbidden)
	_, err = w.TakeCodeTry(t.Context(), "unknown", 3)
	wantCode(t, "a try at nothing", err, im.Forbidden)
	w.addCode(newCode("r2", im.CodeLimits{}))
	home.Exec(t, "UPDATE codes SET expires_at = expires_at - 300000000")
	_, err = w.TakeCodeTry(t.Context(), "r2", 3)
	wantCode(t, "a try at an expired code", err, im.Forbidden)
}

func testCodeTriesRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	other := newWorld(t, home) // another process
	w.addCode(newCode("r1", im.CodeLimits{}))
	var evaluated atomic.Int32
	inParallel(100, func(i int) {
		s := []Store{w.Store, other.Store}[i%2]
		_, err := s.TakeCodeTry(t.Context(), "r1", 5)
		switch {
		case err == nil:
			evaluated.Add(1)
		case errors.Is(err, im.Forbidden), errors.Is(err, im.Overloaded): // definite: not counted
		default:
			t.Errorf("TakeCodeTry in a race: %v", err)
		}
	})
	for range 5 {
		if _, err := w.TakeCodeTry(t.Context(), "r1", 5); err == nil {
			evaluated.Add(1)
		}
	}
	if got := evaluated.Load(); got != 5 {
		t.Errorf("%d tries of 105 were evaluated, want 5", got)
	}
}

func testCodeUsedOnce(t *testing.T, home Home) {
	w := newWorld(t, home)
	other := newWorld(t, home)
	w.addCode(newCode("r1", im.CodeLimits{}))
	var used atomic.Int32
	inParallel(100, func(i int) {
		s := []Store{w.Store, other.Store}[i%2]
		ok, err := s.UseCode(t.Context(), "r1")
		if err != nil && !errors.Is(err, im.Overloaded) {
			t.Errorf("UseCode in a race: %v", err)
		}
		if ok {
			used.Add(1)
		}
	})
	if got := used.Load(); got != 1 {
		t.Errorf("%d of 100 used the code, want 1", got)
	}
	_, err := w.TakeCodeTry(t.Context(), "r1", 5)
	wantCode(t, "a try at a used code", err, im.Forbidden)
	if ok, err := w.UseCode(t.Context(), "unknown"); ok || err != nil {
		t.Errorf("UseCode of nothing = %v, %v", ok, err)
	}
}

func testCodeReturned(t *testing.T, home Home) {
	w := newWorld(t, home)
	w.addCode(newCode("r1", im.CodeLimits{}))
	for range 2 {
		if _, err := w.TakeCodeTry(t.Context(), "r1", 2); err != nil {
			t.Fatalf("TakeCodeTry: %v", err)
		}
	}
	if err := w.ReturnCode(t.Context(), "r1"); err != nil { // not used: nothing to return
		t.Fatalf("ReturnCode: %v", err)
	}
	_, err := w.TakeCodeTry(t.Context(), "r1", 2)
	wantCode(t, "a third try", err, im.Forbidden)
	if ok, err := w.UseCode(t.Context(), "r1"); !ok || err != nil {
		t.Fatalf("UseCode = %v, %v", ok, err)
	}
	if err := w.ReturnCode(t.Context(), "r1"); err != nil {
		t.Fatalf("ReturnCode: %v", err)
	}
	if _, err := w.TakeCodeTry(t.Context(), "r1", 2); err != nil {
		t.Errorf("the try that was given back: %v", err)
	}
	if ok, err := w.UseCode(t.Context(), "r1"); !ok || err != nil {
		t.Errorf("UseCode of a code that was given back = %v, %v", ok, err)
	}
}

func testCodeLimits(t *testing.T, home Home) {
	const second = time.Second
	tests := []struct {
		name    string
		limits  im.CodeLimits
		ages    []time.Duration // of the codes that are there
		email   string          // of the next one
		ip      string
		wait    time.Duration // 0: it is taken
		expired bool          // those that are there have expired
	}{
		{name: "none", ages: []time.Duration{0, 0, 0, 0, 0}},
		{name: "a minute", limits: im.CodeLimits{EmailMinute: 1}, ages: []time.Duration{20 * second}, wait: 40 * second},
		{name: "a minute later", limits: im.CodeLimits{EmailMinute: 1}, ages: []time.Duration{61 * second}},
		{name: "two in an hour", limits: im.CodeLimits{EmailHour: 2}, ages: []time.Duration{50 * time.Minute, 10 * time.Minute}, wait: 10 * time.Minute},
		{name: "one in an hour of two", limits: im.CodeLimits{EmailHour: 2}, ages: []time.Duration{61 * time.Minute, 10 * time.Minute}},
		{name: "a day", limits: im.CodeLimits{EmailDay: 1}, ages: []time.Duration{23 * time.Hour}, wait: time.Hour},
		{name: "the longest wait counts", limits: im.CodeLimits{EmailMinute: 1, EmailHour: 1}, ages: []time.Duration{0}, wait: time.Hour},
		{name: "another address", limits: im.CodeLimits{EmailMinute: 1}, ages: []time.Duration{0}, email: "Ann@example.org"},
		{name: "one IP", limits: im.CodeLimits{IPHour: 1}, ages: []time.Duration{0}, email: "bob@example.org", wait: time.Hour},
		{name: "another IP", limits: im.CodeLimits{IPHour: 1}, ages: []time.Duration{0}, ip: "192.0.2.2"},
		{name: "open", limits: im.CodeLimits{EmailOpen: 2}, ages: []time.Duration{60 * second, 30 * second}, wait: 4 * time.Minute},
		{name: "open of expired", limits: im.CodeLimits{EmailOpen: 2}, ages: []time.Duration{0, 0}, expired: true},
	}
	w := newWorld(t, home)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home.Exec(t, "DELETE FROM codes")
			for i, age := range test.ages {
				w.addCode(newCode(fmt.Sprintf("old%d", i), im.CodeLimits{}))
				us := age.Microseconds()
				home.Exec(t, "UPDATE codes SET created_at = created_at - ?, expires_at = expires_at - ? WHERE request = ?", us, us, fmt.Sprintf("old%d", i))
			}
			if test.expired {
				home.Exec(t, "UPDATE codes SET expires_at = 1")
			}
			c := newCode("next", test.limits)
			if test.email != "" {
				c.Email = test.email
			}
			if test.ip != "" {
				c.IP = test.ip
			}
			err := w.AddCode(t.Context(), c)
			if test.wait == 0 {
				if err != nil {
					t.Errorf("AddCode: %v", err)
				}
				return
			}
			var e *im.Error
			if !errors.As(err, &e) || e.Code != im.RateLimited {
				t.Fatalf("AddCode: got %v, want rate_limited", err)
			}
			if off := test.wait - e.RetryAfter; off < 0 || off > 10*second {
				t.Errorf("AddCode says to come back in %v, want %v", e.RetryAfter, test.wait)
			}
		})
	}
}

func testCodeLimitsRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	other := newWorld(t, home)
	var taken atomic.Int32
	inParallel(40, func(i int) {
		s := []Store{w.Store, other.Store}[i%2]
		err := s.AddCode(t.Context(), newCode(fmt.Sprintf("r%d", i), im.CodeLimits{EmailHour: 5, IPHour: 100}))
		switch {
		case err == nil:
			taken.Add(1)
		case errors.Is(err, im.RateLimited), errors.Is(err, im.Overloaded):
		default:
			t.Errorf("AddCode in a race: %v", err)
		}
	})
	if got := taken.Load(); got > 5 || got == 0 {
		t.Errorf("%d codes were taken, want at most 5", got)
	}
}

func testOpenCodes(t *testing.T, home Home) {
	limits := im.CodeLimits{EmailOpen: 1}
	tests := []struct {
		name  string
		close func(w *world)
		free  bool
	}{
		{"waits", func(*world) {}, false},
		{"used", func(w *world) { _, _ = w.UseCode(w.t.Context(), "r1") }, true},
		{"one try taken", func(w *world) { _, _ = w.TakeCodeTry(w.t.Context(), "r1", 2) }, false},
		{"dead", func(w *world) { _, _ = w.TakeCodeTry(w.t.Context(), "r1", 1) }, true},
	}
	w := newWorld(t, home)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home.Exec(t, "DELETE FROM codes")
			w.addCode(newCode("r1", limits))
			test.close(w)
			if err := w.AddCode(t.Context(), newCode("r2", limits)); (err == nil) != test.free {
				t.Errorf("AddCode: %v, want room %v", err, test.free)
			}
		})
	}
}

func testLoginTries(t *testing.T, home Home) {
	w := newWorld(t, home)
	name := [32]byte{1, 0, 0xff}
	take := func() time.Duration {
		t.Helper()
		wait, err := w.TakeTry(t.Context(), name)
		if err != nil {
			t.Fatalf("TakeTry: %v", err)
		}
		return wait
	}
	for i := range 5 {
		if wait := take(); wait != 0 {
			t.Errorf("try %d waits %v, want none", i+1, wait)
		}
	}
	delay := time.Second
	for i := range 12 {
		for range 2 { // what must wait is not counted
			if wait := take(); wait <= delay-time.Second || wait > delay {
				t.Fatalf("try %d waits %v, want up to %v", i+6, wait, delay)
			}
		}
		home.Exec(t, "UPDATE login_tries SET at = at - ?", delay.Microseconds())
		if wait := take(); wait != 0 {
			t.Fatalf("try %d after its delay waits %v more", i+6, wait)
		}
		delay = min(2*delay, 15*time.Minute)
	}
	if wait, err := w.TakeTry(t.Context(), [32]byte{1, 0, 0xfe}); wait != 0 || err != nil {
		t.Errorf("a try at another name waits %v, %v", wait, err)
	}
	if err := w.ClearTries(t.Context(), name); err != nil {
		t.Fatalf("ClearTries: %v", err)
	}
	for range 5 {
		if wait := take(); wait != 0 {
			t.Errorf("a try after a right password waits %v", wait)
		}
	}
	if wait := take(); wait == 0 {
		t.Error("a sixth try need not wait")
	}
	home.Exec(t, "UPDATE login_tries SET at = at - 86500000000")
	if wait := take(); wait != 0 {
		t.Errorf("a try a day later waits %v", wait)
	}
}

func testLoginTriesRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	other := newWorld(t, home)
	var made atomic.Int32
	inParallel(40, func(i int) {
		s := []Store{w.Store, other.Store}[i%2]
		wait, err := s.TakeTry(t.Context(), [32]byte{7})
		if err != nil && !errors.Is(err, im.Overloaded) {
			t.Errorf("TakeTry in a race: %v", err)
		}
		if err == nil && wait == 0 {
			made.Add(1)
		}
	})
	// A sixth may come after a second, which a slow machine needs.
	if got := made.Load(); got < 1 || got > 7 {
		t.Errorf("%d tries of 40 at once were made, want 5", got)
	}
}
