package gate

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns an HTTP server with the timeouts and bounds that a public door
// needs, for the gate and what is mounted beside it. A WebSocket that a handler
// takes over leaves them behind. HTTP/2 is off: it adds floods of its own, and the
// gate's calls are few and small.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		Protocols:         &protocols,
	}
	if log != nil {
		// The server's own words are about clients that broke off or spoke nonsense.
		s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	}
	return s
}
