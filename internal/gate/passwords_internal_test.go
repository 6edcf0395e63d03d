package gate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
)

func hasher(t *testing.T, o PasswordOptions) *passwords {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPasswords(o, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustHash(t *testing.T, p *passwords, password string) string {
	t.Helper()
	h, err := p.hash(t.Context(), password)
	if err != nil {
		t.Fatalf("hash: %v", err)
	}
	return h
}

func TestPasswordHashes(t *testing.T) {
	t.Parallel()
	old, recent := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("r", 32))
	floor := hasher(t, PasswordOptions{})
	strong := hasher(t, PasswordOptions{Time: 3})
	peppered := hasher(t, PasswordOptions{Peppers: [][]byte{old}})
	rotated := hasher(t, PasswordOptions{Peppers: [][]byte{recent, old}})
	const secret = "correct horse"
	for name, c := range map[string]struct {
		made, asked  *passwords
		password     string
		ok, outdated bool
	}{
		"right":               {floor, floor, secret, true, false},
		"wrong":               {floor, floor, "correct hors", false, false},
		"other case":          {floor, floor, "Correct horse", false, false},
		"stronger now":        {floor, strong, secret, true, true},
		"peppered":            {peppered, peppered, secret, true, false},
		"peppered, wrong":     {peppered, peppered, "correct hors", false, false},
		"pepper is new":       {floor, peppered, secret, true, true},
		"pepper was replaced": {peppered, rotated, secret, true, true},
		"pepper is gone":      {peppered, floor, secret, false, false},
		"over 128 characters": {floor, floor, strings.Repeat("x", 129), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := mustHash(t, c.made, secret)
			ok, outdated, err := c.asked.matches(t.Context(), stored, c.password)
			if err != nil || ok != c.ok || outdated != c.outdated {
				t.Errorf("matches: got %t, outdated %t, %v; want %t, %t", ok, outdated, err, c.ok, c.outdated)
			}
		})
	}
	if a, b := mustHash(t, floor, secret), mustHash(t, floor, secret); a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hashes: got %s and %s", a, b)
	}
	// A letter with an accent is one key on some machines and two on others.
	stored := mustHash(t, floor, "caf\u00e9 au lait")
	if ok, _, _ := floor.matches(t.Context(), stored, "cafe\u0301 au lait"); !ok {
		t.Error("the same letters in another spelling of Unicode do not match")
	}
}

// TestNoHashCostsNothing: what cannot match costs one hash, like what does not.
func TestNoHashCostsNothing(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m, err := newMetrics(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPasswords(PasswordOptions{}, m)
	if err != nil {
		t.Fatal(err)
	}
	good := mustHash(t, p, "correct horse")
	for name, stored := range map[string]string{
		"none": "", "damaged": good[:len(good)-3], "other kind": "$2b$12$abcdefghijklmnopqrstuv", "costly": strings.Replace(good, "m=19456", "m=4194304", 1),
	} {
		t.Run(name, func(t *testing.T) {
			before := hashed(t, r)
			if ok, _, err := p.matches(t.Context(), stored, "correct horse"); ok || err != nil {
				t.Errorf("matches: got %t, %v", ok, err)
			}
			if n := hashed(t, r) - before; n != 1 {
				t.Errorf("hashed %d times, want once", n)
			}
		})
	}
}

// hashed is how many passwords were hashed so far.
func hashed(t *testing.T, r *prometheus.Registry) uint64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "liao_gate_password_hash_seconds" {
			return f.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	t.Fatal("no metric of password hashes")
	return 0
}

// TestPasswordSlots: while every slot is taken others wait, at most 2 s and at most so
// many, and are then told to come back.
func TestPasswordSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := hasher(t, PasswordOptions{Slots: 1})
		p.slots <- struct{}{} // a hash that never ends
		began := time.Now()
		var wg sync.WaitGroup
		for range cap(p.waiters) {
			wg.Go(func() {
				_, err := p.hash(t.Context(), "correct horse")
				if e := im.Explain(err); e.Code != im.Overloaded || e.RetryAfter <= 0 {
					t.Errorf("hash: got %v, want overloaded with a time to come back", err)
				}
			})
		}
		synctest.Wait()
		if _, err := p.hash(t.Context(), "correct horse"); !errors.Is(err, im.Overloaded) || time.Since(began) != 0 {
			t.Errorf("one too many: got %v after %v, want overloaded at once", err, time.Since(began))
		}
		wg.Wait()
		if took := time.Since(began); took != slotWait {
			t.Errorf("the others waited %v, want %v", took, slotWait)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.hash(ctx, "correct horse"); !errors.Is(err, context.Canceled) {
			t.Errorf("who went away: got %v", err)
		}
		<-p.slots
		if _, err := p.hash(t.Context(), "correct horse"); err != nil {
			t.Errorf("hash with a free slot: %v", err)
		}
	})
}

func TestCommonPasswords(t *testing.T) {
	t.Parallel()
	l, err := loadCommon()
	if err != nil {
		t.Fatal(err)
	}
	if len(l.words) < 10_000 {
		t.Errorf("the list has %d words, want 10,000 at least", len(l.words))
	}
	for _, w := range []string{"password", "PASSWORD1", "1234567890", "qwertyuiop", "iloveyou", "trustno1"} {
		if !l.has(w) {
			t.Errorf("%q is not on the list", w)
		}
	}
	if l.has("correct horse battery staple") {
		t.Error("a good password is on the list")
	}
}

func BenchmarkPasswordHash(b *testing.B) {
	m, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	p, err := newPasswords(PasswordOptions{}, m)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
