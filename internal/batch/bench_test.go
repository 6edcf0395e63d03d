package batch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liao-im/liao/internal/batch"
)

// BenchmarkDo writes and flushes a block of a real file per batch, which is what
// a group commit waits for.
func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 200, 2_000, 20_000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var (
				batches, left atomic.Int64
				wg            sync.WaitGroup
				block         [4096]byte
			)
			bt := batch.New(batch.Options[[64]byte, int]{
				MaxWaiting: callers,
				Commit: func(_ context.Context, items [][64]byte) ([]int, error) {
					batches.Add(1)
					if _, err := f.WriteAt(block[:], 0); err != nil {
						return nil, err
					}
					return make([]int, len(items)), f.Sync()
				},
			})
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					items := make([][64]byte, 1)
					for left.Add(-1) >= 0 {
						if _, err := bt.Do(items); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/float64(batches.Load()), "items/batch")
			if err := bt.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}
