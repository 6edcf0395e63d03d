package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

func seeded(t *testing.T, s *sqlstore.Store, o sqlstore.SeedOptions) []sqlstore.Seeded {
	t.Helper()
	var list []sqlstore.Seeded
	if err := s.Seed(t.Context(), o, func(v sqlstore.Seeded) error {
		list = append(list, v)
		return nil
	}); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	if len(list) != o.Users {
		t.Fatalf("Seed gave %d users, want %d", len(list), o.Users)
	}
	return list
}

func session(t *testing.T, s *sqlstore.Store, token string) (im.Session, error) {
	t.Helper()
	h, err := im.HashToken(im.AccessPrefix, token)
	if err != nil {
		t.Fatalf("HashToken: %v", err)
	}
	return s.Authenticate(t.Context(), h)
}

func testSeed(t *testing.T, h home) {
	t.Helper()
	s := h.store(t)
	first := account(t, s, "ann", "Ann")
	// Two parts, the last with an odd number of users.
	list := seeded(t, s, sqlstore.SeedOptions{Users: 503, Pairs: true})
	more := seeded(t, s, sqlstore.SeedOptions{Users: 3, TokenFor: time.Nanosecond})
	for i, v := range append(list, more...) {
		if v.User.ID <= first.ID || v.User.Handle != fmt.Sprintf("seed%d", v.User.ID) {
			t.Fatalf("user %d is %+v", i, v.User)
		}
		a, err := s.FindAccount(t.Context(), v.User.Handle)
		if err != nil || a.User != v.User || a.Email != "" || a.PasswordHash != "" {
			t.Fatalf("FindAccount(%s) = %+v, %v", v.User.Handle, a, err)
		}
		if paired := v.Peer != 0 && v.Conv != 0; paired != (i < 502) {
			t.Fatalf("user %d has peer %d in conversation %d", i, v.Peer, v.Conv)
		}
		got, err := session(t, s, v.Token)
		switch {
		case i >= len(list):
			if !errors.Is(err, im.Unauthenticated) {
				t.Fatalf("user %d has a token that lives on: %v", i, err)
			}
		case err != nil || got.User != v.User || got.Device.ID != v.Device:
			t.Fatalf("Authenticate of user %d = %+v, %v", i, got, err)
		}
	}
	stop := errors.New("enough")
	n := 0
	err := s.Seed(t.Context(), sqlstore.SeedOptions{Users: 3}, func(sqlstore.Seeded) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("Seed whose receiver fails: %v after %d", err, n)
	}
	account(t, s, "bob", "Bob")
}

func testSeededUsersTalk(t *testing.T, h home) {
	t.Helper()
	s := h.store(t)
	list := seeded(t, s, sqlstore.SeedOptions{Users: 4, Pairs: true})
	for i, v := range list {
		peer := list[i^1]
		if v.Peer != peer.User.ID || v.Conv != peer.Conv {
			t.Fatalf("user %d has peer %d in %d, want %d in %d", i, v.Peer, v.Conv, peer.User.ID, peer.Conv)
		}
		f, err := s.Friends(t.Context(), im.FriendsQuery{User: v.User.ID, Limit: 10, MaxBytes: 1 << 17})
		if err != nil || len(f.Friends) != 1 || f.Friends[0].User != peer.User || f.Friends[0].Conv != v.Conv {
			t.Errorf("Friends of user %d = %+v, %v", i, f, err)
		}
		d, err := im.NewDraft(v.User.ID, v.Conv, "key-0001", im.Content{Kind: im.KindText, Text: "hi"}, time.Now())
		if err != nil {
			t.Fatalf("NewDraft: %v", err)
		}
		got, err := s.Append(t.Context(), []im.Draft{d})
		if err != nil || got[0].Err != nil || got[0].Entry.Seq != im.Seq(2+i%2) {
			t.Errorf("Append of user %d = %+v, %v, want entry %d after friend.started", i, got, err, 2+i%2)
		}
		// Direct conversation and inbox.
		c, err := s.Changes(t.Context(), im.ChangesQuery{User: v.User.ID, Limit: 10, MaxBytes: 1 << 17})
		if err != nil || len(c.Conversations) != 2 {
			t.Errorf("Changes of user %d = %+v, %v, want two", i, c.Conversations, err)
		}
		if _, posts, err := s.CreateLogin(t.Context(), im.NewLogin{User: v.User.ID, Tokens: tokens()}); err != nil || len(posts) != 1 {
			t.Errorf("CreateLogin of user %d: %v, %v", i, posts, err)
		}
	}
}

func tokens() im.TokenPair {
	_, access := im.NewToken(im.AccessPrefix)
	_, refresh := im.NewToken(im.RefreshPrefix)
	return im.TokenPair{Access: access, Refresh: refresh, AccessFor: time.Hour, RefreshFor: time.Hour}
}

// BenchmarkSeed makes the users that a load test of one machine needs.
func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		s, _ := benchStore(b, 15_000)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
