package verify_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/verify"
)

// TestWords: every mail exists in both languages, as text and as a page, and what
// strangers chose (the name of a device) cannot become markup.
func TestWords(t *testing.T) {
	t.Parallel()
	evil := im.Device{Name: `<img src=x onerror="alert(1)">`, Platform: "a&b"}
	notice := func(kind im.NoticeKind) func(*verify.Service, string) error {
		return func(s *verify.Service, lang string) error {
			return s.Notify(context.Background(), im.Notice{Kind: kind, Email: "ada@example.org", Lang: lang, Device: evil, At: 1_700_000_000_000})
		}
	}
	code := func(p im.Purpose, known bool) func(*verify.Service, string) error {
		return func(s *verify.Service, lang string) error {
			r := ask(p, known)
			r.Lang = lang
			_, err := s.IssueCode(context.Background(), r)
			return err
		}
	}
	for name, c := range map[string]struct {
		send   func(*verify.Service, string) error
		en, zh string // in the subject
		holds  string // in the text
	}{
		"register":       {code(im.Register, false), "Your liao code", "验证码", ""},
		"reset":          {code(im.Reset, true), "new password", "重置密码", ""},
		"known":          {code(im.Register, true), "already have", "已经有", ""},
		"password reset": {notice(im.NoticePasswordReset), "was changed", "已更改", "2023-11-14 22:13 UTC"},
		"new device":     {notice(im.NoticeNewDevice), "New login", "新的登录", evil.Name},
	} {
		for lang, subject := range map[string]string{"en": c.en, "zh": c.zh, "fr": c.en} {
			t.Run(name+" "+lang, func(t *testing.T) {
				t.Parallel()
				b := newMailbox()
				s, _ := start(t, b)
				if err := c.send(s, lang); err != nil {
					t.Fatalf("send: %v", err)
				}
				m := <-b.got
				if !strings.Contains(m.Subject, subject) || strings.ContainsAny(m.Subject, "\r\n") {
					t.Errorf("subject: got %q, want %q in it", m.Subject, subject)
				}
				if m.To != "ada@example.org" || !strings.Contains(m.Text, c.holds) || !strings.Contains(m.HTML, "<p>") {
					t.Errorf("mail: got %+v", m)
				}
				if strings.Contains(m.HTML, "<img") || strings.Contains(m.Text+m.HTML, "{{") || strings.Contains(m.Text+m.HTML, "<no value>") {
					t.Errorf("mail: got %s", m.HTML)
				}
				if regexp.MustCompile(`(?i)https?://`).MatchString(m.Text + m.HTML) {
					t.Errorf("the mail loads or links something: %s", m.HTML)
				}
			})
		}
	}
}

func TestUnknownNotice(t *testing.T) {
	t.Parallel()
	s, _ := start(t, newMailbox())
	if err := s.Notify(t.Context(), im.Notice{Kind: "birthday", Email: "ada@example.org"}); err == nil {
		t.Error("an unknown notice: got no error")
	}
}

// TestMailServer: one request is at most one mail, whatever the server does; the
// answer to who asked never changes.
func TestMailServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(n int) error
		tries  int
		sent   int
	}{
		"takes it":              {func(int) error { return nil }, 1, 1},
		"refuses for now":       {func(n int) error { return oneOf(n <= 2, temporary{}) }, 3, 1},
		"away for longer":       {func(int) error { return temporary{} }, 8, 0}, // after 0, 2, 12, 42, 102, 162, 222, 282 s
		"refuses for good":      {func(int) error { return errors.New("550 no such mailbox") }, 1, 0},
		"hangs up after taking": {func(int) error { return errors.New("unexpected EOF") }, 1, 0},
		"is a bug":              {func(int) error { var m map[int]int; return errors.New(strings.Repeat("x", m[0]-1)) }, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newMailbox()
				b.answer = c.answer
				s, _ := start(t, b)
				if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err != nil {
					t.Fatalf("IssueCode: %v", err)
				}
				<-time.After(time.Hour)
				if n := b.count(); n != c.tries {
					t.Errorf("tries: got %d, want %d", n, c.tries)
				}
				if n := len(b.got); n != c.sent {
					t.Errorf("mails: got %d, want %d", n, c.sent)
				}
				s.Close(t.Context())
			})
		})
	}
}

func oneOf(fails bool, err error) error {
	if fails {
		return err
	}
	return nil
}

// TestFullQueue: who asks while too many mails wait is told so at once, known or not.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newMailbox()
		stuck := make(chan struct{})
		b.answer = func(int) error { <-stuck; return nil }
		s, table := start(t, b, func(o *verify.Options) { o.Workers, o.Queue = 1, 2 })
		for range 2 {
			if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err != nil {
				t.Fatalf("IssueCode: %v", err)
			}
		}
		for _, known := range []bool{true, false} {
			_, err := s.IssueCode(t.Context(), ask(im.Reset, known))
			if e := im.Explain(err); e.Code != im.Overloaded || e.RetryAfter <= 0 {
				t.Errorf("a full queue, known %t: got %v, want overloaded", known, err)
			}
		}
		if err := s.Notify(t.Context(), im.Notice{Kind: im.NoticeNewDevice, Email: "ada@example.org"}); !errors.Is(err, im.Overloaded) {
			t.Errorf("Notify: got %v, want overloaded", err)
		}
		if len(table.rows) != 2 {
			t.Errorf("%d codes stored, want the 2 whose mails will go", len(table.rows))
		}
		close(stuck)
		synctest.Wait()
		if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err != nil {
			t.Errorf("after the queue emptied: %v", err)
		}
		s.Close(t.Context())
	})
}

// TestClose: what waits is sent, what waits for another try gets its last one now, and
// who closes does not wait longer than told.
func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("flushes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := newMailbox()
			b.answer = func(n int) error { return oneOf(n == 1, temporary{}) }
			s, _ := start(t, b)
			if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the first try has failed, the next is 2 s away
			began := time.Now()
			if err := s.Close(t.Context()); err != nil || len(b.got) != 1 || time.Since(began) != 0 {
				t.Errorf("Close: got %v, %d mails, after %v", err, len(b.got), time.Since(began))
			}
			if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); !errors.Is(err, im.Overloaded) {
				t.Errorf("after Close: got %v, want overloaded", err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("Close again: %v", err)
			}
		})
	})
	t.Run("gives up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := newMailbox()
			stuck := make(chan struct{})
			b.answer = func(int) error { <-stuck; return nil }
			s, _ := start(t, b)
			if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close: got %v, want the deadline", err)
			}
			close(stuck)
		})
	})
}
