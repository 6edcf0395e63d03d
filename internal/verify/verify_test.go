package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/verify"
)

// codeTable keeps codes for one test, counting as a store must.
type codeTable struct {
	mu     sync.Mutex
	broken error
	rows   map[string]*codeRow
}

type codeRow struct {
	im.NewCode
	tries int
	used  bool
	until time.Time
}

func (c *codeTable) AddCode(_ context.Context, n im.NewCode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	if c.rows == nil {
		c.rows = make(map[string]*codeRow)
	}
	c.rows[n.Request] = &codeRow{NewCode: n, until: time.Now().Add(n.Expires)}
	return nil
}

func (c *codeTable) TakeCodeTry(_ context.Context, request string, limit int) (im.StoredCode, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return im.StoredCode{}, c.broken
	}
	r := c.rows[request]
	if r == nil || r.used || r.tries >= limit || time.Now().After(r.until) {
		return im.StoredCode{}, im.Fail(im.Forbidden, "a text of the store's own")
	}
	r.tries++
	return im.StoredCode{Purpose: r.Purpose, Email: r.Email, MAC: r.MAC}, nil
}

func (c *codeTable) UseCode(_ context.Context, request string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.rows[request].used
	c.rows[request].used = true
	return first, nil
}

func (c *codeTable) ReturnCode(_ context.Context, request string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[request].used = false
	c.rows[request].tries--
	return nil
}

// mail is one that was sent.
type mail struct{ To, Subject, Text, HTML string }

// mailbox takes mails, or fails with what answer returns for the nth try.
type mailbox struct {
	answer func(n int) error
	got    chan mail

	mu    sync.Mutex
	tries int
}

func newMailbox() *mailbox { return &mailbox{got: make(chan mail, 100)} }

func (b *mailbox) Send(_ context.Context, to, subject, text, html string) error {
	b.mu.Lock()
	b.tries++
	n := b.tries
	b.mu.Unlock()
	if b.answer != nil {
		if err := b.answer(n); err != nil {
			return err
		}
	}
	b.got <- mail{to, subject, text, html}
	return nil
}

func (b *mailbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries
}

// temporary is an error after which a mail was surely not taken.
type temporary struct{}

func (temporary) Error() string   { return "451 come back" }
func (temporary) Temporary() bool { return true }

var testKey = []byte("0123456789abcdef0123456789abcdef")

