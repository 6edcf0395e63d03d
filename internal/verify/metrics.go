package verify

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	issued  *prometheus.CounterVec // purpose, outcome: ok limited busy error
	checked *prometheus.CounterVec // outcome: ok wrong error
	mails   *prometheus.CounterVec // kind, outcome: sent retried lost busy
	waiting prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	r = cmp.Or[prometheus.Registerer](r, prometheus.NewRegistry())
	m := &metrics{
		issued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_verify_codes_issued_total", Help: "Requests for a code, by purpose and outcome.",
		}, []string{"purpose", "outcome"}),
		checked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_verify_codes_checked_total", Help: "Codes that came back, by outcome.",
		}, []string{"outcome"}),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "liao_verify_mails_total", Help: "Mails, by kind and outcome.",
		}, []string{"kind", "outcome"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "liao_verify_mails_waiting_count", Help: "Places taken in the queue of mails.",
		}),
	}
	for _, c := range []prometheus.Collector{m.issued, m.checked, m.mails, m.waiting} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
