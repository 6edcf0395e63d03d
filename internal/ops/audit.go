package ops

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// AuditOptions say where the audit log goes.
type AuditOptions struct {
	// File is appended to, and made with mode 0600 if it is not there. If it is
	// empty the lines go to Stderr, each with "audit":true.
	File   string
	Stderr io.Writer

	Metrics prometheus.Registerer // nil: a private registry
}

// Audit is the log of who did what to accounts and secrets: a stream of its own,
// in JSON whatever the form of the other log, to which lines are only added.
type Audit struct {
	logger *slog.Logger
	file   *os.File
}

// OpenAudit opens the audit log.
func OpenAudit(o AuditOptions) (*Audit, error) {
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	failures := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "liao_ops_audit_failures_total",
		Help: "Audit lines that could not be written.",
	})
	if err := o.Metrics.Register(failures); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	a := &Audit{}
	out := o.Stderr
	if o.File != "" {
		file, err := os.OpenFile(o.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open audit log: %w", err)
		}
		a.file, out = file, file
	}
	a.logger = slog.New(slog.NewJSONHandler(countFailures{out, failures}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: auditAttr}))
	if o.File == "" {
		a.logger = a.logger.With("audit", true)
	}
	return a, nil
}

// Logger gives the logger that rooms write audit lines with. Its levels mean
// nothing: everything is written.
func (a *Audit) Logger() *slog.Logger { return a.logger }

// Close closes the file, if there is one.
func (a *Audit) Close() error {
	if a.file == nil {
		return nil
	}
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("close audit log: %w", err)
	}
	return nil
}

// auditAttr drops the level and puts times into UTC.
func auditAttr(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return utc(groups, attr)
}

// countFailures counts what slog keeps silent about: a full disk must show.
type countFailures struct {
	out      io.Writer
	failures prometheus.Counter
}

func (c countFailures) Write(line []byte) (int, error) {
	n, err := c.out.Write(line)
	if err != nil {
		c.failures.Inc()
	}
	return n, err
}
