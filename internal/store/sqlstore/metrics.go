package sqlstore

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an operator sees of the store.
type metrics struct {
	reg          prometheus.Registerer
	transactions *prometheus.HistogramVec
	retries      prometheus.Counter
	busy         prometheus.Counter
	damaged      prometheus.Counter
	watched      []prometheus.Collector
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		reg: reg,
		transactions: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "liao_sqlstore_transaction_seconds",
			Help:    "Time of a write transaction, waiting for its connection and one retry included.",
			Buckets: prometheus.ExponentialBuckets(0.000_25, 2, 15), // 0.25 ms to 4 s
		}, []string{"what"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_sqlstore_retries_total",
			Help: "Transactions that were run again because of a lock.",
		}),
		busy: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_sqlstore_busy_total",
			Help: "Calls that were refused because a lock was not to be had, even at the second try.",
		}),
		damaged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_sqlstore_damaged_entries_total",
			Help: "Entries that were read and did not match their checksum.",
		}),
	}
	m.keep(m.transactions, m.retries, m.busy, m.damaged)
	return m
}

// watch adds the state of the pools.
func (m *metrics) watch(writes, reads *pool) {
	m.watchPool("write", writes)
	if reads != writes {
		m.watchPool("read", reads)
	}
}

func (m *metrics) watchPool(name string, p *pool) {
	labels := prometheus.Labels{"pool": name}
	m.keep(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "liao_sqlstore_connections_open", Help: "Open connections to the database.", ConstLabels: labels,
		}, func() float64 { return float64(p.db.Stats().OpenConnections) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "liao_sqlstore_connections_used", Help: "Connections to the database that are in use.", ConstLabels: labels,
		}, func() float64 { return float64(p.db.Stats().InUse) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "liao_sqlstore_connection_wait_seconds_total", Help: "Time spent waiting for a free connection.", ConstLabels: labels,
		}, func() float64 { return p.db.Stats().WaitDuration.Seconds() }),
	)
}

func (m *metrics) keep(cs ...prometheus.Collector) {
	for _, c := range cs {
		m.reg.MustRegister(c)
		m.watched = append(m.watched, c)
	}
}

// forget gives the names free again, for a store that is opened anew.
func (m *metrics) forget() {
	for _, c := range m.watched {
		m.reg.Unregister(c)
	}
	m.watched = nil
}
