package chat

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// drop says why something that is only a hint did not arrive.
type drop uint8

const (
	dropEnding   drop = iota // the connection is being closed
	dropSlow                 // over the outbox's limit; the connection is closed for it
	dropPressure             // typing or presence, while much waits
	dropEncode               // our own message could not be encoded
	dropLookup               // routes or friends could not be looked up
	dropPeer                 // another node could not be reached, or its routes stayed stale
	dropPanic                // a panic on the way
	dropQueue                // a bounded queue of presence or sightings was full
	dropCount
)

var dropNames = [dropCount]string{
	dropEnding: "ending", dropSlow: "slow", dropPressure: "pressure", dropEncode: "encode",
	dropLookup: "lookup", dropPeer: "peer", dropPanic: "panic", dropQueue: "queue",
}

// How a connection ended, besides the reasons of GOAWAY.
const (
	endClosed = 32 + iota // the peer ended it
	endBroken             // the line broke
	endKilled             // the process stops
	endCount
)

// Types have small numbers; slot 0 counts those that this version does not know.
const typeSlots = 64

func slot(t wire.Type) int {
	if _, known := clientpb.Type_name[int32(t)]; known && t < typeSlots {
		return int(t)
	}
	return 0
}

// metrics are resolved once, so that the hot path adds to counters in arrays and
// looks no label up.
type metrics struct {
	connections prometheus.Gauge
	sessions    prometheus.Gauge
	in, out     [typeSlots]prometheus.Counter
	hellos      [im.CodeCount]prometheus.Counter // refused, by code
	welcomes    prometheus.Counter
	turnedAway  prometheus.Counter
	sent, again prometheus.Counter
	refused     [im.CodeCount]prometheus.Counter // sends
	failed      [im.CodeCount]prometheus.Counter // other requests
	ended       [endCount]prometheus.Counter
	pushes      prometheus.Counter
	drops       [dropCount]prometheus.Counter
	hints       prometheus.Counter
	panics      prometheus.Counter
	batchSize   *prometheus.HistogramVec
	batchTime   *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, appends, reads func() int) (*metrics, error) {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "liao_chat_" + name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "liao_chat_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "liao_chat_" + name, Help: help})
	}
	depth := func(queue string, f func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "liao_chat_queue_items", Help: "What waits to be committed.",
			ConstLabels: prometheus.Labels{"queue": queue},
		}, func() float64 { return float64(f()) })
	}
	frames := vec("frames_total", "Frames, by direction and type.", "direction", "type")
	hellos := vec("hellos_total", "HELLOs, by what became of them.", "outcome")
	sends := vec("sends_total", "SENDs, by what became of them.", "outcome")
	failed := vec("request_errors_total", "Requests other than SEND that failed, by code.", "code")
	ended := vec("connections_ended_total", "Connections that ended, by reason.", "reason")
	drops := vec("drops_total", "Hints that were dropped, by reason.", "reason")
	m := &metrics{
		connections: gauge("connections", "Open connections, before and after HELLO."),
		sessions:    gauge("sessions", "Connections whose HELLO was accepted."),
		pushes:      one("pushes_total", "Pushes put into outboxes."),
		hints:       one("resync_hints_total", "RESYNC frames sent."),
		panics:      one("panics_total", "Panics that were caught."),
		batchSize: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "liao_chat_batch_items", Help: "How many items one commit held.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
		}, []string{"queue"}),
		batchTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "liao_chat_batch_seconds", Help: "How long one commit took.",
			Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5},
		}, []string{"queue"}),
	}
	m.resolve(frames, hellos, sends, failed, ended, drops)
	for _, c := range []prometheus.Collector{
		m.connections, m.sessions, m.pushes, m.hints, m.panics, m.batchSize, m.batchTime,
		frames, hellos, sends, failed, ended, drops, depth("append", appends), depth("read", reads),
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register chat metrics: %w", err)
		}
	}
	return m, nil
}

// resolve fills the arrays.
func (m *metrics) resolve(frames, hellos, sends, failed, ended, drops *prometheus.CounterVec) {
	for t := range m.in {
		name, known := clientpb.Type_name[int32(t)]
		if t == 0 || !known {
			name = "other"
		}
		m.in[t], m.out[t] = frames.WithLabelValues("in", name), frames.WithLabelValues("out", name)
	}
	m.welcomes, m.turnedAway = hellos.WithLabelValues("welcome"), hellos.WithLabelValues("turned_away")
	m.sent, m.again = sends.WithLabelValues("sent"), sends.WithLabelValues("again")
	for c := range im.CodeCount {
		name := im.Code(c).String()
		m.hellos[c], m.refused[c] = hellos.WithLabelValues(name), sends.WithLabelValues(name)
		m.failed[c] = failed.WithLabelValues(name)
	}
	for i := range m.ended {
		name := "other"
		if r, known := clientpb.Reason_name[int32(i)]; known {
			name = strings.ToLower(r)
		}
		m.ended[i] = ended.WithLabelValues(name)
	}
	m.ended[clientpb.Reason_REASON_UNSPECIFIED] = ended.WithLabelValues("internal")
	m.ended[endClosed] = ended.WithLabelValues("closed")
	m.ended[endBroken] = ended.WithLabelValues("broken")
	m.ended[endKilled] = ended.WithLabelValues("killed")
	for d, name := range dropNames {
		m.drops[d] = drops.WithLabelValues(name)
	}
}

// onBatch is batch's hook for one queue.
func (m *metrics) onBatch(queue string) func(int, time.Duration) {
	size, took := m.batchSize.WithLabelValues(queue), m.batchTime.WithLabelValues(queue)
	return func(n int, d time.Duration) {
		size.Observe(float64(n))
		took.Observe(d.Seconds())
	}
}
