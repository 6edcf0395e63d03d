package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

const (
	// The last answers may take so long after the measurement.
	patience = 30 * time.Second
	// When nothing was pushed for so long no more is awaited.
	drainFor = time.Second
	// Of the messages that were not pushed so many are looked up in the log.
	checkAtMost = 1_000
)

// send has pairs send one message at a time each: the first of two sends and waits
// for its acknowledgement, the second receives.
func (b *bench) send(ctx context.Context, users []login) (*Report, error) {
	friends, err := couples(users, b.Pairs)
	if err != nil {
		return nil, err
	}
	var both []login
	for _, f := range friends {
		both = append(both, f[0], f[1])
	}
	connecting := time.Now()
	lines, err := b.open(ctx, both)
	if err != nil {
		return nil, err
	}
	defer lines.close()
	r := &Report{Scenario: "send", Server: b.Address, Connections: len(lines), ConnectSeconds: time.Since(connecting).Seconds()}

	s := &score{run: runID(), from: time.Now(), size: b.Size, acks: newLatency(), deliveries: newLatency()}
	pairs := make([]*pair, len(friends))
	for i, f := range friends {
		pairs[i] = &pair{score: s, conv: uint64(f[0].Conv), from: lines[2*i], to: lines[2*i+1]}
	}
	last := time.Now().Add(b.Warmup + b.Duration + patience)
	for _, l := range lines {
		_ = l.conn.SetReadDeadline(last) // it fails on a broken line, as the read will
	}
	b.exchange(ctx, r, s, pairs)
	r.Send.settle(s, r.Seconds)
	b.findMissing(r, pairs)
	return r, nil
}

// exchange runs all pairs and measures. When it returns, they have ended.
func (b *bench) exchange(ctx context.Context, r *Report, s *score, pairs []*pair) {
	var senders, receivers sync.WaitGroup
	trouble := newTrouble()
	for _, p := range pairs {
		receivers.Go(func() {
			if err := p.receive(); !closed(err) {
				trouble.add("receive", err)
			}
		})
		senders.Go(func() {
			if err := p.send(ctx); err != nil {
				trouble.add("send", err)
			}
		})
	}
	beating, stopBeat := context.WithCancel(ctx)
	defer stopBeat()
	go crowd(receiversOf(pairs)).keepAlive(beating)

	pause(ctx, b.Warmup)
	meter := b.host.start(trouble)
	s.measuring.Store(true)
	pause(ctx, b.Duration)
	s.measuring.Store(false)
	meter.stop(r, trouble)
	r.Send = &SendReport{Pairs: len(pairs)}

	s.stopped.Store(true)
	senders.Wait()
	s.drain()
	stopBeat()
	for _, p := range pairs {
		_ = p.to.conn.Close()
	}
	receivers.Wait()
	r.Failures = append(r.Failures, trouble.list()...)
}

func receiversOf(pairs []*pair) []*line {
	all := make([]*line, len(pairs))
	for i, p := range pairs {
		all[i] = p.to
	}
	return all
}

// findMissing looks up in the log what was acknowledged and never pushed.
func (b *bench) findMissing(r *Report, pairs []*pair) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range pairs {
		_ = p.from.conn.SetReadDeadline(time.Now().Add(patience))
		for _, n := range p.missed() {
			if r.Send.NotPushed++; r.Send.NotPushed > checkAtMost || ctx.Err() != nil {
				r.Send.Unchecked++
				continue
			}
			switch found, err := p.inLog(ctx, n); {
			case err != nil:
				r.Send.Unchecked++
			case !found:
				r.Send.Lost++
			}
		}
	}
	if r.Send.Lost > 0 {
		r.fail("%d messages were acknowledged and are not in the log", r.Send.Lost)
	}
	if r.Send.Unchecked > 0 {
		r.fail("%d messages were acknowledged, not pushed, and could not be looked up", r.Send.Unchecked)
	}
	if r.Send.Duplicates > 0 {
		r.fail("%d messages were pushed twice", r.Send.Duplicates)
	}
	if r.Send.Acked == 0 {
		r.fail("no message was acknowledged")
	}
}

// drain waits for the last pushes: until all that was acknowledged has arrived, or
// nothing more comes.
func (s *score) drain() {
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	end := time.Now().Add(patience)
	arrived, last := s.arrived.Load(), time.Now()
	for arrived < s.acked.Load() && time.Since(last) < drainFor && time.Now().Before(end) {
		<-ticks.C
		if now := s.arrived.Load(); now != arrived {
			arrived, last = now, time.Now()
		}
	}
}

func runID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return "bench-" + hex.EncodeToString(b[:])
}

// trouble gathers what went wrong on many lines: how often each, not each one.
type trouble struct {
	mu     sync.Mutex
	counts map[string]int
	order  []string
}

func newTrouble() *trouble { return &trouble{counts: make(map[string]int)} }

func (t *trouble) add(what string, err error) {
	text := fmt.Sprintf("%s: %v", what, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[text] == 0 {
		t.order = append(t.order, text)
	}
	t.counts[text]++
}

// list gives the kinds of trouble, the first to come first, and at most ten.
func (t *trouble) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for i, text := range t.order {
		if i == 10 {
			return append(all, fmt.Sprintf("and %d more kinds of trouble", len(t.order)-i))
		}
		all = append(all, fmt.Sprintf("%d × %s", t.counts[text], text))
	}
	return all
}
