package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/liao-im/liao/internal/config"
)

// banner tells whoever started the server where everything is and what to do next.
func banner(w io.Writer, c *config.Config, d *doors) {
	var b strings.Builder
	row := func(what, where, note string) {
		if where != "" {
			fmt.Fprintf(&b, "  %-18s %-38s %s\n", what, where, note)
		}
	}
	fmt.Fprintf(&b, "\nliao %s is ready.\n\n", Version)
	row("HTTP", d.publicHTTP, "described at /v1/openapi.json")
	row("Chat, TCP", d.addrs.TCP, "")
	row("Chat, TLS", d.addrs.TLS, "")
	row("Chat, WebSocket", d.addrs.WS, "")
	row("Operator", "http://"+d.ops.Addr().String(), "/readyz, /metrics")
	row("Mails", d.outboxAtPath, "no SMTP server is configured: codes are there, and in this log")
	row("Data", c.Data, c.Store.Driver)
	gate := ""
	if d.publicHTTP != "http://127.0.0.1:8080" {
		gate = " --gate " + d.publicHTTP
	}
	fmt.Fprintf(&b, `
Next, in two other terminals:

  %[1]s talk --profile ann%[2]s
  %[1]s talk --profile ben%[2]s

and type /signup in each. Ctrl-C here stops the server.

`, program(), gate)
	_, _ = io.WriteString(w, b.String())
}

// program is how this binary was called, so that what is printed can be typed.
func program() string {
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		return os.Args[0]
	}
	return "liao"
}
