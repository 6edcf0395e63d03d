package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// maxText is the longest text that a server takes, in bytes.
const maxText = 16 << 10

// score is what all pairs of a run count together.
type score struct {
	run  string    // marks our messages: old ones may be in the log
	from time.Time // messages bear their time of sending as nanoseconds since then
	size int

	measuring atomic.Bool
	stopped   atomic.Bool

	acks       *latency
	deliveries *latency
	measured   atomic.Int64 // acknowledged while measuring
	acked      atomic.Int64
	arrived    atomic.Int64 // each message once
	duplicates atomic.Int64
	refused    atomic.Int64 // attempts that the server refused for now
	unknown    atomic.Int64 // attempts of which the server did not know the outcome
	again      atomic.Int64 // retries that had been stored before
	resyncs    atomic.Int64
}

// pair is two friends: the first sends, the second receives.
type pair struct {
	*score

	conv     uint64
	from, to *line
	seqs     []uint32 // of what was acknowledged, by number; the sender's
	seen     []bool   // what was pushed, by number; the receiver's
}

// send sends one message at a time until the run stops.
func (p *pair) send(ctx context.Context) error {
	for n := 0; !p.stopped.Load(); n++ {
		begin := time.Now()
		seq, err := p.settle(ctx, n, begin)
		if err != nil {
			return err
		}
		if seq == 0 {
			return nil
		}
		p.acked.Add(1)
		if p.measuring.Load() {
			p.measured.Add(1)
			p.acks.add(time.Since(begin))
		}
		if n > 0 && seq <= p.seqs[n-1] {
			return fmt.Errorf("message %d has seq %d, not above %d of the one before it", n, seq, p.seqs[n-1])
		}
		p.seqs = append(p.seqs, seq)
	}
	return nil
}

// settle sends message n until the server has said what became of it. It returns 0
// if the run stopped before.
func (p *pair) settle(ctx context.Context, n int, begin time.Time) (seq uint32, err error) {
	m := &clientpb.Send{
		Conv:    p.conv,
		Key:     fmt.Sprintf("%s-%06d", p.run, n),
		Content: &clientpb.Content{Kind: "text", Text: p.text(n, begin)},
	}
	for {
		sent, err := p.attempt(m)
		if err == nil {
			if sent.GetAgain() {
				p.again.Add(1)
			}
			return sent.GetSeq(), nil
		}
		var r *refusal
		if !errors.As(err, &r) {
			return 0, err
		}
		switch r.code { //nolint:exhaustive // any other refusal will not change
		case clientpb.Code_RATE_LIMITED, clientpb.Code_OVERLOADED:
			p.refused.Add(1)
		case clientpb.Code_INTERNAL, clientpb.Code_UNAVAILABLE:
			p.unknown.Add(1)
		default:
			return 0, err
		}
		if p.stopped.Load() {
			return 0, nil
		}
		pause(ctx, max(r.after, 10*time.Millisecond))
	}
}

// attempt sends m once and waits for its answer.
func (p *pair) attempt(m *clientpb.Send) (*clientpb.Sent, error) {
	id, err := p.from.ask(clientpb.Type_SEND, m)
	if err != nil {
		return nil, err
	}
	for {
		f, err := p.from.read()
		if err != nil {
			return nil, err
		}
		if f.ID != id { // pushes, and answers to PING
			p.push(f.Type)
			continue
		}
		if err := p.from.wants(f, clientpb.Type_SENT); err != nil {
			return nil, err
		}
		var sent clientpb.Sent
		if err := p.from.decode(f, &sent); err != nil {
			return nil, err
		}
		if sent.GetConv() != p.conv || sent.GetKey() != m.GetKey() || sent.GetSeq() == 0 {
			return nil, fmt.Errorf("SENT is not the answer to what was sent: conv %d, seq %d", sent.GetConv(), sent.GetSeq())
		}
		return &sent, nil
	}
}

func (p *pair) push(t clientpb.Type) {
	if t == clientpb.Type_RESYNC {
		p.resyncs.Add(1)
	}
}

// receive counts what is pushed until the line is closed.
func (p *pair) receive() error {
	for {
		f, err := p.to.read()
		if err != nil {
			return err
		}
		if f.Type != clientpb.Type_MESSAGE {
			p.push(f.Type)
			continue
		}
		var m clientpb.Message
		if err := p.to.decode(f, &m); err != nil {
			return err
		}
		n, at, ours := p.parse(m.GetContent().GetText())
		if !ours || m.GetConv() != p.conv {
			continue
		}
		p.note(n, at)
	}
}

func (p *pair) note(n int, at time.Duration) {
	for n >= len(p.seen) {
		p.seen = append(p.seen, make([]bool, max(64, len(p.seen)))...)
	}
	if p.seen[n] {
		p.duplicates.Add(1)
		return
	}
	p.seen[n] = true
	p.arrived.Add(1)
	if p.measuring.Load() {
		p.deliveries.add(time.Since(p.score.from) - at)
	}
}

// text is what message n says: whose it is, its number, when it was sent, and padding.
func (p *pair) text(n int, at time.Time) string {
	b := make([]byte, 0, max(p.size, 48))
	b = append(b, p.run...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(at.Sub(p.score.from)), 10)
	b = append(b, ' ')
	for len(b) < p.size {
		b = append(b, 'x')
	}
	return string(b)
}

// parse reads a text. Only those of this run are ours, and have a number that the
// sender can have given.
func (p *pair) parse(text string) (n int, at time.Duration, ours bool) {
	rest, ours := strings.CutPrefix(text, p.run+" ")
	if !ours {
		return 0, 0, false
	}
	number, rest, _ := strings.Cut(rest, " ")
	nanos, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	since, err2 := strconv.ParseInt(nanos, 10, 64)
	return n, time.Duration(since), err == nil && err2 == nil && n >= 0 && int64(n) <= p.acked.Load()+1
}

// missed returns the numbers of what was acknowledged and never pushed. Sender and
// receiver must have ended.
func (p *pair) missed() []int {
	var all []int
	for n := range p.seqs {
		if n >= len(p.seen) || !p.seen[n] {
			all = append(all, n)
		}
	}
	return all
}

// inLog asks whether message n is in the log, under the number that it was
// acknowledged with. The sender must have ended.
func (p *pair) inLog(ctx context.Context, n int) (bool, error) {
	for {
		page, err := p.history(p.seqs[n])
		var r *refusal
		if errors.As(err, &r) && r.code == clientpb.Code_RATE_LIMITED && ctx.Err() == nil {
			pause(ctx, max(r.after, 10*time.Millisecond))
			continue
		}
		if err != nil {
			return false, err
		}
		for _, m := range page.GetMessages() {
			if got, _, ours := p.parse(m.GetContent().GetText()); ours && got == n && m.GetSeq() == p.seqs[n] {
				return true, nil
			}
		}
		return false, nil
	}
}

// history asks for the one entry at seq.
func (p *pair) history(seq uint32) (*clientpb.Page, error) {
	id, err := p.from.ask(clientpb.Type_HISTORY, &clientpb.History{Conv: p.conv, After: seq - 1, Limit: 1})
	if err != nil {
		return nil, err
	}
	for {
		f, err := p.from.read()
		if err != nil {
			return nil, err
		}
		if f.ID != id {
			continue
		}
		if err := p.from.wants(f, clientpb.Type_PAGE); err != nil {
			return nil, err
		}
		page := new(clientpb.Page)
		return page, p.from.decode(f, page)
	}
}
