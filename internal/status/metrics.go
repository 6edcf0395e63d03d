package status

import "github.com/prometheus/client_golang/prometheus"

// metrics are resolved once; nothing looks a label up later.
type metrics struct {
	leases     prometheus.Counter
	remembered prometheus.Counter
	failures   struct{ report, leave, list prometheus.Counter }
}

// newMetrics registers with reg, or with a registry that nobody reads.
func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		leases: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_status_leases_total",
			Help: "Leases given to nodes that had none: they were new, or had been silent for too long.",
		}),
		remembered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "liao_status_remembered_answers_total",
			Help: "Lists of nodes answered from memory because the registry was away.",
		}),
	}
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "liao_status_registry_failures_total",
		Help: "Calls of the node registry that failed, by what was asked.",
	}, []string{"call"})
	m.failures.report = failures.WithLabelValues("report")
	m.failures.leave = failures.WithLabelValues("leave")
	m.failures.list = failures.WithLabelValues("list")
	reg.MustRegister(m.leases, m.remembered, failures)
	return m
}
