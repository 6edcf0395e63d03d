package mail

import (
	"cmp"
	"context"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/liao-im/liao/internal/fault"
)

// keep is how many mails an outbox holds if OutboxOptions say nothing.
const keep = 200

// OutboxOptions are all optional.
type OutboxOptions struct {
	Keep   int          // how many mails, the newest; 0: 200
	Logger *slog.Logger // every mail is logged whole; nil: none is
}

// Outbox keeps the newest mails in memory instead of sending them, and writes each
// into the log, codes included. It is for an installation without an SMTP server
// whose operator is the one who reads it; a restart empties it.
//
// It is an http.Handler for GET /outbox: a JSON array of {to, subject, text, atMs},
// the newest first (atMs is a string of Unix milliseconds), or a page for people if
// the Accept header prefers HTML. ?to=ADDRESS leaves only the mails to one address.
// Who may ask is decided in front of it.
type Outbox struct {
	keep int
	log  *slog.Logger
	page *template.Template

	mu    sync.Mutex
	mails []Mail // the newest last
}

// Mail is one mail in an Outbox.
type Mail struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	AtMs    int64  `json:"atMs,string"`
}

// NewOutbox returns an empty outbox.
func NewOutbox(o OutboxOptions) *Outbox {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Outbox{keep: cmp.Or(max(o.Keep, 0), keep), log: log, page: parsePage()}
}

// Send keeps the mail and writes it into the log. The HTML part is dropped.
func (o *Outbox) Send(ctx context.Context, to, subject, text, _ string) error {
	if _, err := oneAddress(to); err != nil {
		return err
	}
	if err := oneLine(subject); err != nil {
		return err
	}
	m := Mail{To: to, Subject: subject, Text: text, AtMs: fault.Now().UnixMilli()}
	o.mu.Lock()
	o.mails = append(o.mails, m)
	if n := len(o.mails) - o.keep; n > 0 {
		o.mails = slices.Delete(o.mails, 0, n)
	}
	o.mu.Unlock()
	o.log.InfoContext(ctx, "mail kept in the outbox, no smtp server is configured", "to", to, "subject", subject, "text", text)
	return nil
}

// Mails returns the kept mails to one address, or all if to is empty, the newest
// first.
func (o *Outbox) Mails(to string) []Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Mail, 0, len(o.mails))
	for _, m := range slices.Backward(o.mails) {
		if to == "" || strings.EqualFold(m.To, to) {
			out = append(out, m)
		}
	}
	return out
}

// ServeHTTP answers GET and HEAD.
func (o *Outbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Vary", "Accept")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the outbox can only be read", http.StatusMethodNotAllowed)
		return
	}
	mails := o.Mails(r.URL.Query().Get("to"))
	if prefersHTML(r.Header.Get("Accept")) {
		o.writePage(w, mails)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	_ = json.NewEncoder(w).Encode(mails) // an error here is a reader that went away
}

// prefersHTML says whether text/html stands before anything that JSON would answer.
// Browsers name it first; programs name JSON, */* or nothing.
func prefersHTML(accept string) bool {
	html, other := -1.0, -1.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, _ := strings.Cut(part, ";")
		q := 1.0
		for p := range strings.SplitSeq(params, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
				if f, err := strconv.ParseFloat(v, 64); err == nil {
					q = f
				}
			}
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/html":
			html = max(html, q)
		case "application/json":
			other = max(other, q)
		}
	}
	return html > 0 && html > other
}
