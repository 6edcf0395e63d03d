package liaotest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Object is a JSON object.
type Object = map[string]any

// Answer is what the gate answered.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	Body   Object // nil if the answer is no JSON object
}

// String returns the text at a path such as "user.id", or "" if there is none.
func (a Answer) String(path string) string { return Text(a.Body, path) }

// Text walks an object by a path such as "user.id" and returns the text there, or
// "" if there is none.
func Text(o Object, path string) string {
	var v any = o
	for step := range strings.SplitSeq(path, ".") {
		m, ok := v.(Object)
		if !ok {
			return ""
		}
		v = m[step]
	}
	s, _ := v.(string)
	return s
}

// Call sends a request to the gate: body nil for none, []byte as it is, anything
// else as JSON; token "" for none.
func (s *Server) Call(method, path, token string, body any) Answer {
	s.tb.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	a, err := Do(s.tb.Context(), method, s.Gate+path, header, body)
	if err != nil {
		s.tb.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Do sends one HTTP request.
func Do(ctx context.Context, method, url string, header http.Header, body any) (Answer, error) {
	var r io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return Answer{}, err
		}
		r = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return Answer{}, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	_ = json.Unmarshal(raw, &a.Body)
	return a, nil
}

// Want ends the test unless the answer has this status.
func (a Answer) Want(tb testing.TB, status int) Answer {
	tb.Helper()
	if a.Status != status {
		tb.Fatalf("answer %d %s, want %d", a.Status, a.Raw, status)
	}
	return a
}

// Refused ends the test unless the answer is a problem document with this status
// and code.
func (a Answer) Refused(tb testing.TB, status int, code string) Answer {
	tb.Helper()
	a.Want(tb, status)
	if got := a.String("code"); got != code || a.Header.Get("Content-Type") != "application/problem+json" {
		tb.Fatalf("answer %s %s, want a problem document with code %q", a.Header.Get("Content-Type"), a.Raw, code)
	}
	return a
}

// Mail is one mail of the operator's outbox.
type Mail struct {
	To, Subject, Text, AtMs string
}

// Mails returns the mails to an address, newest first.
func (s *Server) Mails(to string) []Mail {
	s.tb.Helper()
	a, err := Do(s.tb.Context(), http.MethodGet, s.Ops+"/outbox", nil, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	var all, mine []Mail
	if err := json.Unmarshal(a.Raw, &all); err != nil {
		s.tb.Fatalf("outbox: %v in %s", err, a.Raw)
	}
	for _, m := range all {
		if m.To == to {
			mine = append(mine, m)
		}
	}
	return mine
}

var eightDigits = regexp.MustCompile(`\b\d{8}\b`)

// RequestCode asks for a code and returns the request and the code that was mailed.
func (s *Server) RequestCode(email, purpose string) (request, code string) {
	s.tb.Helper()
	before := len(s.Mails(email))
	a := s.Call(http.MethodPost, "/v1/codes", "", Object{"email": email, "purpose": purpose}).Want(s.tb, http.StatusAccepted)
	Until(s.tb, "the mail with the code for "+email, func() bool { return len(s.Mails(email)) > before })
	return a.String("request"), eightDigits.FindString(s.Mails(email)[0].Text)
}

// pause is for a test that shows that nothing comes.
const pause = 300 * time.Millisecond
