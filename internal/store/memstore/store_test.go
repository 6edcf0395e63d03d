package memstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/memstore"
	"github.com/liao-im/liao/internal/store/storetest"
)

func open(*testing.T) storetest.Presence { return memstore.New(memstore.Options{}) }

func TestRoutes(t *testing.T) {
	t.Parallel()
	storetest.RunRoutes(t, synctest.Test, open)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	storetest.RunRegistry(t, synctest.Test, open)
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	storetest.RunLimiter(t, synctest.Test, func(*testing.T) storetest.Limiter {
		return memstore.New(memstore.Options{})
	})
}

// TestForgetsWhoHasLeastToWait fills the counters beyond their bound: the key that
// used all it may is still held to it when hardly used ones are forgotten.
func TestForgetsWhoHasLeastToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Options{MaxKeys: 100})
		take := func(key string) time.Duration {
			t.Helper()
			wait, err := s.Take(t.Context(), key, 10, time.Hour)
			if err != nil {
				t.Fatalf("Take: %v", err)
			}
			return wait
		}
		for range 10 {
			take("greedy")
		}
		for i := range 10_000 {
			if wait := take(fmt.Sprint("key ", i)); wait != 0 {
				t.Fatalf("first use of key %d must wait %v", i, wait)
			}
		}
		if take("greedy") == 0 {
			t.Errorf("the key that used all it may was forgotten before the others")
		}
	})
}

func BenchmarkRoutesOf(b *testing.B) {
	s := memstore.New(memstore.Options{})
	if _, err := s.RenewNode(b.Context(), im.NodeReport{Node: "a", Boot: "b"}, time.Hour); err != nil {
		b.Fatal(err)
	}
	const users = 20_000
	for u := range im.UserID(users) {
		if _, err := s.PutRoutes(b.Context(), []im.Route{{User: u, Device: "phone", Node: "a", Boot: "b"}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.RoutesOf(b.Context(), []im.UserID{im.UserID(i % users), im.UserID((i + 1) % users)}); err != nil {
			b.Fatal(err)
		}
	}
}
