package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latency gathers times from 1 µs to a minute, true to three digits.
type latency struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

func newLatency() *latency {
	return &latency{h: hdrhistogram.New(1, time.Minute.Microseconds(), 3)}
}

// add counts one time; over a minute counts as a minute.
func (l *latency) add(d time.Duration) {
	v := min(max(d.Microseconds(), 1), time.Minute.Microseconds())
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.h.RecordValue(v) // within the bounds, so never refused
}

// Latency is what became of many times, in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

func (l *latency) report() Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := func(q float64) float64 { return float64(l.h.ValueAtQuantile(q)) / 1000 }
	return Latency{Count: l.h.TotalCount(), P50: at(50), P99: at(99), P999: at(99.9), Max: float64(l.h.Max()) / 1000}
}
