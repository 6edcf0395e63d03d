package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

// BenchmarkAppend writes batches of drafts, each of another direct conversation, as
// a busy node's group commit does: one operation is one draft.
func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct{ batch, users int }{{1, 2}, {16, 32}, {64, 128}, {64, 15_000}, {200, 400}, {200, 15_000}} {
		size := bench.batch
		b.Run(fmt.Sprintf("batch=%d/users=%d", size, bench.users), func(b *testing.B) {
			s, pairs := benchStore(b, bench.users)
			text := im.Content{Kind: im.KindText, Text: "what people write to each other is about as long as this, or shorter"}
			drafts := make([]im.Draft, 0, size)
			b.ReportAllocs()
			b.ResetTimer()
			start, cpu := time.Now(), cpuTime(b)
			for n := 0; n < b.N; n += len(drafts) {
				drafts = drafts[:0]
				for i := range min(size, b.N-n) {
					p := pairs[(n+i)*7919%len(pairs)] // a prime: each once before any comes again
					d, err := im.NewDraft(p.User.ID, p.Conv, fmt.Sprintf("0192d1f0-%d-%d", n, i), text, time.Now())
					if err != nil {
						b.Fatal(err)
					}
					drafts = append(drafts, d)
				}
				got, err := s.Append(b.Context(), drafts)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range got {
					if r.Err != nil || r.Again {
						b.Fatalf("err %v, again %v", r.Err, r.Again)
					}
				}
			}
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "drafts/s")
			b.ReportMetric(float64(b.N)/(cpuTime(b)-cpu).Seconds(), "drafts/cpu-s") // what a core could do, on a busy machine too
		})
	}
}

// cpuTime is how long this process has computed.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchStore is a store with users in pairs; it returns one user of each pair.
func benchStore(b *testing.B, users int) (*sqlstore.Store, []sqlstore.Seeded) {
	b.Helper()
	s, err := sqlstore.Open(b.Context(), sqlstore.Options{Driver: "sqlite", Path: filepath.Join(b.TempDir(), "liao.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	var pairs []sqlstore.Seeded
	if err := s.Seed(b.Context(), sqlstore.SeedOptions{Users: users, Pairs: true}, func(v sqlstore.Seeded) error {
		if len(pairs)*2 < int(v.User.ID) {
			pairs = append(pairs, v)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s, pairs
}
