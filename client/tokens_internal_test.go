package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// tokenSafe keeps a login in memory.
type tokenSafe struct {
	mu     sync.Mutex
	saved  []Login
	saves  int
	failAt int // this save fails; the first is 1
}

func (k *tokenSafe) LoadLogin() (Login, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saved[len(k.saved)-1], nil
}

func (k *tokenSafe) SaveLogin(l Login) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saves++; k.saves == k.failAt {
		return errors.New("disk full")
	}
	k.saved = append(k.saved, l)
	return nil
}

// hourLogin is a login of one hour that can be refreshed.
func hourLogin() Login {
	l := seedLogin()
	l.Refresh = "rt1"
	l.AccessIssued = fault.Now()
	l.AccessExpires = l.AccessIssued.Add(time.Hour)
	return l
}

// refreshing answers refreshes of rt1 with at2 and rt2, and so on, if given the newest.
func refreshing(notes *[]string) func(map[string]any) (int, any) {
	names := []string{"rt1", "rt2", "rt3", "rt4", "rt5", "rt6"}
	return func(body map[string]any) (int, any) {
		given, _ := body["refreshToken"].(string)
		*notes = append(*notes, given)
		i := slices.Index(names, given)
		return 200, map[string]any{
			"accessToken": "a" + names[i+1][1:], "accessExpiresS": 3600, "refreshToken": names[i+1], "refreshExpiresS": "2592000",
			"user": map[string]any{"id": "1"}, "deviceId": "d1", "chat": map[string]any{"tcp": "a:1"},
		}
	}
}

func TestRefreshAtFourFifths(t *testing.T) {
	for _, connected := range []bool{true, false} {
		t.Run(map[bool]string{true: "connected", false: "not connected"}[connected], func(t *testing.T) {
			play(t, func(t *testing.T, s *script) {
				var given []string
				door := &gateDoor{on: map[string]func(map[string]any) (int, any){"POST /v1/logins/refresh": refreshing(&given)}}
				keep := &tokenSafe{}
				if !connected {
					s.fail = func(context.Context, string) error { return errors.New("refused") }
				}
				c := s.open(Options{Gate: door.gate(t), Login: hourLogin(), Tokens: keep})
				if connected {
					s.accept().greet().idle()
				}
				<-time.After(45*time.Minute - time.Second)
				if n := door.count("POST /v1/logins/refresh"); n != 0 {
					t.Errorf("%d refreshes within 45 of 60 minutes, want none", n)
				}
				<-time.After(6*time.Minute + 2*time.Second)
				if n := door.count("POST /v1/logins/refresh"); n != 1 {
					t.Errorf("%d refreshes within 51 of 60 minutes, want one", n)
				}
				if kept, err := keep.LoadLogin(); err != nil || c.access() != "at2" || kept.Refresh != "rt2" {
					t.Errorf("the token is %s, kept is the login of %s; want at2 and rt2", c.access(), kept.Refresh)
				}
				<-time.After(51 * time.Minute)
				if got := c.access(); got != "at3" {
					t.Errorf("an hour later the token is %s, want at3", got)
				}
			})
		})
	}
}

func TestTokensAreKeptBeforeTheyAreUsed(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		var given []string
		door := &gateDoor{on: map[string]func(map[string]any) (int, any){"POST /v1/logins/refresh": func(body map[string]any) (int, any) {
			given = append(given, body["refreshToken"].(string))
			return refreshing(new([]string))(body)
		}}}
		keep := &tokenSafe{failAt: 2} // New saves first
		c := s.open(Options{Gate: door.gate(t), Login: hourLogin(), Tokens: keep})
		s.accept().greet().idle()
		<-time.After(52 * time.Minute)
		if c.access() != "at2" || len(given) != 2 || given[1] != "rt1" {
			t.Errorf("refreshed with %v, token %s; want rt1 twice: the first answer was not kept, so it was not used", given, c.access())
		}
	})
}

func TestUnauthorizedRefreshesOnce(t *testing.T) {
	t.Run("new tokens", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			var given []string
			door := &gateDoor{on: map[string]func(map[string]any) (int, any){"POST /v1/logins/refresh": refreshing(&given)}}
			c := s.open(Options{Gate: door.gate(t), Login: hourLogin()})
			p := s.accept().greet()
			p.goaway(clientpb.Reason_UNAUTHORIZED, 0)
			p = s.accept().greet()
			if p.token != "at2" {
				t.Errorf("HELLO with %s, want at2", p.token)
			}
			await[Synced](t, c)
		})
	})
	t.Run("the login has ended", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			door := &gateDoor{on: map[string]func(map[string]any) (int, any){
				"POST /v1/logins/refresh": func(map[string]any) (int, any) {
					return 401, map[string]any{"code": "unauthenticated", "detail": "log in again"}
				},
			}}
			c := s.open(Options{Gate: door.gate(t), Login: hourLogin()})
			p := s.accept().greet()
			p.goaway(clientpb.Reason_UNAUTHORIZED, 0)
			if got := await[Ended](t, c); got.Err.Reason != EndUnauthorized {
				t.Errorf("ended because of %s, want unauthorized", got.Err.Reason)
			}
			if n := door.count("POST /v1/logins/refresh"); n != 1 {
				t.Errorf("%d refreshes, want one", n)
			}
		})
	})
	t.Run("the new token is refused too", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			var given []string
			door := &gateDoor{on: map[string]func(map[string]any) (int, any){"POST /v1/logins/refresh": refreshing(&given)}}
			c := s.open(Options{Gate: door.gate(t), Login: hourLogin()})
			for range 2 {
				p := s.accept()
				p.next(clientpb.Type_HELLO, nil)
				p.goaway(clientpb.Reason_UNAUTHORIZED, 0)
			}
			if got := await[Ended](t, c); got.Err.Reason != EndUnauthorized || len(given) != 1 {
				t.Errorf("ended because of %s after %d refreshes, want unauthorized after one", got.Err.Reason, len(given))
			}
		})
	})
	t.Run("the gate is away", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			var given []string
			fails := 3
			answer := refreshing(&given)
			door := &gateDoor{on: map[string]func(map[string]any) (int, any){"POST /v1/logins/refresh": func(b map[string]any) (int, any) {
				if fails--; fails >= 0 {
					return 503, map[string]any{"code": "unavailable", "detail": "away"}
				}
				return answer(b)
			}}}
			c := s.open(Options{Gate: door.gate(t), Login: hourLogin()})
			p := s.accept()
			p.next(clientpb.Type_HELLO, nil)
			p.goaway(clientpb.Reason_UNAUTHORIZED, 0)
			for p = s.accept(); ; p = s.accept() {
				p.welcome()
				if p.token == "at2" {
					break
				}
				t.Fatalf("HELLO with %s, want at2 or none", p.token)
			}
			p.changes("c1", false)
			await[Synced](t, c)
		})
	})
}
