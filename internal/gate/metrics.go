package gate

import (
	"cmp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec   // operation, status
	seconds  *prometheus.HistogramVec // operation
	logins   *prometheus.CounterVec   // outcome: ok wrong slowed
	limited  *prometheus.CounterVec   // limit
	panics   prometheus.Counter
	hashing  prometheus.Histogram
	queued   prometheus.Gauge
	shed     prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	r = cmp.Or[prometheus.Registerer](r, prometheus.NewRegistry())
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_gate_requests_total", Help: "Requests, by operation and HTTP status.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "liao_gate_request_seconds", Help: "Time from the headers to the answer, by operation.",
			Buckets: []float64{.001, .005, .02, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_gate_logins_total", Help: "Tries to log in with a password, by outcome.",
		}, []string{"outcome"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_gate_limited_total", Help: "Requests over a limit by IP, by limit.",
		}, []string{"limit"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_gate_panics_total", Help: "Requests that ended in a panic.",
		}),
		hashing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "liao_gate_password_hash_seconds", Help: "Time to hash one password, without waiting for a slot.",
			Buckets: []float64{.01, .02, .04, .08, .16, .32, .64, 1.28},
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "liao_gate_password_waiting_count", Help: "Passwords that wait for a slot.",
		}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_gate_password_shed_total", Help: "Passwords that were refused because too many waited.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.logins, m.limited, m.panics, m.hashing, m.queued, m.shed} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) request(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}
