package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// host asks this machine what the server costs; what it was not told it does not know.
type host struct {
	pid int
	ops string
}

// rss is the server's resident memory in bytes.
func (h host) rss() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.pid))
	if err != nil {
		return 0, fmt.Errorf("read the server's memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the server's memory: %w", err)
			}
			return n << 10, nil
		}
	}
	return 0, errors.New("read the server's memory: /proc does not tell it")
}

// tick is the unit of processor times in /proc: a hundredth of a second on every
// Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpu is the processor time that the server has used.
func (h host) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid))
	if err != nil {
		return 0, fmt.Errorf("read the server's processor time: %w", err)
	}
	// The name, in parentheses, may hold anything; fields count from behind it.
	s := string(b)
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, errors.New("read the server's processor time: /proc does not tell it")
	}
	var sum time.Duration
	for _, f := range fields[user : system+1] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the server's processor time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// goroutines is how many the server's metrics say it has.
func (h host) goroutines(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.ops+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("read the server's metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("read the server's metrics: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return 0, fmt.Errorf("read the server's metrics: %w", err)
			}
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("read the server's metrics: status %s, no go_goroutines", resp.Status)
}

// meter takes times between two moments.
type meter struct {
	host   host
	at     time.Time
	own    time.Duration
	server time.Duration
}

// start begins to measure what the run costs.
func (h host) start(t *trouble) meter {
	m := meter{host: h, at: time.Now()}
	m.own, m.server = m.read(t)
	return m
}

// stop writes into the report what was used since start.
func (m meter) stop(r *Report, t *trouble) {
	own, server := m.read(t)
	r.Seconds = time.Since(m.at).Seconds()
	r.ClientCores = (own - m.own).Seconds() / r.Seconds
	if m.host.pid != 0 {
		cores := (server - m.server).Seconds() / r.Seconds
		r.ServerCores = &cores
	}
}

func (m meter) read(t *trouble) (own, server time.Duration) {
	own, err := ownCPU()
	if err != nil {
		t.add("look", err)
	}
	if m.host.pid != 0 {
		if server, err = m.host.cpu(); err != nil {
			t.add("look", err)
		}
	}
	return own, server
}
