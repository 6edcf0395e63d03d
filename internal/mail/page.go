package mail

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"
)

// pageStyle is allowed by its hash; the page has no script at all.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
article{border:1px solid #ccc;border-radius:6px;padding:.5rem 1rem;margin:1rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}
dt{color:#666}dl{display:grid;grid-template-columns:auto 1fr;gap:0 1rem;margin:0}dd{margin:0}`

func parsePage() *template.Template {
	return template.Must(template.New("outbox").Funcs(template.FuncMap{
		"at": func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) },
	}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Outbox</title><style>{{.Style}}</style></head><body>
<h1>Outbox</h1>
<p>No SMTP server is configured, so mails stay here, the newest first, until the next start.</p>
{{range .Mails}}<article><dl><dt>To</dt><dd>{{.To}}</dd><dt>Subject</dt><dd>{{.Subject}}</dd><dt>At</dt><dd>{{at .AtMs}}</dd></dl>
<pre>{{.Text}}</pre></article>
{{else}}<p>There is no mail.</p>
{{end}}</body></html>
`))
}

func (o *Outbox) writePage(w http.ResponseWriter, mails []Mail) {
	hash := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	// An error here is a reader that went away.
	_ = o.page.Execute(w, struct {
		Style template.CSS
		Mails []Mail
	}{pageStyle, mails})
}
