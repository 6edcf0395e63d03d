package talk_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/imtest"
	"github.com/liao-im/liao/internal/talk"
)

// output is what a talk printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// until waits until the output has all these, in this order.
func (o *output) until(t *testing.T, parts ...string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !has(o.String(), parts...) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the output does not come to %q:\n%s", parts, o)
		}
	}
}

func has(text string, parts ...string) bool {
	for _, p := range parts {
		_, after, ok := strings.Cut(text, p)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// place is where the profiles of a test are, and the server that they talk with.
type place struct {
	t    *testing.T
	gate string
	dir  string
}

func newPlace(t *testing.T, gate string) place {
	t.Helper()
	return place{t: t, gate: gate, dir: t.TempDir()}
}

func (p place) options(profile string, in io.Reader, out io.Writer, flags ...string) talk.Options {
	return talk.Options{
		Args: append([]string{"--gate", p.gate, "--profile", profile}, flags...),
		In:   in, Out: out, Err: out,
		Environ: []string{"XDG_CONFIG_HOME=" + p.dir, "LIAO_TALK_PASSWORD=" + imtest.Password, "LANG=zh_CN.UTF-8"},
	}
}

// play runs a script to its end.
func (p place) play(profile, script string, flags ...string) (out string, code int) {
	p.t.Helper()
	o := &output{}
	code = talk.Run(p.t.Context(), p.options(profile, strings.NewReader(script), o, flags...))
	return o.String(), code
}

// must runs a script that must not fail, and whose output must have all of want, in this order.
func (p place) must(profile, script string, want ...string) {
	p.t.Helper()
	out, code := p.play(profile, script)
	if code != 0 || !has(out, want...) {
		p.t.Errorf("%s's script ended with %d; want 0 and %q in:\n%s", profile, code, want, out)
	}
}

func (p place) signUp(handles ...string) {
	p.t.Helper()
	for _, h := range handles {
		p.must(h, "/signup "+h+"@example.org "+h+" "+strings.ToUpper(h)+" Name\noutbox\n",
			"note a code is on its way", "me @"+h, "connected @"+h, "ready", "ok /signup")
	}
}

func TestTwoStrangersBecomeFriendsAndTalk(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{}).Gate)
	p.signUp("ann", "ben")
	var both sync.WaitGroup
	both.Go(func() {
		p.must("ann", `# the one who is asked
/wait request @ben hello there
/requests
/expect request @ben hello
/accept @ben
/friends
/expect contact @ben BEN Name
/wait message @ben first
@ben and back
/wait message @ben second`, "ok /accept", "contact @ben", "sent @ben 4: and back", "ok /wait")
	})
	both.Go(func() {
		p.must("ben", `/find ann
/expect user @ann ANN Name
/add @ann hello there
/wait friend @ann 15s
/open @ann
first
/wait message @ann and back 15s
second
/history
/expect entry @ben 1: hello there
/expect entry server 2:
/expect entry @ann 4: and back
/expect entry @ben 5: second
/quit
this is not run`, "friend @ann", "sent @ann 3: first", "message @ann 4: and back", "sent @ann 5: second")
	})
	both.Wait()
}

func TestWhatWasMissed(t *testing.T) {
	s := imtest.Start(t, imtest.Options{})
	p := newPlace(t, s.Gate)
	p.signUp("ann", "ben")
	p.must("ben", "/add @ann hi")
	p.must("ann", "/accept @ben\n@ben seen?")
	p.must("ben", "/open @ann\n/read")
	// ann is away now.
	p.must("ben", "@ann one\n@ann two\\nlines\n@ann three")
	s.Restart(t) // and so was the server
	p.must("ann", "/wait message @ben three\n/unread\n/expect entry @ben 5: two\n/open @ben\n/unread\n/expect nothing is unread",
		"unread @ben 3", "entry @ben 4: one", "note nothing is unread")
	// What was given once is not given again.
	out, code := p.play("ann", "/sleep 300ms")
	if code != 0 || strings.Contains(out, "message") {
		t.Errorf("the next start ended with %d and said:\n%s", code, out)
	}
}

func TestRefusals(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{}).Gate)
	p.signUp("ann", "ben", "eve")
	tests := []struct{ name, profile, script, want string }{
		{"no login", "new", "!not_logged_in /friends", "ok /friends failed as it should: not_logged_in"},
		{"no such account", "new", "!unauthenticated /login nobody", "ok /login failed as it should"},
		{"a handle that is taken", "new", "!already_exists /signup x@example.org ann A\noutbox", "ok /signup failed as it should"},
		{"a wrong code", "new", "!forbidden /signup y@example.org yy1 Y\n00000000", "ok /signup failed as it should"},
		{"no such command", "ann", "!usage /dance", "ok /dance failed as it should"},
		{"a stranger", "ann", "!not_friend @eve hi", "ok /say failed as it should"},
		{"nobody of that name", "ann", "!not_found /add @zed", "ok /add failed as it should"},
		{"nothing open", "ann", "!not_open hello", "ok /say failed as it should"},
		{"oneself", "ann", "!invalid /add @ann", "ok /add failed as it should"},
		{"nothing to wait for", "ann", "!timeout /wait message never 100ms", "ok /wait failed as it should"},
		{"an expectation", "ann", "/me\n!unexpected /expect me @ben", "ok /expect failed as it should"},
		{"logged in already", "ann", "!logged_in /login ben\n!logged_in /signup a@b.example cc1 C", "ok /signup failed as it should"},
		{"no such device", "ann", "!not_found /revoke 9", "ok /revoke failed as it should"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := p
			p.t = t
			p.must(tt.profile, tt.script, tt.want)
		})
	}
}