func start(t *testing.T, b *mailbox, change ...func(*verify.Options)) (*verify.Service, *codeTable) {
	t.Helper()
	table := &codeTable{}
	o := verify.Options{Codes: table, Mailer: b, Key: testKey}
	for _, f := range change {
		f(&o)
	}
	s, err := verify.New(o)
	if err != nil {
		t.Fatalf("verify.New: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, table
}

func ask(purpose im.Purpose, known bool) im.CodeRequest {
	return im.CodeRequest{Purpose: purpose, Email: "ada@example.org", Known: known, IP: "192.0.2.1", Lang: "en"}
}

// codeIn finds the code as scripts do: alone on its line, and as a word in JSON.
func codeIn(t *testing.T, m mail) string {
	t.Helper()
	alone := regexp.MustCompile(`(?m)^ *(\d{8})$`).FindAllStringSubmatch(m.Text, -1)
	raw, err := json.Marshal(m.Text)
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`\b\d{8}\b`).FindAllString(string(raw), -1)
	if len(alone) != 1 || len(words) != 1 || alone[0][1] != words[0] {
		t.Fatalf("codes: %v alone on a line, %v as words, in %s", alone, words, raw)
	}
	return words[0]
}

func TestCode(t *testing.T) {
	t.Parallel()
	for _, purpose := range []im.Purpose{im.Register, im.Reset} {
		t.Run(string(purpose), func(t *testing.T) {
			t.Parallel()
			b := newMailbox()
			s, table := start(t, b)
			got, err := s.IssueCode(t.Context(), ask(purpose, purpose == im.Reset))
			if err != nil {
				t.Fatalf("IssueCode: %v", err)
			}
			if got.Expires != 5*time.Minute || got.Resend != time.Minute || got.Request == "" {
				t.Errorf("IssueCode: got %+v", got)
			}
			code := codeIn(t, <-b.got)
			if strings.Contains(fmt.Sprintf("%+v", table.rows[got.Request].NewCode), code) {
				t.Error("the store was given the code itself")
			}
			right := im.CodeCheck{Request: got.Request, Purpose: purpose, Email: "ada@example.org", Code: code}
			other := map[im.Purpose]im.Purpose{im.Register: im.Reset, im.Reset: im.Register}[purpose]
			texts := make(map[string]bool)
			for name, wrong := range map[string]im.CodeCheck{
				"code":    {Request: got.Request, Purpose: purpose, Email: right.Email, Code: "x" + code[1:]},
				"purpose": {Request: got.Request, Purpose: other, Email: right.Email, Code: code},
				"address": {Request: got.Request, Purpose: purpose, Email: "eve@example.org", Code: code},
				"request": {Request: strings.Repeat("0", 32), Purpose: purpose, Email: right.Email, Code: code},
			} {
				err := s.CheckCode(t.Context(), wrong)
				if !errors.Is(err, im.Forbidden) {
					t.Errorf("another %s: got %v, want forbidden", name, err)
				}
				texts[err.Error()] = true
			}
			if err := s.CheckCode(t.Context(), right); err != nil {
				t.Fatalf("the right code: %v", err)
			}
			err = s.CheckCode(t.Context(), right)
			if !errors.Is(err, im.Forbidden) {
				t.Errorf("the right code again: got %v, want forbidden", err)
			}
			texts[err.Error()] = true
			if len(texts) != 1 {
				t.Errorf("refusals have different texts: %v", texts)
			}
			if err := s.ReturnCode(t.Context(), got.Request); err != nil {
				t.Fatalf("ReturnCode: %v", err)
			}
			if err := s.CheckCode(t.Context(), right); err != nil {
				t.Errorf("a returned code: %v", err)
			}
		})
	}
}

func TestFiveTries(t *testing.T) {
	t.Parallel()
	b := newMailbox()
	s, _ := start(t, b)
	got, err := s.IssueCode(t.Context(), ask(im.Register, false))
	if err != nil {
		t.Fatal(err)
	}
	code := codeIn(t, <-b.got)
	check := im.CodeCheck{Request: got.Request, Purpose: im.Register, Email: "ada@example.org"}
	for _, guess := range []string{"666666", "123456", "000000", "", "12345678901234567890"} {
		check.Code = guess
		if err := s.CheckCode(t.Context(), check); !errors.Is(err, im.Forbidden) {
			t.Errorf("guess %q: got %v", guess, err)
		}
	}
	check.Code = code
	if err := s.CheckCode(t.Context(), check); !errors.Is(err, im.Forbidden) {
		t.Errorf("the right code after five tries: got %v, want forbidden", err)
	}
}

// TestOneOfMany: of a hundred who bring the same code at once, one may use it.
func TestOneOfMany(t *testing.T) {
	t.Parallel()
	b := newMailbox()
	s, _ := start(t, b, func(o *verify.Options) { o.Tries = 1000 })
	got, err := s.IssueCode(t.Context(), ask(im.Register, false))
	if err != nil {
		t.Fatal(err)
	}
	check := im.CodeCheck{Request: got.Request, Purpose: im.Register, Email: "ada@example.org", Code: codeIn(t, <-b.got)}
	var wg sync.WaitGroup
	won := make(chan bool, 100)
	for range 100 {
		wg.Go(func() {
			if s.CheckCode(t.Context(), check) == nil {
				won <- true
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d used the code, want 1", len(won))
	}
}

// TestNothingTells: who asks learns nothing from the answer; only the owner of the
// address learns from the mail, and no code works that was not mailed.
func TestNothingTells(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		purpose im.Purpose
		known   bool
		subject string // of the mail; empty: none is sent
		code    bool
	}{
		"register, new":   {im.Register, false, "Your liao code", true},
		"register, known": {im.Register, true, "You already have a liao account", false},
		"reset, known":    {im.Reset, true, "Your liao code to set a new password", true},
		"reset, unknown":  {im.Reset, false, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newMailbox()
			s, table := start(t, b)
			got, err := s.IssueCode(t.Context(), ask(c.purpose, c.known))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(im.CodeIssued{Request: got.Request, Expires: 5 * time.Minute, Resend: time.Minute}, got); diff != "" || len(got.Request) != 32 {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if len(table.rows) != 1 {
				t.Errorf("%d rows stored, want 1", len(table.rows))
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatalf("Close: %v", err)
			}
			close(b.got)
			m, sent := <-b.got
			if sent != (c.subject != "") || m.Subject != c.subject {
				t.Errorf("mail: got %q (%t), want %q", m.Subject, sent, c.subject)
			}
			if has := regexp.MustCompile(`\b\d{8}\b`).MatchString(m.Text); has != c.code {
				t.Errorf("code in the mail: %t, want %t", has, c.code)
			}
		})
	}
}

// TestOperatorCode: what an operator hands over works as a mailed code does, once.
func TestOperatorCode(t *testing.T) {
	t.Parallel()
	s, table := start(t, newMailbox())
	request, code, err := verify.OperatorCode(t.Context(), table, testKey, "ada@example.org", time.Hour)
	if err != nil {
		t.Fatalf("OperatorCode: %v", err)
	}
	check := im.CodeCheck{Request: request, Purpose: im.Reset, Email: "ada@example.org", Code: code}
	if err := s.CheckCode(t.Context(), check); err != nil {
		t.Errorf("the code: %v", err)
	}
	if err := s.CheckCode(t.Context(), check); !errors.Is(err, im.Forbidden) {
		t.Errorf("the code again: got %v, want forbidden", err)
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	s, _ := start(t, newMailbox(), func(o *verify.Options) { o.Limits.EmailMinute = 4 })
	got, err := s.IssueCode(t.Context(), ask(im.Register, false))
	if err != nil || got.Resend != 15*time.Second {
		t.Errorf("with 4 mails a minute: got %v, %v; want 15 s", got.Resend, err)
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	b := newMailbox()
	s, table := start(t, b)
	for name, r := range map[string]im.CodeRequest{
		"purpose": {Purpose: "login", Email: "ada@example.org"},
		"address": {Purpose: im.Register, Email: "ada@example.org\r\nBcc: eve@example.org"},
	} {
		if _, err := s.IssueCode(t.Context(), r); !errors.Is(err, im.Invalid) {
			t.Errorf("bad %s: got %v, want invalid", name, err)
		}
	}
	table.broken = im.FailAfter(im.RateLimited, "slow down", time.Minute)
	_, err := s.IssueCode(t.Context(), ask(im.Register, false))
	if e := im.Explain(err); e.Code != im.RateLimited || e.RetryAfter != time.Minute {
		t.Errorf("over a limit: got %v", err)
	}
	table.broken = errors.New("disk on fire")
	if _, err := s.IssueCode(t.Context(), ask(im.Register, false)); err == nil {
		t.Error("a store that fails: got no error")
	}
	err = s.CheckCode(t.Context(), im.CodeCheck{Request: "x", Purpose: im.Register, Code: "1"})
	if err == nil || errors.Is(err, im.Forbidden) {
		t.Errorf("a check while the store fails: got %v, want an inner error", err)
	}
	if n := b.count(); n != 0 {
		t.Errorf("%d mails sent", n)
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newMailbox()
		s, _ := start(t, b)
		got, err := s.IssueCode(t.Context(), ask(im.Register, false))
		if err != nil {
			t.Fatal(err)
		}
		code := codeIn(t, <-b.got)
		<-time.After(5*time.Minute + time.Second)
		if err := s.CheckCode(t.Context(), im.CodeCheck{Request: got.Request, Purpose: im.Register, Email: "ada@example.org", Code: code}); !errors.Is(err, im.Forbidden) {
			t.Errorf("after five minutes: got %v, want forbidden", err)
		}
		s.Close(t.Context())
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := verify.Options{Codes: &codeTable{}, Mailer: newMailbox(), Key: testKey}
	for name, change := range map[string]func(*verify.Options){
		"no store": func(o *verify.Options) { o.Codes = nil }, "no mailer": func(o *verify.Options) { o.Mailer = nil },
		"short key": func(o *verify.Options) { o.Key = []byte("changeme") }, "language": func(o *verify.Options) { o.Lang = "tlh" },
	} {
		o := good
		change(&o)
		if _, err := verify.New(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestNoSecretsInLogs: not a digit of a code is logged, sent or lost.
func TestNoSecretsInLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := newMailbox()
	s, _ := start(t, b, func(o *verify.Options) { o.Logger, o.Audit = log, log })
	got, err := s.IssueCode(t.Context(), ask(im.Register, false))
	if err != nil {
		t.Fatal(err)
	}
	code := codeIn(t, <-b.got)
	check := im.CodeCheck{Request: got.Request, Purpose: im.Register, Email: "ada@example.org", Code: code}
	s.CheckCode(t.Context(), im.CodeCheck{Request: got.Request, Purpose: im.Register, Email: "eve@example.org", Code: code})
	s.CheckCode(t.Context(), check)
	s.CheckCode(t.Context(), check)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), code) {
		t.Errorf("the log holds the code %s:\n%s", code, out.String())
	}
	for _, event := range []string{"code issued", "code used", "code refused"} {
		if !strings.Contains(out.String(), event) {
			t.Errorf("the audit log holds no %q:\n%s", event, out.String())
		}
	}
}
