package talk_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/liao-im/liao/client"
	"github.com/liao-im/liao/internal/imtest"
	"github.com/liao-im/liao/internal/talk"
)

// openPTY makes a terminal: who holds keys types on it and sees its screen.
func openPTY(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 160}); err != nil {
		t.Fatal(err)
	}
	return keys, tty
}

// person is somebody at a terminal.
type person struct {
	t      *testing.T
	keys   *os.File
	screen *output
	left   chan int // the exit code
}

func sitDown(t *testing.T, p place, profile string) *person {
	t.Helper()
	keys, tty := openPTY(t)
	a := &person{t: t, keys: keys, screen: &output{}, left: make(chan int, 1)}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			if err != nil {
				return
			}
			_, _ = a.screen.Write(b[:n])
		}
	}()
	o := p.options(profile, tty, tty)
	o.Environ = []string{"XDG_CONFIG_HOME=" + p.dir, "LANG=C"} // no password: it is typed
	go func() { a.left <- talk.Run(t.Context(), o) }()
	return a
}

func (a *person) types(keys string, sees ...string) {
	a.t.Helper()
	if _, err := a.keys.WriteString(keys); err != nil {
		a.t.Fatal(err)
	}
	a.screen.until(a.t, sees...)
}

func TestAPersonAtATerminal(t *testing.T) {
	s := imtest.Start(t, imtest.Options{})
	p := newPlace(t, s.Gate)
	ben := s.Connect(t, s.SignUp(t, "ben"), client.Options{})

	ann := sitDown(t, p, "ann")
	ann.screen.until(t, "Welcome.", "/signup", "liao> ")
	ann.types("/signup\r", "your e-mail address: ")
	ann.types("ann@example.org\r", "a handle")
	ann.types("Ann!\r", "a handle has 3 to 32", "a handle")
	ann.types("ann\r", "your name")
	ann.types("Ann Archer\r", "a code is on its way", "new password: ")
	ann.types(imtest.Password+"\r", "code from the e-mail")
	ann.types(s.Code(t, "ann@example.org")+"\r", "connected as @ann", "@ann> ")
	if strings.Contains(ann.screen.String(), imtest.Password) {
		t.Error("the password was shown on the screen")
	}

	found, err := ben.FindUsers(t.Context(), "ann")
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, error %v", found, err)
	}
	if err := ben.RequestFriend(t.Context(), found[0].ID, "hello", ""); err != nil {
		t.Fatal(err)
	}
	ann.screen.until(t, "friend request from @ben: hello  (/accept or /refuse)")
	ann.types("/acc\t@b\t\r", "you and @ben are friends now")
	ann.types("/open @ben\r", "@ben> ")

	// What comes in does not break what is being typed.
	ann.types("half a sen", "half a sen")
	conv := ben.Conversations()
	for len(conv) == 0 || conv[0].Kind != client.Direct {
		<-ben.Events()
		conv = ben.Conversations()
	}
	if _, err := ben.Send(t.Context(), conv[0].ID, client.Text("interrupting\nyou")); err != nil {
		t.Fatal(err)
	}
	ann.screen.until(t, "@ben: interrupting\r\n        you\r\n", "@ben> half a sen")
	ann.types("tence\r")
	for e := range ben.Events() {
		if a, ok := e.(client.Arrived); ok && a.From == found[0].ID && a.Seq > 2 {
			if a.Content.Text != "half a sentence" {
				t.Errorf("ben got %q, want the whole sentence", a.Content.Text)
			}
			break
		}
	}

	// What is typed while the server is away is sent when it is back.
	s.Stop(t)
	ann.screen.until(t, "the connection is down")
	ann.types("are you there?\r", "not connected: it will be sent")
	s.Restart(t)
	for e := range ben.Events() {
		if a, ok := e.(client.Arrived); ok && a.Content.Text == "are you there?" {
			break
		}
	}
	ann.types("/quit\r")
	if code := <-ann.left; code != 0 {
		t.Errorf("left with %d, want 0", code)
	}
}
