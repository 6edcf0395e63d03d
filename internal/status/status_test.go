package status_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/status"
	"github.com/liao-im/liao/internal/store/memstore"
)

var errCut = errors.New("connection refused by 192.0.2.7")

// cutRegistry is a registry whose line can be cut.
type cutRegistry struct {
	status.Registry

	mu  sync.Mutex
	err error
}

func (r *cutRegistry) cut(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *cutRegistry) cutBy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *cutRegistry) RenewNode(ctx context.Context, n im.NodeReport, lease time.Duration) (bool, error) {
	if err := r.cutBy(); err != nil {
		return false, err
	}
	return r.Registry.RenewNode(ctx, n, lease)
}

func (r *cutRegistry) DropNode(ctx context.Context, node, boot string) error {
	if err := r.cutBy(); err != nil {
		return err
	}
	return r.Registry.DropNode(ctx, node, boot)
}

func (r *cutRegistry) Nodes(ctx context.Context) ([]im.NodeReport, error) {
	if err := r.cutBy(); err != nil {
		return nil, err
	}
	return r.Registry.Nodes(ctx)
}

// bed is a service over a registry in memory.
type bed struct {
	*status.Service
	t        *testing.T
	registry *cutRegistry
	metrics  *prometheus.Registry
	log      strings.Builder
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{
		t:        t,
		registry: &cutRegistry{Registry: memstore.New(memstore.Options{})},
		metrics:  prometheus.NewRegistry(),
	}
	b.Service = status.New(status.Options{
		Registry: b.registry,
		Logger:   slog.New(slog.NewTextHandler(&b.log, nil)),
		Metrics:  b.metrics,
	})
	return b
}

// report reports a node with so many connections of a hundred.
func (b *bed) report(node string, connections int, change ...func(*im.NodeReport)) {
	b.t.Helper()
	r := im.NodeReport{
		Node: node, Boot: "boot-" + node, Addrs: addrs(node), Connections: connections, Capacity: 100,
	}
	for _, c := range change {
		c(&r)
	}
	if err := b.Report(b.t.Context(), r); err != nil {
		b.t.Fatalf("Report(%s): %v", node, err)
	}
}

func addrs(node string) im.NodeAddrs { return im.NodeAddrs{TCP: node + ".example.org:8090"} }

func draining(r *im.NodeReport) { r.Draining = true }

// want compares the listed nodes, in any order.
func (b *bed) want(nodes ...string) {
	b.t.Helper()
	got, err := b.Nodes(b.t.Context())
	if len(nodes) == 0 {
		var e *im.Error
		if !errors.As(err, &e) || e.Code != im.Unavailable || e.RetryAfter <= 0 || got != nil {
			b.t.Errorf("Nodes() = %v, %v; want im.Unavailable with a time to come back", got, err)
		}
		return
	}
	if err != nil {
		b.t.Errorf("Nodes: %v", err)
	}
	var want []im.NodeAddrs
	for _, n := range nodes {
		want = append(want, addrs(n))
	}
	slices.SortFunc(got, func(a, b im.NodeAddrs) int { return strings.Compare(a.TCP, b.TCP) })
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("Nodes (-want +got):\n%s", diff)
	}
}

func TestWhoIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.want()
		b.report("a", 0)
		b.want("a")
		b.report("b", 50)
		b.report("c", 100) // full, but its report may be old
		b.want("a", "b", "c")
		b.report("a", 0, draining)
		b.want("b", "c")
		if err := b.Leave(t.Context(), "b", "boot-b"); err != nil {
			t.Errorf("Leave: %v", err)
		}
		b.want("c")
		if err := b.Leave(t.Context(), "c", "another boot"); err != nil {
			t.Errorf("Leave: %v", err)
		}
		b.want("c")
	})
}

func TestLeasesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.report("a", 0)
		b.report("b", 0)
		for range 4 {
			<-time.After(1500 * time.Millisecond)
			b.report("b", 0)
		}
		b.want("b")
		<-time.After(5 * time.Second)
		b.want()
		b.report("a", 0)
		b.want("a")
		if got := b.counter("liao_status_leases_total"); got != 3 {
			t.Errorf("%v leases were given, want 3: two nodes, one of them twice", got)
		}
	})
}

