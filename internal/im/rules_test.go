package im_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

func TestJudgeAsk(t *testing.T) {
	const none = im.Code(255)
	day := 24 * time.Hour
	for _, tc := range []struct {
		name string
		f    im.AskFacts
		want im.AskVerdict
		code im.Code
	}{
		{"a stranger", im.AskFacts{Exists: true}, im.AskDeliver, none},
		{"oneself", im.AskFacts{Self: true, Exists: true}, 0, im.Invalid},
		{"nobody", im.AskFacts{}, 0, im.NotFound},
		{"a friend", im.AskFacts{Exists: true, Friends: true}, 0, im.AlreadyExists},
		{"a friend who blocked me", im.AskFacts{Exists: true, Friends: true, TargetBlocked: true}, 0, im.AlreadyExists},
		{"whom I blocked", im.AskFacts{Exists: true, AskerBlocked: true}, 0, im.Forbidden},
		{"who blocked me", im.AskFacts{Exists: true, TargetBlocked: true}, im.AskSwallow, none},
		{"who blocked me and had asked", im.AskFacts{Exists: true, TargetBlocked: true, TargetAsked: true}, im.AskSwallow, none},
		{"who has asked me", im.AskFacts{Exists: true, TargetAsked: true}, im.AskMeet, none},
		{"who has asked me, past my limit", im.AskFacts{Exists: true, TargetAsked: true, Unanswered: 20, PerDay: 20}, im.AskMeet, none},
		{"again", im.AskFacts{Exists: true, Waiting: true}, im.AskRefresh, none},
		{"again, past my limit", im.AskFacts{Exists: true, Waiting: true, Unanswered: 20, PerDay: 20}, im.AskRefresh, none},
		{"refused a day ago", im.AskFacts{Exists: true, Refused: true, RefusedAgo: day}, im.AskSwallow, none},
		{"refused a week ago", im.AskFacts{Exists: true, Refused: true, RefusedAgo: 7 * day}, im.AskDeliver, none},
		{"past my limit", im.AskFacts{Exists: true, Unanswered: 20, PerDay: 20}, 0, im.RateLimited},
		{"past my limit, who blocked me: as if not", im.AskFacts{Exists: true, TargetBlocked: true, Unanswered: 20, PerDay: 20}, 0, im.RateLimited},
		{"no limit", im.AskFacts{Exists: true, Unanswered: 1000}, im.AskDeliver, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := im.JudgeAsk(tc.f)
			if tc.code == none {
				if err != nil || got != tc.want {
					t.Errorf("JudgeAsk = %v, %v; want %v", got, err, tc.want)
				}
			} else if !errors.Is(err, tc.code) {
				t.Errorf("JudgeAsk: %v, want %v", err, tc.code)
			}
		})
	}
}

