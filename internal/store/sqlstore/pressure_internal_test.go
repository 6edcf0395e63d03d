package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// A reconnect storm must not queue up behind the one writer.
func TestUsedTokenNeedsNoWriter(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	u, err := s.CreateAccount(t.Context(), im.NewAccount{Email: "ann@example.org", Handle: "ann", Name: "Ann"})
	if err != nil {
		t.Fatalf("CreateAccount: %v", err)
	}
	_, access := im.NewToken(im.AccessPrefix)
	_, refresh := im.NewToken(im.RefreshPrefix)
	if _, _, err := s.CreateLogin(t.Context(), im.NewLogin{User: u.ID, Tokens: im.TokenPair{
		Access: access, Refresh: refresh, AccessFor: time.Hour, RefreshFor: time.Hour,
	}}); err != nil {
		t.Fatalf("CreateLogin: %v", err)
	}
	if _, err := s.Authenticate(t.Context(), access); err != nil { // which notes the first use
		t.Fatalf("Authenticate: %v", err)
	}
	release := hold(t, s)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if v, err := s.Authenticate(ctx, access); err != nil || v.User != u {
		t.Errorf("Authenticate while somebody writes = %v, %v", v.User, err)
	}
}

// A full disk refuses, breaks nothing, and heals once there is room.
func TestFullDisk(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writes.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatalf("limit the file to %d pages: %v", pages, err)
		}
	}
	limit(100)
	var err error
	kept := 0
	for ; err == nil && kept < 1000; kept++ {
		err = s.write(t.Context(), "fill", setMeta(fmt.Sprintf("m%d", kept), strings.Repeat("x", 4000)))
	}
	if !errors.Is(err, im.Unavailable) {
		t.Fatalf("write %d to a full disk: %v, want unavailable", kept, err)
	}
	kept--
	if hasMeta(t, s, fmt.Sprintf("m%d", kept)) || !hasMeta(t, s, fmt.Sprintf("m%d", kept-1)) {
		t.Error("what was acknowledged is not what is there")
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping with a full disk, which can still be read: %v", err)
	}
	limit(1000)
	if err := s.write(t.Context(), "fill", setMeta("after", strings.Repeat("x", 4000))); err != nil {
		t.Errorf("a write once there is room: %v", err)
	}
}
