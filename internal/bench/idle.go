package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// idle opens connections, one per user, and holds them with heartbeats.
func (b *bench) idle(ctx context.Context, users []login) (*Report, error) {
	if b.Connections > len(users) {
		return nil, fmt.Errorf("the tokens file has %d users, not %d; each has one connection", len(users), b.Connections)
	}
	if b.Connections > 0 {
		users = users[:b.Connections]
	}
	r := &Report{Scenario: "idle", Server: b.Address, Idle: &IdleReport{}}
	t := newTrouble()
	before := b.look(ctx, t)
	connecting := time.Now()
	lines, err := b.open(ctx, users)
	if err != nil {
		return nil, err
	}
	defer lines.close()
	r.Connections, r.ConnectSeconds = len(lines), time.Since(connecting).Seconds()

	b.hold(ctx, r, t, lines, before)
	if r.Idle.Broken > 0 {
		r.fail("%d of %d connections broke", r.Idle.Broken, r.Connections)
	}
	r.Failures = append(r.Failures, t.list()...)
	return r, nil
}

// hold keeps lines for the duration and looks at the server meanwhile.
func (b *bench) hold(ctx context.Context, r *Report, t *trouble, lines crowd, before look) {
	var (
		readers sync.WaitGroup
		broken  atomic.Int64
		pongs   = newLatency()
	)
	for _, l := range lines {
		readers.Go(func() {
			if err := l.idle(pongs); !closed(err) {
				broken.Add(1)
				t.add("hold", err)
			}
		})
	}
	beating, stopBeat := context.WithCancel(ctx)
	defer stopBeat()
	go lines.keepAlive(beating)

	meter := b.host.start(t)
	connected := b.look(ctx, t)
	peak := connected.rss
	for end := time.Now().Add(b.Duration); ctx.Err() == nil && time.Now().Before(end); {
		pause(ctx, min(time.Second, time.Until(end)))
		if b.PID != 0 {
			if rss, err := b.host.rss(); err == nil {
				peak = max(peak, rss)
			}
		}
	}
	after := b.look(context.WithoutCancel(ctx), t)
	meter.stop(r, t)
	stopBeat()
	lines.close()
	readers.Wait()

	r.Idle.Broken = broken.Load()
	r.Idle.Pong = pongs.report()
	n := int64(len(lines))
	if b.PID != 0 {
		r.Idle.Memory = &Memory{
			Before: before.rss, Connected: connected.rss, Peak: peak, After: after.rss,
			PerConnection: (after.rss - before.rss) / n,
		}
	}
	if b.Ops != "" {
		r.Idle.Goroutines = &Goroutines{
			Before: before.goroutines, After: after.goroutines,
			PerConnection: float64(after.goroutines-before.goroutines) / float64(n),
		}
	}
}

// idle reads until the line is closed, and times the answers to PING.
func (l *line) idle(pongs *latency) error {
	for {
		f, err := l.read()
		if err != nil {
			return err
		}
		if f.Type == clientpb.Type_PONG {
			if at := l.pingAt.Swap(0); at != 0 {
				pongs.add(time.Since(time.Unix(0, at)))
			}
		}
	}
}

// look is what the server is at one moment; 0 is unknown.
type look struct{ rss, goroutines int64 }

func (b *bench) look(ctx context.Context, t *trouble) look {
	var (
		k   look
		err error
	)
	if b.PID != 0 {
		if k.rss, err = b.host.rss(); err != nil {
			t.add("look", err)
		}
	}
	if b.Ops != "" {
		if k.goroutines, err = b.host.goroutines(ctx); err != nil {
			t.add("look", err)
		}
	}
	return k
}
