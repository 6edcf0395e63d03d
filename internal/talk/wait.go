package talk

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// journal is what happened by itself, for /wait, and what the last command said,
// for /expect. Its zero value is ready.
type journal struct {
	mu      sync.Mutex
	events  []string // that no /wait has passed yet
	changed chan struct{}
	said    []string // by the last command
	bad     bool     // a command failed that should not have
}

// maxEvents bounds what is kept for a script that never waits.
const maxEvents = 10_000

func (j *journal) happened(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.events) == maxEvents {
		j.events = j.events[1:]
	}
	j.events = append(j.events, line)
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// wait returns when a line matches that no earlier wait has passed.
func (j *journal) wait(ctx context.Context, match func(string) bool) error {
	for {
		j.mu.Lock()
		for i, line := range j.events {
			if match(line) {
				j.events = j.events[i+1:]
				j.mu.Unlock()
				return nil
			}
		}
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin forgets what the last command said.
func (j *journal) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said = nil
}

func (j *journal) say(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said = append(j.said, line)
}

func (j *journal) fail() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bad = true
}

func (j *journal) failed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bad
}

// holds reports whether the words are in line, in their order.
func holds(line string, words []string) bool {
	for _, w := range words {
		i := strings.Index(line, w)
		if i < 0 {
			return false
		}
		line = line[i+len(w):]
	}
	return true
}

func cmdWait(ctx context.Context, t *talker, args string) error {
	words := strings.Fields(args)
	limit := 10 * time.Second
	if n := len(words) - 1; n > 0 {
		if d, err := time.ParseDuration(words[n]); err == nil && d > 0 {
			words, limit = words[:n], d
		}
	}
	if len(words) == 0 {
		return errUsage
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := t.journal.wait(waiting, func(line string) bool { return holds(line, words) }); err != nil {
		return failure{"timeout", "nothing of the kind happened within " + limit.String()}
	}
	return nil
}

func cmdExpect(_ context.Context, t *talker, args string) error {
	words := strings.Fields(args)
	if len(words) == 0 {
		return errUsage
	}
	t.journal.mu.Lock()
	defer t.journal.mu.Unlock()
	for _, line := range t.journal.said {
		if holds(line, words) {
			return nil
		}
	}
	return failure{"unexpected", "the last command said nothing of the kind"}
}

func cmdSleep(ctx context.Context, _ *talker, args string) error {
	d, err := time.ParseDuration(args)
	if err != nil || d < 0 {
		return errUsage
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errInterrupted
	}
}

// failure is an error of talk's own, with a code for scripts.
type failure struct{ code, text string }

func (f failure) Error() string { return f.text }

var (
	errUsage     = errors.New("usage")
	errNoLogin   = failure{"not_logged_in", "not logged in: /signup or /login first"}
	errLoggedIn  = failure{"logged_in", "you are logged in: /logout first, or start with another --profile"}
	errNotOpen   = failure{"not_open", "no conversation is open: /open @HANDLE first"}
	errNoSuch    = failure{"not_found", "nobody has this handle"}
	errNotFriend = failure{"not_friend", "there is no conversation with them: /add them first"}
)
