package imtest_test

import (
	"testing"
	"time"

	"github.com/liao-im/liao/client"
	"github.com/liao-im/liao/internal/imtest"
)

// next reads events until one of type E comes for which ok is true.
func next[E client.Event](t *testing.T, c *client.Client, ok func(E) bool) E {
	t.Helper()
	var none E
	late := time.After(30 * time.Second)
	for {
		select {
		case e, open := <-c.Events():
			if !open {
				t.Fatalf("the events ended without the %T", none)
			}
			if e, is := e.(E); is && ok(e) {
				return e
			}
		case <-late:
			t.Fatalf("waited 30 s for the %T", none)
		}
	}
}

func TestTwoStrangersTalk(t *testing.T) {
	s := imtest.Start(t, imtest.Options{})
	ann := s.Connect(t, s.SignUp(t, "ann"), client.Options{})
	ben := s.Connect(t, s.SignUp(t, "ben"), client.Options{Codec: client.JSON, Transport: client.WS})
	conv := imtest.Befriend(t, ann, ben)
	for _, text := range []string{"one", "two", "three"} {
		if _, err := ann.Post(conv, client.Text(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one", "two", "three"} {
		got := next(t, ben, func(a client.Arrived) bool { return a.From == ann.Me().ID })
		if got.Content.Text != want {
			t.Errorf("ben got %q, want %q", got.Content.Text, want)
		}
	}
}

func TestARestartLosesNothing(t *testing.T) {
	s := imtest.Start(t, imtest.Options{})
	ann := s.Connect(t, s.SignUp(t, "ann"), client.Options{})
	ben := s.Connect(t, s.SignUp(t, "ben"), client.Options{})
	conv := imtest.Befriend(t, ann, ben)
	first, err := ann.Send(t.Context(), conv, client.Text("before"))
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	next(t, ann, func(client.Disconnected) bool { return true })
	if _, err := ann.Post(conv, client.Text("between")); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	settled := next(t, ann, func(client.Settled) bool { return true })
	if settled.Err != nil || settled.Sent.Seq != first.Seq+1 {
		t.Errorf("settled %+v, want stored at %d", settled, first.Seq+1)
	}
	for _, want := range []string{"before", "between"} {
		got := next(t, ben, func(a client.Arrived) bool { return a.From == ann.Me().ID })
		if got.Content.Text != want {
			t.Errorf("ben got %q, want %q", got.Content.Text, want)
		}
	}
}
