package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// How long a need may take to answer. Who asks for readiness gives up after
	// some seconds, so a hanging need must be named before that.
	checkTimeout = 2 * time.Second
	// How long an answer stands, so that asking often costs nothing.
	keepFor = 250 * time.Millisecond
)

// Check asks one need of this process, such as its database.
type Check struct {
	Name string
	// Run returns nil if the need is there, a Warning if it is there but worse
	// than it should be, any other error if the process is of no use without it.
	// It is given 2 s; one that takes longer is not called again until it has
	// returned.
	Run func(ctx context.Context) error
}

// Warning is the answer of a need that is there but worse than it should be,
// such as a database that acknowledges before it has flushed.
type Warning string

func (w Warning) Error() string { return string(w) }

// state is what a need answered.
type state struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Warning string `json:"warning,omitempty"`
	Error   string `json:"error,omitempty"`
	TookMs  int64  `json:"tookMs"`
}

// need is one Check with what is known of it.
type need struct {
	check Check
	busy  atomic.Bool // Run is still running
}

// readiness asks all needs and answers /readyz.
type readiness struct {
	needs  []*need
	logger *slog.Logger

	turn  chan struct{} // taken while asking, so that one question serves all who wait
	asked time.Time
	last  []state
}

func newReadiness(checks []Check, logger *slog.Logger) *readiness {
	r := &readiness{logger: logger, turn: make(chan struct{}, 1)}
	for _, check := range checks {
		r.needs = append(r.needs, &need{check: check})
	}
	return r
}

// ask gives the state of each need, in the order of the checks; none if the
// context ends while others are asking.
func (r *readiness) ask(ctx context.Context) ([]state, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.last != nil && time.Since(r.asked) < keepFor {
		return r.last, nil
	}
	// The end of this request ends no question: its answer is for all who wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	states := make([]state, len(r.needs))
	var wg sync.WaitGroup
	for i, n := range r.needs {
		wg.Go(func() { states[i] = n.ask(ctx) })
	}
	wg.Wait()
	r.logChanges(states)
	r.last, r.asked = states, time.Now()
	return states, nil
}

// ask runs the check and waits for it until the context ends.
func (n *need) ask(ctx context.Context) state {
	s := state{Name: n.check.Name}
	if n.busy.Swap(true) {
		s.Error = "has not answered an earlier question yet"
		return s
	}
	start := time.Now()
	answer := make(chan error, 1)
	go func() {
		err := n.check.Run(ctx)
		n.busy.Store(false)
		answer <- err
	}()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = fmt.Errorf("no answer within %s", checkTimeout)
	}
	s.TookMs = time.Since(start).Milliseconds()
	var warning Warning
	switch {
	case err == nil:
		s.OK = true
	case errors.As(err, &warning):
		s.OK, s.Warning = true, err.Error()
	default:
		s.Error = err.Error()
	}
	return s
}

// logChanges says once when a need goes away and once when it is back.
func (r *readiness) logChanges(states []state) {
	for i, now := range states {
		before := state{OK: true}
		if r.last != nil {
			before = r.last[i]
		}
		switch {
		case !now.OK && before.OK:
			r.logger.Error("need is away", "need", now.Name, "error", now.Error)
		case now.OK && !before.OK:
			r.logger.Info("need is back", "need", now.Name)
		}
	}
}

// strangerKey marks the request of somebody without the token.
type strangerKey struct{}

// asStranger marks a request: it is told what is away, but not why, because
// errors name addresses.
func asStranger(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), strangerKey{}, true))
}

// ServeHTTP answers 200 if every need is there, 503 if not; as JSON to who
// accepts it by name, else as text.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	states, err := r.ask(req.Context())
	if err != nil {
		return // nobody is left to answer
	}
	if req.Context().Value(strangerKey{}) != nil {
		states = withoutReasons(states)
	}
	status := http.StatusOK
	for _, s := range states {
		if !s.OK {
			status = http.StatusServiceUnavailable
		}
	}
	if strings.Contains(req.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "needs": states})
		return
	}
	writeText(w, status, text(states, status == http.StatusOK))
}

func withoutReasons(states []state) []state {
	bare := make([]state, len(states))
	for i, s := range states {
		bare[i] = state{Name: s.Name, OK: s.OK, TookMs: s.TookMs}
	}
	return bare
}

// text is the answer for people: a word on the first line, a need on each of
// the others.
func text(states []state, ready bool) string {
	var b strings.Builder
	if ready {
		b.WriteString("ready\n")
	} else {
		b.WriteString("not ready\n")
	}
	for _, s := range states {
		word, reason := "ok", s.Warning
		switch {
		case !s.OK:
			word, reason = "away", s.Error
		case s.Warning != "":
			word = "warning"
		}
		if reason != "" {
			reason = ": " + reason
		}
		fmt.Fprintf(&b, "  %s: %s%s (%d ms)\n", s.Name, word, reason, s.TookMs)
	}
	return b.String()
}
