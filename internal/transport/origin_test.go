package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/transport"
)

func TestHandshake(t *testing.T) {
	origins, err := transport.NewOrigins([]string{"https://app.example.com", "http://127.0.0.1:8080"})
	if err != nil {
		t.Fatal(err)
	}
	url := webServer(t, transport.WebSocketOptions{
		Handle:  func(_ context.Context, c transport.Conn) { _ = c.Close(time.Second) },
		Origins: origins,
	})
	own := strings.Replace(url, "ws", "http", 1)
	tests := []struct {
		name   string
		header http.Header
		status int
	}{
		{"no origin", http.Header{}, 101},
		{"ours", http.Header{"Origin": {"https://app.example.com"}}, 101},
		{"ours with its port", http.Header{"Origin": {"https://app.example.com:443"}}, 101},
		{"ours in capitals", http.Header{"Origin": {"HTTPS://App.Example.com"}}, 101},
		{"the other", http.Header{"Origin": {"http://127.0.0.1:8080"}}, 101},
		{"another scheme", http.Header{"Origin": {"http://app.example.com"}}, 403},
		{"another port", http.Header{"Origin": {"https://app.example.com:8443"}}, 403},
		{"foreign", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"a longer name", http.Header{"Origin": {"https://app.example.com.evil.example"}}, 403},
		{"a name that ends alike", http.Header{"Origin": {"https://evil-app.example.com"}}, 403},
		{"a subdomain", http.Header{"Origin": {"https://x.app.example.com"}}, 403},
		{"null", http.Header{"Origin": {"null"}}, 403},
		{"empty", http.Header{"Origin": {""}}, 403},
		{"two", http.Header{"Origin": {"https://app.example.com", "https://evil.example"}}, 403},
		{"with a path", http.Header{"Origin": {"https://app.example.com/"}}, 403},
		{"with a user", http.Header{"Origin": {"https://app.example.com@evil.example"}}, 403},
		{"the request's own host, which is not configured", http.Header{"Origin": {own}}, 403},

		{"our subprotocol", http.Header{"Sec-Websocket-Protocol": {"liao.v1"}}, 101},
		{"ours among others", http.Header{"Sec-Websocket-Protocol": {"chat, liao.v1", "soap"}}, 101},
		{"only others", http.Header{"Sec-Websocket-Protocol": {"chat, liao.v2"}}, 400},
		{"compression offered", http.Header{"Sec-Websocket-Extensions": {"permessage-deflate"}}, 101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, own, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = tt.header
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Version", "13")
			r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != tt.status {
				t.Errorf("got %d, want %d", answer.StatusCode, tt.status)
			}
			if e := answer.Header.Get("Sec-WebSocket-Extensions"); e != "" {
				t.Errorf("it agreed to %q", e)
			}
		})
	}
	t.Run("no WebSocket", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, own, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("got %d, want 426", answer.StatusCode)
		}
	})
}

func TestNewOriginsRefuses(t *testing.T) {
	for _, s := range []string{
		"", "*", "null", "app.example.com", "https://", "https://*.example.com", "https://a.example/", "https://a.example/x",
		"https://a.example?x", "https://a.example#x", "https://a:b@a.example", "ftp://a.example", "https://a.example:", "https:a.example",
	} {
		if _, err := transport.NewOrigins([]string{"https://fine.example", s}); err == nil {
			t.Errorf("%q was taken for an origin", s)
		}
	}
}
