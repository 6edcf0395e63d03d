package mail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/liao-im/liao/internal/mail"
)

func get(t *testing.T, o *mail.Outbox, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return w
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := mail.NewOutbox(mail.OutboxOptions{Keep: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := get(t, o, "/outbox", "").Body.String(); strings.TrimSpace(got) != "[]" {
		t.Errorf("an empty outbox: got %q", got)
	}
	for i := range 5 {
		to := fmt.Sprintf("u%d@example.org", i%2)
		if err := o.Send(t.Context(), to, fmt.Sprintf("subject %d", i), fmt.Sprintf("code\n\n1234567%d\n", i), "<p>"); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	w := get(t, o, "/outbox", "*/*")
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type: got %q", got)
	}
	var mails []struct{ To, Subject, Text, AtMs string }
	if err := json.Unmarshal(w.Body.Bytes(), &mails); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	if len(mails) != 3 || mails[0].Subject != "subject 4" || mails[2].Subject != "subject 2" || mails[0].To != "u0@example.org" || mails[0].Text != "code\n\n12345674\n" {
		t.Errorf("mails: got %+v", mails)
	}
	if ms, err := strconv.ParseInt(mails[0].AtMs, 10, 64); err != nil || ms < 1_600_000_000_000 {
		t.Errorf("atMs: got %q", mails[0].AtMs)
	}
	if err := json.Unmarshal(get(t, o, "/outbox?to=U1@example.org", "application/json").Body.Bytes(), &mails); err != nil || len(mails) != 1 || mails[0].Subject != "subject 3" {
		t.Errorf("mails to one: got %+v, %v", mails, err)
	}
	if !strings.Contains(log.String(), "12345670") {
		t.Errorf("the log does not hold the first code: %s", log.String())
	}
}

func TestOutboxPage(t *testing.T) {
	t.Parallel()
	o := mail.NewOutbox(mail.OutboxOptions{})
	if err := o.Send(t.Context(), "ada@example.org", "<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", ""); err != nil {
		t.Fatal(err)
	}
	w := get(t, o, "/outbox", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type: got %q", got)
	}
	if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-") || strings.Contains(p, "unsafe") {
		t.Errorf("policy: got %q", p)
	}
	body := w.Body.String()
	if strings.Contains(body, "<script") || strings.Contains(body, "<img") || !strings.Contains(body, "&lt;img") || !strings.Contains(body, "ada@example.org") {
		t.Errorf("page: got %s", body)
	}
	for accept, html := range map[string]bool{
		"text/html": true, "text/html;q=0.5, application/json": false, "application/json, text/html;q=0.9": false,
		"": false, "*/*": false, "text/html;q=0": false, "text/*": false, "application/json;q=0.1, text/html;q=0.2": true,
	} {
		got := strings.HasPrefix(get(t, o, "/outbox", accept).Header().Get("Content-Type"), "text/html")
		if got != html {
			t.Errorf("Accept %q: page %t, want %t", accept, got, html)
		}
	}
}

func TestOutboxRefuses(t *testing.T) {
	t.Parallel()
	o := mail.NewOutbox(mail.OutboxOptions{})
	for _, h := range hostile() {
		if err := o.Send(t.Context(), h.to, h.subject, "text", ""); err == nil {
			t.Errorf("to %q, subject %q: got no error", h.to, h.subject)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/outbox", http.NoBody)
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}