// counter reads a counter that has no labels.
func (b *bed) counter(name string) float64 {
	b.t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	b.t.Fatalf("there is no metric %s", name)
	return 0
}

func TestRegistryAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.registry.cut(errCut)
		b.want() // nothing was ever heard
		b.registry.cut(nil)
		b.report("a", 0)
		b.report("b", 0)
		b.want("a", "b")

		b.registry.cut(errCut)
		err := b.Report(t.Context(), im.NodeReport{Node: "a"})
		if !errors.Is(err, errCut) {
			t.Errorf("Report: got %v, want the registry's error", err)
		}
		if err := b.Leave(t.Context(), "a", "boot-a"); !errors.Is(err, errCut) {
			t.Errorf("Leave: got %v, want the registry's error", err)
		}
		<-time.After(keptFor - time.Second) // the leases have long ended
		b.want("a", "b")
		if got := b.counter("liao_status_remembered_answers_total"); got != 1 {
			t.Errorf("%v answers were counted as remembered, want 1", got)
		}
		<-time.After(2 * time.Second)
		b.want()
		_, err = b.Nodes(t.Context())
		if !errors.Is(err, errCut) {
			t.Errorf("Nodes: %v does not say in the log why", err)
		}
		if text := im.Explain(err).Text; strings.Contains(text, "192.0.2.7") {
			t.Errorf("a user would read %q", text)
		}

		b.registry.cut(nil)
		b.want() // its answer, not the remembered one
		b.report("b", 0)
		b.want("b")
		for _, line := range []string{"does not answer", "answers again"} {
			if got := strings.Count(b.log.String(), line); got != 2 {
				t.Errorf("the log says %q %d times in two outages, want 2:\n%s", line, got, b.log.String())
			}
		}
	})
}

// keptFor is for how long an answer is remembered.
const keptFor = 10 * time.Minute

func TestAnAskerWhoLeftIsNoOutage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.report("a", 0)
	b.registry.cut(context.Canceled)
	if got, err := b.Nodes(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("Nodes() = %v, %v, want the asker's own end", got, err)
	}
	if strings.Contains(b.log.String(), "does not answer") {
		t.Errorf("an asker's end is told as an outage:\n%s", b.log.String())
	}
}

// TestSpread draws often and compares how often each node came first, and second,
// with its chance. The bounds are five standard deviations of the draw.
func TestSpread(t *testing.T) {
	t.Parallel()
	const draws = 20_000
	b := newBed(t)
	free := map[string]float64{"a": 60, "b": 30, "c": 10}
	for node, f := range free {
		b.report(node, 100-int(f))
	}
	b.report("full", 100)
	b.report("overfull", 130)

	places := make([]map[string]int, 5)
	for i := range places {
		places[i] = make(map[string]int)
	}
	for range draws {
		nodes, err := b.Nodes(t.Context())
		if err != nil || len(nodes) != len(places) {
			t.Fatalf("Nodes() = %v, %v", nodes, err)
		}
		for i, n := range nodes {
			name, _, _ := strings.Cut(n.TCP, ".")
			places[i][name]++
		}
	}
	check := func(place int, node string, p float64) {
		t.Helper()
		got := float64(places[place][node]) / draws
		if bound := 5 * math.Sqrt(p*(1-p)/draws); math.Abs(got-p) > bound {
			t.Errorf("%s was number %d in %.3f of all draws, want %.3f ± %.3f", node, place+1, got, p, bound)
		}
	}
	for node, f := range free {
		check(0, node, f/100)
		second := 0.0
		for other, g := range free {
			if other != node {
				second += g / 100 * f / (100 - g)
			}
		}
		check(1, node, second)
	}
	check(3, "full", 0.5)
	check(4, "full", 0.5)
	check(3, "overfull", 0.5)
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.report("a", 0)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 200 {
				switch {
				case i == 0 && k%2 == 0:
					b.registry.cut(errCut)
				case i == 0:
					b.registry.cut(nil)
				default:
					if nodes, err := b.Nodes(t.Context()); err != nil && !errors.Is(err, im.Unavailable) {
						t.Errorf("Nodes() = %v, %v", nodes, err)
					}
				}
			}
		})
	}
	wg.Wait()
}
