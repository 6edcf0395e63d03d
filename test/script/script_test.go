package script_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liao-im/liao/test/liaotest"
)

type serverKey struct{}

// holder carries a script's server between its commands.
type holder struct {
	tb testing.TB
	s  *liaotest.Server
}

func TestScripts(t *testing.T) {
	bin := liaotest.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			tb, ok := env.T().(testing.TB)
			if !ok {
				return fmt.Errorf("%T is no testing.TB", env.T())
			}
			env.Values[serverKey{}] = &holder{tb: tb}
			dir := filepath.Join(env.WorkDir, ".bin")
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			if err := os.Symlink(bin, filepath.Join(dir, "liao")); err != nil {
				return err
			}
			env.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "stop": stop, "kill": kill, "code": code, "http": askGate, "ops": askOps, "signup": signUp,
		},
	})
}

func held(ts *testscript.TestScript) *holder { return ts.Value(serverKey{}).(*holder) }

func running(ts *testscript.TestScript) *liaotest.Server {
	h := held(ts)
	if h.s == nil {
		ts.Fatalf("no server: say serve first")
	}
	return h.s
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use: ! exec liao serve")
	}
	h := held(ts)
	if h.s == nil {
		h.s = liaotest.New(h.tb, liaotest.Options{Data: ts.Getenv("DATA")})
	}
	h.s.Args = args
	h.s.Run()
	h.s.WaitReady()
	ts.Setenv("GATE", h.s.Gate)
	ts.Setenv("CHAT", h.s.Chat)
	ts.Setenv("OPS", h.s.Ops)
}

func stop(ts *testscript.TestScript, _ bool, _ []string) {
	s := running(ts)
	if code, took := s.Stop(); code != 0 || took > 10*time.Second {
		ts.Fatalf("exit %d after %v, want 0 within 10 s\n%s", code, took, s.Log())
	}
}

func kill(ts *testscript.TestScript, _ bool, _ []string) { running(ts).Kill() }

var eightDigits = regexp.MustCompile(`\b\d{8}\b`)

func code(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: code EMAIL VAR")
	}
	s, found := running(ts), ""
	liaotest.Until(held(ts).tb, "a code for "+args[0], func() bool {
		for _, m := range s.Mails(args[0]) {
			if found = eightDigits.FindString(m.Text); found != "" {
				return true
			}
		}
		return false
	})
	ts.Setenv(args[1], found)
}

func askGate(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [BODY]")
	}
	var body any
	if len(args) > 2 {
		body = []byte(args[2])
	}
	show(ts, neg, args[0], running(ts).Gate+args[1], body)
}

func askOps(ts *testscript.TestScript, neg bool, args []string) {
	show(ts, neg, http.MethodGet, running(ts).Ops+args[0], nil)
}

// show writes an answer to the script's stdout. With neg it must be a refusal.
func show(ts *testscript.TestScript, neg bool, method, url string, body any) {
	a, err := liaotest.Do(context.Background(), method, url, nil, body)
	if err != nil {
		ts.Fatalf("%s %s: %v", method, url, err)
	}
	_, _ = fmt.Fprintf(ts.Stdout(), "%d\n%s\n", a.Status, a.Raw)
	if neg != (a.Status >= 400) {
		ts.Fatalf("%s %s: %d %s", method, url, a.Status, a.Raw)
	}
}

func signUp(ts *testscript.TestScript, _ bool, args []string) {
	p := running(ts).SignUp(args[0])
	ts.Setenv("ID_"+args[0], p.ID)
}
