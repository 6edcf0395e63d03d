package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestBackoffDoublesToThirtySeconds(t *testing.T) {
	for tries := range 12 {
		limit := min(500*time.Millisecond<<tries, 30*time.Second)
		var top time.Duration
		for range 300 {
			d := backoff(tries)
			if d < 0 || d >= limit {
				t.Fatalf("after %d tries: %v, want below %v", tries, d, limit)
			}
			top = max(top, d)
		}
		if top < limit/2 {
			t.Errorf("after %d tries never more than %v, want up to %v", tries, top, limit)
		}
	}
}

func TestDialsWithBackoff(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		s.fail = func(context.Context, string) error { return errors.New("refused") }
		s.open(Options{})
		<-time.After(10 * time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		// 15 s on average once it has grown: about 45 tries, not thousands.
		if n := len(s.dials); n < 20 || n > 120 {
			t.Errorf("%d tries in 10 minutes, want about 45", n)
		}
		for i := 1; i < len(s.dials); i++ {
			if gap := s.dials[i].at.Sub(s.dials[i-1].at); gap > 30*time.Second {
				t.Errorf("try %d came %v after the one before, want at most 30 s", i, gap)
			}
		}
	})
}

func TestNextNodeIsTried(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		door := &gateDoor{on: map[string]func(map[string]any) (int, any){
			"GET /v1/nodes": func(map[string]any) (int, any) {
				return 200, map[string]any{"nodes": []Addrs{{TCP: "b:1"}, {TCP: "c:1"}}}
			},
		}}
		s.fail = func(ctx context.Context, address string) error {
			switch address {
			case "tcp://a:1":
				return errors.New("refused")
			case "tcp://b:1":
				<-ctx.Done() // never answers
				return ctx.Err()
			}
			return nil
		}
		began := time.Now()
		c := s.open(Options{Gate: door.gate(t)})
		p := s.accept().greet()
		if p.address != "tcp://c:1" {
			t.Errorf("connected to %s, want tcp://c:1", p.address)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want the 3 s of the silent node", took)
		}
		await[Synced](t, c)

		// A node that worked is the first to be tried again.
		p.conn.end()
		if p = s.accept(); p.address != "tcp://c:1" {
			t.Errorf("came back to %s, want tcp://c:1", p.address)
		}
	})
}

func TestGoawayReasons(t *testing.T) {
	tests := []struct {
		reason clientpb.Reason
		end    EndReason     // empty: comes back
		wait   time.Duration // 0: within the first backoff
	}{
		{clientpb.Reason_REASON_UNSPECIFIED, "", 0},
		{clientpb.Reason_PROTOCOL, EndProtocol, 0},
		{clientpb.Reason_UNAUTHORIZED, EndUnauthorized, 0}, // this login has no refresh token
		{clientpb.Reason_REPLACED, EndReplaced, 0},
		{clientpb.Reason_IDLE, "", 0},
		{clientpb.Reason_SLOW, "", 0},
		{clientpb.Reason_DRAINING, "", 7 * time.Second},
		{clientpb.Reason_BUSY, "", 7 * time.Second},
	}
	for _, before := range []bool{false, true} {
		for _, tt := range tests {
			name := tt.reason.String() + " after WELCOME"
			if before {
				name = tt.reason.String() + " instead of WELCOME"
			}
			t.Run(name, func(t *testing.T) {
				play(t, func(t *testing.T, s *script) {
					c := s.open(Options{})
					p := s.accept()
					if before {
						p.next(clientpb.Type_HELLO, nil)
					} else {
						p.greet()
						await[Synced](t, c)
					}
					p.goaway(tt.reason, tt.wait)
					began := time.Now()
					if tt.end != "" {
						got := await[Ended](t, c)
						if got.Err.Reason != tt.end {
							t.Errorf("ended because of %s, want %s", got.Err.Reason, tt.end)
						}
						<-c.Done()
						if _, open := <-c.Events(); open {
							t.Error("an event came after Ended")
						}
						if err := c.MarkRead(t.Context(), 1, 1); err == nil || !errors.As(err, new(*EndedError)) {
							t.Errorf("a request after the end: %v, want why it ended", err)
						}
						return
					}
					s.accept()
					took := time.Since(began)
					if tt.wait > 0 && took != tt.wait || tt.wait == 0 && took >= 500*time.Millisecond {
						t.Errorf("came back after %v, want %v (0: below 500 ms)", took, tt.wait)
					}
				})
			})
		}
	}
}

func TestRefusedHello(t *testing.T) {
	tests := []struct {
		code clientpb.Code
		end  EndReason
		wait time.Duration
	}{
		{clientpb.Code_UNAUTHENTICATED, EndUnauthorized, 0},
		{clientpb.Code_RATE_LIMITED, "", 4 * time.Second},
		{clientpb.Code_OVERLOADED, "", 4 * time.Second},
		{clientpb.Code_UNAVAILABLE, "", 4 * time.Second},
		{clientpb.Code_INVALID, EndProtocol, 0},
	}
	for _, tt := range tests {
		t.Run(tt.code.String()+" without GOAWAY", func(t *testing.T) {
			play(t, func(t *testing.T, s *script) {
				c := s.open(Options{})
				p := s.accept()
				p.refuse(p.next(clientpb.Type_HELLO, nil), tt.code, tt.wait)
				p.conn.end()
				began := time.Now()
				if tt.end != "" {
					if got := await[Ended](t, c); got.Err.Reason != tt.end {
						t.Errorf("ended because of %s, want %s", got.Err.Reason, tt.end)
					}
					return
				}
				s.accept()
				if took := time.Since(began); took != tt.wait {
					t.Errorf("came back after %v, want %v", took, tt.wait)
				}
			})
		})
	}
}

