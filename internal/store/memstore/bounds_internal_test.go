package memstore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/im"
)

func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		every time.Duration // between two uses
		per   func(i int) time.Duration
		most  int
	}{
		{"all at once", 0, func(int) time.Duration { return 24 * time.Hour }, 2_000},
		{"of every age", time.Second, func(i int) time.Duration { return time.Duration(1+i%100) * time.Hour }, 2_000},
		{"short ones", time.Second, func(int) time.Duration { return time.Second }, minSweep},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{MaxKeys: 2_000})
				for i := range 8_000 {
					if _, err := s.Take(t.Context(), fmt.Sprint(i), 1, tc.per(i)); err != nil {
						t.Fatal(err)
					}
					if len(s.counts) > tc.most {
						t.Fatalf("%d keys after %d uses, want at most %d", len(s.counts), i+1, tc.most)
					}
					if tc.every > 0 {
						<-time.After(tc.every)
					}
				}
			})
		})
	}
}

func TestVoidRoutesAreSwept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		const users, boots = 500, 30
		for boot := range boots {
			id := fmt.Sprint("boot ", boot)
			if _, err := s.RenewNode(t.Context(), im.NodeReport{Node: "a", Boot: id}, time.Second); err != nil {
				t.Fatal(err)
			}
			for u := range users {
				r := im.Route{User: im.UserID(boot*users + u), Device: "phone", Node: "a", Boot: id, Conn: uint64(u)}
				if _, err := s.PutRoutes(t.Context(), []im.Route{r}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got, most := len(s.routes), users+minSweep; got > most {
			t.Errorf("%d users have routes, want at most %d: %d live ones, the rest void", got, most, users)
		}
	})
}

func TestExpiredLeasesAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		for i := range 100 {
			if _, err := s.RenewNode(t.Context(), im.NodeReport{Node: fmt.Sprint("node ", i)}, time.Second); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if got := len(s.leases); got != 1 {
			t.Errorf("%d leases are kept, want 1", got)
		}
	})
}
