package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Origins are the web origins whose pages may open a WebSocket. A browser sends the origin of the page
// with the request and its user cannot change it, so this keeps a foreign page from speaking for a
// visitor. Programs that are no browsers need send none.
type Origins struct {
	allowed map[string]bool
}

// NewOrigins reads a list such as "https://chat.example.org". Scheme, host and port are what counts;
// the port may be left out where it is the scheme's own.
func NewOrigins(list []string) (Origins, error) {
	o := Origins{allowed: make(map[string]bool, len(list))}
	for _, s := range list {
		norm, ok := normOrigin(s)
		if !ok {
			return Origins{}, fmt.Errorf("%q is not an origin: scheme://host or scheme://host:port", s)
		}
		o.allowed[norm] = true
	}
	return o, nil
}

// Allows says whether r may open a WebSocket: it names no origin, or one that is on the list.
func (o Origins) Allows(r *http.Request) bool {
	sent := r.Header.Values("Origin")
	if len(sent) == 0 {
		return true
	}
	norm, ok := normOrigin(sent[0])
	return len(sent) == 1 && ok && o.allowed[norm]
}

// normOrigin gives scheme://host:port in lower case. An origin with anything more, and "null", which
// any page can make a browser send, are none.
func normOrigin(s string) (string, bool) {
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(s, "#*") {
		return "", false
	}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", false
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return "", false
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return u.Scheme + "://" + u.Hostname() + ":" + port, true
}
