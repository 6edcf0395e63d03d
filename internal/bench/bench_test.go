package bench_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/bench"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// options are those that the command would have, for a short run.
func options(s *server, scenario string, users int) bench.Options {
	var o bench.Options
	o.Bind(flag.NewFlagSet("bench", flag.ContinueOnError))
	o.Scenario, o.Address, o.Tokens = scenario, s.addr, s.tokens(users)
	o.Warmup, o.Duration = 20*time.Millisecond, 150*time.Millisecond
	return o
}

func run(t *testing.T, o bench.Options) *bench.Report {
	t.Helper()
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return r
}

func TestSendMeasures(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"protobuf", "json"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			o := options(s, "send", 20)
			o.Codec, o.Size, o.Pairs = codec, 500, 8
			r := run(t, o)
			if len(r.Failures) > 0 || r.Connections != 16 {
				t.Errorf("%d connections, failures: %v", r.Connections, r.Failures)
			}
			m := r.Send
			if m.Acked == 0 || m.Pushed != m.Acked || m.NotPushed+m.Lost+m.Duplicates+m.Refused+m.Unknown+m.Again != 0 {
				t.Errorf("counts are wrong: %+v", m)
			}
			if got := int64(m.PerSecond*r.Seconds + 0.5); got != m.Ack.Count || got == 0 || got > m.Acked {
				t.Errorf("%v acks in %vs are %d, but %d were timed", m.PerSecond, r.Seconds, got, m.Ack.Count)
			}
			if m.Ack.P50 <= 0 || m.Ack.P50 > m.Ack.P99 || m.Ack.P99 > m.Ack.P999 || m.Delivery.P50 <= 0 {
				t.Errorf("times are wrong: ack %v, delivery %v", m.Ack, m.Delivery)
			}
			if r.Seconds < 0.15 || r.Seconds > 5 || r.ClientCores <= 0 {
				t.Errorf("%v s, %v cores", r.Seconds, r.ClientCores)
			}
			for _, e := range s.logs[1] {
				if got := len(e.GetContent().GetText()); got != 500 {
					t.Fatalf("a text of %d bytes, want 500", got)
				}
			}
		})
	}
}

// TestSendNotices gives faults to every third message, and compares what the report
// says of them with what was done.
func TestSendNotices(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		fault fault
		check func(m *bench.SendReport, faults int64) bool
		fails string // part of a failure; empty: none
	}{
		{"push dropped", fault{push: -1}, func(m *bench.SendReport, n int64) bool {
			return m.NotPushed == n && m.Lost == 0 && m.Pushed == m.Acked-n
		}, ""},
		{"message lost", fault{forget: true}, func(m *bench.SendReport, n int64) bool {
			return m.NotPushed == n && m.Lost == n
		}, "are not in the log"},
		{"push doubled", fault{push: 1}, func(m *bench.SendReport, n int64) bool {
			return m.Duplicates == n && m.Pushed == m.Acked
		}, "pushed twice"},
		{"overloaded", fault{refuse: clientpb.Code_OVERLOADED}, func(m *bench.SendReport, n int64) bool {
			return m.Refused == n && m.Pushed == m.Acked
		}, ""},
		{"rate limited", fault{refuse: clientpb.Code_RATE_LIMITED}, func(m *bench.SendReport, n int64) bool {
			return m.Refused == n && m.Pushed == m.Acked
		}, ""},
		{"unknown, not stored", fault{refuse: clientpb.Code_INTERNAL}, func(m *bench.SendReport, n int64) bool {
			return m.Unknown == n && m.Again == 0
		}, ""},
		{"unknown, stored", fault{unknown: true}, func(m *bench.SendReport, n int64) bool {
			return m.Unknown == n && m.Again > 0
		}, ""},
		{"forbidden", fault{refuse: clientpb.Code_FORBIDDEN}, func(m *bench.SendReport, _ int64) bool {
			return m.Acked == 4 // two of each three, and both senders end
		}, "FORBIDDEN"},
		{"hung up", fault{hangUp: true}, func(m *bench.SendReport, _ int64) bool {
			return m.Acked == 4
		}, "GOAWAY(SLOW): too slow"},
		{"a number given twice", fault{oldSeq: true}, func(m *bench.SendReport, _ int64) bool {
			return m.Acked > 0
		}, "not above"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			var faults int64
			s.fault = func(n int) fault { // under the server's lock
				if n%3 != 0 {
					return fault{}
				}
				faults++
				return tc.fault
			}
			o := options(s, "send", 4)
			o.Warmup = 0
			r := run(t, o)
			if !tc.check(r.Send, faults) {
				t.Errorf("%d faults: %+v", faults, r.Send)
			}
			if got := strings.Join(r.Failures, "\n"); (tc.fails == "") != (got == "") || !strings.Contains(got, tc.fails) {
				t.Errorf("failures: got %q, want one with %q", got, tc.fails)
			}
		})
	}
}

func TestSendStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := options(s, "send", 4)
	o.Duration = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r, err := bench.Run(ctx, o)
	if err != nil || r.Seconds > 10 || r.Send.Acked == 0 {
		t.Errorf("Run = %+v, %v; want what was measured until then", r, err)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = fmt.Fprintf(w, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", 10+len(s.lines))
	}))
	defer metrics.Close()
	o := options(s, "idle", 40)
	o.Connections, o.PID, o.Ops = 30, os.Getpid(), metrics.URL+"/"
	r := run(t, o)
	if len(r.Failures) > 0 || r.Connections != 30 || r.Idle.Broken != 0 {
		t.Errorf("%d connections, %d broken, failures: %v", r.Connections, r.Idle.Broken, r.Failures)
	}
	if diff := cmp.Diff(&bench.Goroutines{Before: 10, After: 40, PerConnection: 1}, r.Idle.Goroutines); diff != "" {
		t.Errorf("goroutines (-want +got):\n%s", diff)
	}
	if m := r.Idle.Memory; m == nil || m.Before <= 1<<20 || m.After <= 1<<20 || m.Peak < m.Connected {
		t.Errorf("memory: %+v", m)
	}
	if r.ServerCores == nil {
		t.Errorf("the server's processor time is missing")
	}
	if p := r.Idle.Pong; p.Count < 20 || p.Count > 120 { // 150 ms, one each 75 ms
		t.Errorf("%d heartbeats were answered in %v s by 30 connections, want about 60", p.Count, r.Seconds)
	}
}

func TestIdleNoticesBrokenConnections(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := options(s, "idle", 10)
	go func() {
		for {
			s.mu.Lock()
			n := len(s.lines)
			if n == 10 {
				for _, user := range []int{2, 5, 6} {
					_ = s.lines[token(user)].conn.Close()
				}
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	o.Duration = 300 * time.Millisecond
	r := run(t, o)
	if r.Idle.Broken != 3 || len(r.Failures) == 0 {
		t.Errorf("%d broken, failures: %v; want 3", r.Idle.Broken, r.Failures)
	}
}

func TestWhatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.hello = func(tok string) *clientpb.Error {
		if tok == token(3) {
			return &clientpb.Error{Code: clientpb.Code_UNAUTHENTICATED, Text: "log in again"}
		}
		return nil
	}
	cases := []struct {
		name   string
		change func(o *bench.Options)
		want   string
	}{
		{"no such scenario", func(o *bench.Options) { o.Scenario = "flood" }, `no scenario "flood"`},
		{"no tokens", func(o *bench.Options) { o.Tokens = "" }, "--tokens is missing"},
		{"no such file", func(o *bench.Options) { o.Tokens = filepath.Join(t.TempDir(), "none") }, "open tokens"},
		{"no duration", func(o *bench.Options) { o.Duration = 0 }, "--duration"},
		{"too long", func(o *bench.Options) { o.Duration = 2 * time.Hour }, "--duration"},
		{"too large", func(o *bench.Options) { o.Size = 20_000 }, "--size"},
		{"no such codec", func(o *bench.Options) { o.Codec = "xml" }, "--codec"},
		{"another machine", func(o *bench.Options) { o.Address = "192.0.2.1:8090" }, "--allow-remote"},
		{"another machine's metrics", func(o *bench.Options) { o.Ops = "http://192.0.2.1:8099" }, "--allow-remote"},
		{"metrics without a scheme", func(o *bench.Options) { o.Ops = "127.0.0.1:8099" }, "--ops"},
		{"no port", func(o *bench.Options) { o.Address = "127.0.0.1" }, "HOST:PORT"},
		{"nobody listens", func(o *bench.Options) { o.Address = "127.0.0.1:1" }, "connect user"},
		{"too many pairs", func(o *bench.Options) { o.Pairs = 3 }, "has 2 pairs, not 3"},
		{"too many connections", func(o *bench.Options) { o.Scenario, o.Connections = "idle", 5 }, "has 4 users, not 5"},
		{"refused at HELLO", func(*bench.Options) {}, "UNAUTHENTICATED: log in again"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := options(s, "send", 4)
			tc.change(&o)
			r, err := bench.Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Run = %+v, %v; want an error with %q", r, err, tc.want)
			}
		})
	}
}

func TestTokensStaySecret(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for name, content := range map[string]string{
		"not JSON":        `{"user":"1","token":"liao_at_secret"`,
		"id is no id":     `{"user":"liao_at_secret","token":"liao_at_secret"}`,
		"no token":        `{"user":"1","handle":"liao_at_secret"}`,
		"nobody's friend": `{"user":"1","token":"liao_at_secret"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(s, "send", 2)
			o.Tokens = filepath.Join(t.TempDir(), "tokens")
			if err := os.WriteFile(o.Tokens, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := bench.Run(t.Context(), o)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("Run: %v; want an error without what the file holds", err)
			}
		})
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	cores := 0.5
	r := &bench.Report{
		Scenario: "idle", Server: "127.0.0.1:8090", Connections: 2, Seconds: 3, ServerCores: &cores,
		Send:     &bench.SendReport{Pairs: 7, PerSecond: 1234, Lost: 1},
		Idle:     &bench.IdleReport{Memory: &bench.Memory{PerConnection: 4096}, Goroutines: &bench.Goroutines{After: 5}},
		Failures: []string{"it broke"},
	}
	var text, object strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Errorf("WriteText: %v", err)
	}
	for _, want := range []string{"1234 messages/s from 7 pairs", "1 lost", "4.00 KiB per connection", "0.50 cores", "FAILED", "it broke"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
	if err := r.WriteJSON(&object); err != nil {
		t.Errorf("WriteJSON: %v", err)
	}
	var back bench.Report
	if err := json.Unmarshal([]byte(object.String()), &back); err != nil {
		t.Errorf("read the JSON report: %v", err)
	}
	if diff := cmp.Diff(r, &back); diff != "" {
		t.Errorf("the JSON report (-want +got):\n%s", diff)
	}
}