func TestBlockedFriend(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{}).Gate)
	p.signUp("ann", "ben")
	p.must("ben", "/add @ann")
	p.must("ann", "/accept @ben\n/remark @ben Benny\n/friends\n/expect contact @ben (Benny)\n/block @ben\n/friends\n/expect blocked @ben")
	p.must("ben", "!forbidden @ann are you there?")
	p.must("ann", "/unblock @ben\n/remark @ben\n/remove @ben\n/friends\n/expect no friends yet")
	p.must("ben", "!forbidden @ann and now?")
}

func TestDevicesAndPasswords(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{}).Gate)
	p.signUp("ann")
	phone := &output{}
	in, hold := io.Pipe()
	var code int
	over := make(chan struct{})
	go func() {
		defer close(over)
		code = talk.Run(t.Context(), p.options("phone", in, phone))
	}()
	say := func(line string) {
		if _, err := io.WriteString(hold, line+"\n"); err != nil {
			t.Error(err)
		}
	}
	say("/login ann")
	phone.until(t, "connected @ann", "ok /login")
	p.must("ann", "/devices\n/expect device 2\n/revoke 1", "login New login")
	phone.until(t, "ended unauthorized")
	say("!not_logged_in /friends")
	say("/quit")
	<-over
	if code != 0 {
		t.Errorf("the phone's talk ended with %d:\n%s", code, phone)
	}
	p.must("ann", "/me name Ann Other\n/expect Ann Other\n/me bio likes tea\n/expect likes tea\n/logout\n/status\n/expect not logged in\n!not_logged_in /me")
	p.must("ann", "/status\n/expect not logged in\n/login @ann", "connected @ann")
	p.must("ann", "/status\n/expect @ann connected")

	o := p.options("ann", strings.NewReader("/passwd\nanother good password"), phone)
	if code := talk.Run(t.Context(), o); code != 0 || !has(phone.String(), "ask new password", "ok /passwd") {
		t.Errorf("/passwd ended with %d:\n%s", code, phone)
	}
	p.must("tablet", "!unauthenticated /login ann")
}

func TestForgottenPassword(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{Args: []string{"--limits.codes_per_minute_email", "0"}}).Gate)
	p.signUp("ann")
	out, code := p.play("new", "/forgot ann@example.org\nthe new password here\noutbox")
	if code != 0 || !has(out, "ask new password", "ask code", "ok /forgot") {
		t.Fatalf("/forgot ended with %d:\n%s", code, out)
	}
	p.must("new", "!unauthenticated /login ann")
	o := p.options("new", strings.NewReader("/login ann"), &output{})
	o.Environ = append(o.Environ, "LIAO_TALK_PASSWORD=the new password here")
	if code := talk.Run(t.Context(), o); code != 0 {
		t.Errorf("login with the new password ended with %d:\n%s", code, o.Out)
	}
	out, _ = p.play("ann", "/sleep 200ms")
	if !has(out, "ended unauthorized") {
		t.Errorf("the login of before is still good:\n%s", out)
	}
}

func TestExitCodes(t *testing.T) {
	p := newPlace(t, "http://127.0.0.1:1") // nobody is there
	tests := []struct {
		name   string
		script string
		flags  []string
		code   int
		want   []string
	}{
		{"nothing to do", "", nil, 0, nil},
		{"the first failure ends it", "/friends\n/status", nil, 1, []string{"error /friends: not_logged_in:"}},
		{"unless told otherwise", "/friends\n/status", []string{"--keep-going"}, 1, []string{"error /friends", "ok /status"}},
		{"no server", "/login ann", nil, 1, []string{"error /login: unavailable: the gate cannot be reached"}},
		{"one command", "", []string{"/status"}, 0, []string{"status not logged in", "ok /status"}},
		{"help", "", []string{"--help"}, 0, []string{"Usage: liao talk", "/signup EMAIL HANDLE NAME"}},
		{"an unknown flag", "", []string{"--loud"}, 2, []string{"liao talk:", "--help"}},
		{"a profile outside its directory", "", []string{"--profile", "../x"}, 2, []string{"a profile's name"}},
		{"a gate that is none", "", []string{"--gate", "ftp://x"}, 1, []string{"the gate's address"}},
		{"comments and empty lines", "\n# no command\n\n/status", nil, 0, []string{"ok /status"}},
		{"a success that should fail", "! /status", nil, 1, []string{"error /status: unexpected:"}},
		{"the wrong failure", "!forbidden /friends", nil, 1, []string{"error /friends: unexpected:", "not_logged_in"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, code := p.play("x", tt.script, tt.flags...)
			if code != tt.code || !has(out, tt.want...) {
				t.Errorf("ended with %d, want %d and %q in:\n%s", code, tt.code, tt.want, out)
			}
		})
	}
}

func TestProfileIsPrivateAndForOne(t *testing.T) {
	p := newPlace(t, imtest.Start(t, imtest.Options{}).Gate)
	p.signUp("ann")
	err := filepath.Walk(filepath.Join(p.dir, "liao", "ann"), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v; nobody else may read it", path, info.Mode().Perm())
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(imtest.Password)) {
			t.Errorf("%s holds the password", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	in, hold := io.Pipe()
	out := &output{}
	over := make(chan struct{})
	go func() {
		defer close(over)
		talk.Run(t.Context(), p.options("ann", in, out))
	}()
	out.until(t, "ready")
	second, code := p.play("ann", "/status")
	if code != 1 || !has(second, "is open in another liao talk") {
		t.Errorf("a second talk ended with %d:\n%s", code, second)
	}
	_ = hold.Close()
	<-over
}
