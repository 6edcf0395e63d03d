package gate

import (
	"embed"
	"net/http"
	"path"
)

// The page behind an operator's password link. It reads the code from the part of
// the link that browsers keep to themselves, and posts it like any other client.
//
//go:embed reset
var resetFiles embed.FS

const resetPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// serveReset gives the page, or one of its two files.
func (g *Gate) serveReset(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if r.URL.Path == "/reset" {
		name = "page.html"
	}
	w.Header().Set("Content-Security-Policy", resetPolicy)
	http.ServeFileFS(w, r, resetFiles, "reset/"+name)
}