func TestDrainingNodeIsLeft(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		door := &gateDoor{on: map[string]func(map[string]any) (int, any){
			"GET /v1/nodes": func(map[string]any) (int, any) {
				return 200, map[string]any{"nodes": []Addrs{{TCP: "b:1"}}}
			},
		}}
		s.open(Options{Gate: door.gate(t)})
		p := s.accept().greet()
		p.goaway(clientpb.Reason_DRAINING, time.Second)
		if p = s.accept(); p.address != "tcp://b:1" {
			t.Errorf("went to %s, want the node that the gate names", p.address)
		}
	})
}

func TestGoawayLetsAnswersComeAndTakesNoRequests(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		mustPost(t, c, theConv, "1")
		m, id := p.takeSend()
		p.send(clientpb.Type_GOAWAY, 0, &clientpb.Goaway{Reason: clientpb.Reason_SLOW})
		synctest.Wait()
		mustPost(t, c, theConv, "2")
		p.sent(m, id, 2)
		if got := await[Settled](t, c); got.Err != nil || got.Sent.Seq != 2 {
			t.Errorf("settled %+v, want stored at 2", got)
		}
		p.quiet(time.Second)
		p.conn.end()
		p = s.accept()
		p.welcome()
		var second clientpb.Send
		if p.resume("c2", &second, direct(2)); second.GetContent().GetText() != "2" {
			t.Errorf("then came %q, want 2", second.GetContent().GetText())
		}
	})
}

func TestHeartbeat(t *testing.T) {
	t.Run("a silent client pings", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet()
			await[Synced](t, c)
			for range 5 {
				began := time.Now()
				id := p.next(clientpb.Type_PING, nil)
				if took := time.Since(began); took > 30*time.Second || id == 0 {
					t.Errorf("PING %d after %v, want one with an id within 30 s", id, took)
				}
				p.send(clientpb.Type_PONG, id, nil)
			}
		})
	})
	t.Run("a silent server is left", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet()
			await[Synced](t, c)
			p.next(clientpb.Type_PING, nil)
			began := time.Now()
			p.gone()
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("left %v after PING, want 10 s", took)
			}
			if got := await[Disconnected](t, c); !errors.Is(got.Err, errSilent) {
				t.Errorf("disconnected: %v, want %v", got.Err, errSilent)
			}
			s.accept().greet()
			await[Connected](t, c)
		})
	})
	t.Run("any frame is a sign of life", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet(direct(1))
			await[Synced](t, c)
			p.next(clientpb.Type_PING, nil)
			<-time.After(9 * time.Second)
			p.push(2)
			<-time.After(9 * time.Second)
			if !c.Online() {
				t.Error("the client left a server that talks")
			}
		})
	})
	t.Run("the server's PING is answered", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			s.open(Options{})
			p := s.accept().greet()
			p.send(clientpb.Type_PING, 0, nil)
			if id := p.next(clientpb.Type_PONG, nil); id != 0 {
				t.Errorf("PONG has id %d, want 0", id)
			}
		})
	})
}

func TestRequestIsRepeatedOnTheNextLine(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(3))
		got := make(chan error, 1)
		go func() { got <- c.MarkRead(t.Context(), theConv, 3) }()
		p.next(clientpb.Type_READ, nil)
		p.conn.end()
		p = s.accept()
		p.welcome()
		for range 2 {
			f, err := p.conn.ReadFrame()
			switch {
			case err != nil:
				t.Fatal(err)
			case f.Type == clientpb.Type_SYNC:
				p.send(clientpb.Type_CHANGES, f.ID, &clientpb.Changes{Cursor: "c2"})
			case f.Type == clientpb.Type_READ:
				p.send(clientpb.Type_OK, f.ID, nil)
			default:
				t.Fatalf("the client sent %v", f.Type)
			}
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
		if v, _ := c.Conversation(theConv); v.Read != 3 {
			t.Errorf("read %d, want 3", v.Read)
		}
	})
}

func TestRequestErrorsTellWhatIsCertain(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Block(ctx, 2); err == nil || Unknown(err) {
			t.Errorf("without a line: %v, want a definite error", err)
		}
		p := s.accept().greet()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Block(ctx, 2); !Unknown(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without an answer: %v, want an unknown outcome", err)
		}
		p.next(clientpb.Type_BLOCK, nil)
		go func() { p.refuse(p.next(clientpb.Type_BLOCK, nil), clientpb.Code_RATE_LIMITED, time.Minute) }()
		err := c.Block(t.Context(), 2)
		var e *Error
		if !errors.As(err, &e) || e.Code != RateLimited || e.RetryAfter != time.Minute || e.Unknown() {
			t.Errorf("refused: %#v, want rate_limited, definite, with a minute to wait", err)
		}
	})
}

func TestUnknownFramesAreIgnored(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		p.send(900, 0, nil)
		p.send(clientpb.Type_OK, 4711, nil)
		p.push(2)
		if got := arrived(t, c, 1); got[0] != 2 {
			t.Errorf("entry %d, want 2", got[0])
		}
	})
}