func TestJudgeSend(t *testing.T) {
	member := im.SendFacts{EverMember: true, Member: true, MaySend: true, Kind: im.Direct, Head: 5}
	with := func(f func(*im.SendFacts)) im.SendFacts { m := member; f(&m); return m }
	const none = im.Code(255)
	for _, tc := range []struct {
		name  string
		f     im.SendFacts
		reply im.Seq
		want  im.Code
	}{
		{"a friend", member, 0, none},
		{"replies to the head", member, 5, none},
		{"replies past the head", member, 6, im.Invalid},
		{"a stranger", im.SendFacts{}, 0, im.NotFound},
		{"a stranger who guesses a reply", im.SendFacts{}, 9, im.NotFound},
		{"a former member", with(func(f *im.SendFacts) { f.Member = false }), 0, im.Forbidden},
		{"blocked, muted or no friend", with(func(f *im.SendFacts) { f.MaySend = false }), 0, im.Forbidden},
		{"into the inbox", with(func(f *im.SendFacts) { f.Kind = im.Inbox }), 0, im.Forbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := im.NewDraft(1, 1, "12345678", im.Content{Kind: "text", Text: "a", ReplyTo: tc.reply}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			err = im.JudgeSend(tc.f, d)
			if tc.want == none && err != nil || tc.want != none && !errors.Is(err, tc.want) {
				t.Errorf("JudgeSend = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestJudgeAnswer(t *testing.T) {
	const none = im.Code(255)
	for _, tc := range []struct {
		name     string
		state    im.AskState
		accept   bool
		repeated bool
		want     im.Code
	}{
		{"accept what waits", im.AskWaiting, true, false, none},
		{"refuse what waits", im.AskWaiting, false, false, none},
		{"accept again", im.AskAccepted, true, true, none},
		{"refuse again", im.AskRefused, false, true, none},
		{"accept what was refused", im.AskRefused, true, false, im.Conflict},
		{"refuse what was accepted", im.AskAccepted, false, false, im.Conflict},
		{"accept what nobody asked", im.AskNone, true, false, im.NotFound},
		{"refuse what nobody asked", im.AskNone, false, false, im.NotFound},
		{"accept what one is not shown", im.AskSwallowed, true, false, im.NotFound},
		{"refuse what one is not shown", im.AskSwallowed, false, false, im.NotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repeated, err := im.JudgeAnswer(tc.state, tc.accept)
			if tc.want == none && err != nil || tc.want != none && !errors.Is(err, tc.want) {
				t.Errorf("JudgeAnswer = %v, want %v", err, tc.want)
			}
			if repeated != tc.repeated {
				t.Errorf("repeated = %v, want %v", repeated, tc.repeated)
			}
		})
	}
}

func TestJudgeSendOfARepeat(t *testing.T) {
	why := im.Fail(im.Unsupported, "no such kind")
	d, err := im.NewRepeat(1, 1, "12345678", why, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := im.JudgeSend(im.SendFacts{EverMember: true, Member: true, MaySend: true}, d); !errors.Is(err, im.Unsupported) {
		t.Errorf("JudgeSend = %v, want what was wrong with the content", err)
	}
	for name, bad := range map[string]func() (im.Draft, error){
		"no conversation": func() (im.Draft, error) { return im.NewRepeat(1, 0, "12345678", why, time.Now()) },
		"no key":          func() (im.Draft, error) { return im.NewRepeat(1, 1, "short", why, time.Now()) },
	} {
		if _, err := bad(); !errors.Is(err, im.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func TestSupersedes(t *testing.T) {
	a := im.Route{Hello: 1, Boot: "b", Conn: 1}
	for name, b := range map[string]im.Route{
		"later hello":                  {Hello: 2, Boot: "a", Conn: 0},
		"same hello, later connection": {Hello: 1, Boot: "b", Conn: 2},
		"same hello, other node":       {Hello: 1, Boot: "c", Conn: 0},
	} {
		if !b.Supersedes(a) || a.Supersedes(b) {
			t.Errorf("%s: want b to supersede a and not the reverse", name)
		}
	}
	if a.Supersedes(a) {
		t.Error("a route supersedes itself")
	}
}

func TestJudgeRead(t *testing.T) {
	f := im.SendFacts{EverMember: true, Head: 3}
	if err := im.JudgeRead(f, 3); err != nil {
		t.Errorf("read at head: %v", err)
	}
	if err := im.JudgeRead(f, 4); !errors.Is(err, im.Invalid) {
		t.Errorf("read above head: %v, want invalid", err)
	}
	if err := im.JudgeRead(im.SendFacts{}, 0); !errors.Is(err, im.NotFound) {
		t.Errorf("read of a stranger's: %v, want not found", err)
	}
}

func TestRefusalHolds(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, tc := range []struct {
		name string
		f    im.AskFacts
		want bool
	}{
		{"never refused", im.AskFacts{}, false},
		{"just now", im.AskFacts{Refused: true}, true},
		{"almost a week ago", im.AskFacts{Refused: true, RefusedAgo: week - 1}, true},
		{"a week ago", im.AskFacts{Refused: true, RefusedAgo: week}, false},
	} {
		if got := tc.f.RefusalHolds(); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
