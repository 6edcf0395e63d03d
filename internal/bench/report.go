package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is what was measured. Sizes are in bytes, times in what their names say.
type Report struct {
	Scenario       string      `json:"scenario"`
	Server         string      `json:"server"`
	Connections    int         `json:"connections"`
	ConnectSeconds float64     `json:"connect_seconds"`
	Seconds        float64     `json:"seconds"`                // measured
	ClientCores    float64     `json:"client_cores"`           // used by this process while measuring
	ServerCores    *float64    `json:"server_cores,omitempty"` // used by the server; nil: unknown
	Send           *SendReport `json:"send,omitempty"`
	Idle           *IdleReport `json:"idle,omitempty"`
	Failures       []string    `json:"failures,omitempty"` // none: all went as it should
}

// SendReport is about messages. Rates and times cover the measurement, counts the
// warm-up and the end too.
type SendReport struct {
	Pairs      int     `json:"pairs"`
	PerSecond  float64 `json:"acked_per_second"`
	Ack        Latency `json:"ack"`      // from the first attempt to SENT
	Delivery   Latency `json:"delivery"` // from the first attempt to the friend's MESSAGE
	Acked      int64   `json:"acked"`
	Pushed     int64   `json:"pushed"`
	NotPushed  int64   `json:"not_pushed"` // acknowledged, but the friend's line never brought it
	Lost       int64   `json:"lost"`       // of those: not in the log
	Unchecked  int64   `json:"unchecked"`  // of those: could not be looked up
	Duplicates int64   `json:"duplicates"`
	Refused    int64   `json:"refused"` // attempts answered RATE_LIMITED or OVERLOADED
	Unknown    int64   `json:"unknown"` // attempts answered INTERNAL or UNAVAILABLE
	Again      int64   `json:"again"`   // retries of what had been stored
	Resyncs    int64   `json:"resyncs"`
}

// IdleReport is about connections that do nothing.
type IdleReport struct {
	Broken     int64       `json:"broken"`
	Pong       Latency     `json:"pong"`
	Memory     *Memory     `json:"memory,omitempty"`
	Goroutines *Goroutines `json:"goroutines,omitempty"`
}

// Memory is the server's resident memory, in bytes.
type Memory struct {
	Before        int64 `json:"before"`
	Connected     int64 `json:"connected"`
	Peak          int64 `json:"peak"`
	After         int64 `json:"after"`
	PerConnection int64 `json:"per_connection"` // from before to after
}

// Goroutines are the server's.
type Goroutines struct {
	Before        int64   `json:"before"`
	After         int64   `json:"after"`
	PerConnection float64 `json:"per_connection"`
}

func (r *Report) fail(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}

// settle takes over what the pairs counted.
func (sr *SendReport) settle(s *score, seconds float64) {
	sr.PerSecond = float64(s.measured.Load()) / seconds
	sr.Ack, sr.Delivery = s.acks.report(), s.deliveries.report()
	sr.Acked, sr.Pushed, sr.Duplicates = s.acked.Load(), s.arrived.Load(), s.duplicates.Load()
	sr.Refused, sr.Unknown, sr.Again = s.refused.Load(), s.unknown.Load(), s.again.Load()
	sr.Resyncs = s.resyncs.Load()
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("scenario", "%s against %s, %.1f s", r.Scenario, r.Server, r.Seconds)
	row("connections", "%d, opened in %.1f s", r.Connections, r.ConnectSeconds)
	if s := r.Send; s != nil {
		row("acknowledged", "%.0f messages/s from %d pairs", s.PerSecond, s.Pairs)
		row("ack", "%v", s.Ack)
		row("delivery", "%v", s.Delivery)
		row("messages", "%d acknowledged, %d pushed, %d not pushed, %d lost, %d duplicates", s.Acked, s.Pushed, s.NotPushed, s.Lost, s.Duplicates)
		row("attempts", "%d refused, %d unknown, %d stored before; %d RESYNCs", s.Refused, s.Unknown, s.Again, s.Resyncs)
	}
	if i := r.Idle; i != nil {
		row("broken", "%d", i.Broken)
		row("pong", "%v", i.Pong)
		if m := i.Memory; m != nil {
			row("memory", "%.2f KiB per connection: %.1f MiB before, %.1f connected, %.1f at most, %.1f at the end",
				float64(m.PerConnection)/1024, mib(m.Before), mib(m.Connected), mib(m.Peak), mib(m.After))
		}
		if g := i.Goroutines; g != nil {
			row("goroutines", "%.3f per connection: %d before, %d at the end", g.PerConnection, g.Before, g.After)
		}
	}
	row("client", "%.2f cores", r.ClientCores)
	if r.ServerCores != nil {
		row("server", "%.2f cores", *r.ServerCores)
	}
	for _, f := range r.Failures {
		row("FAILED", "%s", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// String gives the times in milliseconds.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms of %d", l.P50, l.P99, l.P999, l.Max, l.Count)
}
