package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liao-im/liao/client"
)

func openStore(t *testing.T, dir string) *client.FileStore {
	t.Helper()
	s, err := client.OpenFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s *client.FileStore) client.Kept {
	t.Helper()
	k, err := s.Load()
	must(t, err)
	return k
}

func TestFileStoreKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ann")
	s := openStore(t, dir)
	login := client.Login{Tokens: client.Tokens{Access: "a", Refresh: "r"}, User: client.User{ID: 1 << 52, Handle: "ann"}}
	must(t, s.SaveLogin(login))
	sends := []client.Unsettled{
		{Conv: 7, Key: "key-1", Content: client.Content{Kind: "x-a", Text: "line\none", Data: []byte(`{"n":1}`)}},
		{Conv: 7, Key: "key-2", Content: client.Text("two")},
		{Conv: 8, Key: "key-1", Content: client.Text("three")},
	}
	for _, u := range sends {
		must(t, s.PutSend(u))
	}
	must(t, s.DropSend(7, "key-2"))
	must(t, s.DropSend(9, "never"))
	one := client.Held{Conversation: client.Conversation{ID: 7, Head: 3, Last: &client.Message{Seq: 3}}, Given: 2}
	two := client.Held{Conversation: client.Conversation{ID: 8, Head: 1}, Given: 1}
	must(t, s.SaveProgress(client.Progress{Epoch: "e", Cursor: "c", Changed: []client.Held{one}}))
	must(t, s.SaveProgress(client.Progress{Epoch: "e", Cursor: "d", Changed: []client.Held{two}}))
	must(t, s.Close())

	s = openStore(t, dir)
	got, err := s.LoadLogin()
	if err != nil || cmp.Diff(login, got) != "" {
		t.Errorf("login %v, error %v", cmp.Diff(login, got), err)
	}
	want := client.Kept{
		Sends:    []client.Unsettled{sends[0], sends[2]},
		Progress: client.Progress{Epoch: "e", Cursor: "d", Changed: []client.Held{one, two}},
	}
	byID := cmpopts.SortSlices(func(a, b client.Held) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, load(t, s), byID); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}

	must(t, s.SaveProgress(client.Progress{Epoch: "f", Reset: true, Changed: []client.Held{two}}))
	if k := load(t, s); len(k.Progress.Changed) != 1 || k.Progress.Epoch != "f" {
		t.Errorf("after a reset: %+v", k.Progress)
	}
	must(t, s.Forget())
	if k := load(t, s); len(k.Sends) != 0 || len(k.Progress.Changed) != 0 {
		t.Errorf("after Forget: %+v", k)
	}
	if l, err := s.LoadLogin(); err != nil || l.Access != "" {
		t.Errorf("after Forget: login %v, error %v", l.User, err)
	}
}

func TestFileStoreIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	s := openStore(t, dir)
	must(t, s.SaveLogin(client.Login{Tokens: client.Tokens{Access: "secret"}}))
	must(t, s.SaveProgress(client.Progress{}))
	must(t, s.PutSend(client.Unsettled{Conv: 1, Key: "k"}))
	if _, err := client.OpenFileStore(dir); !errors.Is(err, client.ErrInUse) {
		t.Errorf("a second opening: %v, want %v", err, client.ErrInUse)
	}
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range list {
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), info.Mode().Perm())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v (error %v), want 0700", info.Mode().Perm(), err)
	}
}

func TestFileStoreTakesATornLine(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	must(t, s.PutSend(client.Unsettled{Conv: 1, Key: "whole"}))
	must(t, s.Close())
	f, err := os.OpenFile(filepath.Join(dir, "sends.log"), os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.WriteString(`{"put":{"conv":"1","key":"to`)
	must(t, errors.Join(err, f.Close()))

	s = openStore(t, dir)
	must(t, s.PutSend(client.Unsettled{Conv: 1, Key: "next"}))
	must(t, s.Close())
	got := load(t, openStore(t, dir)).Sends
	want := []client.Unsettled{{Conv: 1, Key: "whole"}, {Conv: 1, Key: "next"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sends (-want +got):\n%s", diff)
	}
}

func TestFileStoreThatIsDamagedIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	must(t, os.WriteFile(path, []byte("{half"), 0o600))
	if s, err := client.OpenFileStore(dir); err == nil {
		_ = s.Close()
		t.Error("opened, want an error that names the file")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "{half" {
		t.Errorf("the file holds %q (error %v), want what it held", b, err)
	}
}
