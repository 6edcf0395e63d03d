package ops_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/ops"
)

// hostile is what a stranger writes to forge a line of the log.
const hostile = "eve\r\n{\"msg\":\"login\",\"user\":1}\x1b[2J\u2028x"

func TestNewLogger(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, format, level string
		want                []string
		refused             bool
	}{
		{"text", "text", "info", []string{"level=INFO", "msg=start", "addr="}, false},
		{"json", "json", "debug", []string{`"level":"INFO"`, `"msg":"start"`}, false},
		{"below its level", "text", "error", nil, false},
		{"no such format", "xml", "info", nil, true},
		{"no such level", "text", "loud", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			logger, err := ops.NewLogger(&out, test.format, test.level)
			if (err != nil) != test.refused {
				t.Fatalf("NewLogger = %v, want refused %v", err, test.refused)
			}
			if err != nil {
				return
			}
			logger.Info("start", "addr", hostile)
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("log %q lacks %q", out.String(), want)
				}
			}
			if got, want := strings.Count(out.String(), "\n"), min(1, len(test.want)); got != want {
				t.Errorf("log has %d lines, want %d: %q", got, want, out.String())
			}
			if strings.ContainsAny(out.String(), "\r\x1b") {
				t.Errorf("log holds control characters: %q", out.String())
			}
			if len(test.want) > 0 && !strings.Contains(out.String(), "Z") {
				t.Errorf("log is not in UTC: %q", out.String())
			}
		})
	}
}

func TestAuditFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "audit.log")
	for range 2 { // the second start adds to what the first wrote
		a, err := ops.OpenAudit(ops.AuditOptions{File: name})
		if err != nil {
			t.Fatalf("OpenAudit: %v", err)
		}
		a.Logger().Info("login refused", "account", hostile, slog.Group("peer", "level", "kept"))
		a.Logger().Debug("code sent", "user", 7)
		if err := a.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4:\n%s", len(lines), data)
	}
	var line struct {
		Time    time.Time
		Msg     string
		Level   *string
		Account string
		Peer    struct{ Level string }
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatalf("read %q: %v", lines[0], err)
	}
	if line.Msg != "login refused" || line.Account != hostile || line.Level != nil || line.Peer.Level != "kept" || line.Time.Location() != time.UTC {
		t.Errorf("line %q does not say what was logged, in UTC and without a level", lines[0])
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
}

func TestAuditOnStderrIsTagged(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	a, err := ops.OpenAudit(ops.AuditOptions{Stderr: &out})
	if err != nil {
		t.Fatalf("OpenAudit: %v", err)
	}
	a.Logger().Info("login", "user", 7)
	if err := a.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if !strings.Contains(out.String(), `"audit":true`) {
		t.Errorf("line %q is not tagged", out.String())
	}
}

func TestAuditFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	if _, err := ops.OpenAudit(ops.AuditOptions{File: t.TempDir()}); err == nil {
		t.Error("OpenAudit took a directory for a file")
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAuditLinesLostAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a, err := ops.OpenAudit(ops.AuditOptions{Stderr: fullDisk{}, Metrics: registry})
	if err != nil {
		t.Fatalf("OpenAudit: %v", err)
	}
	a.Logger().Info("login", "user", 7)
	a.Logger().Info("login", "user", 8)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("Gather = %d families, %v; want one", len(families), err)
	}
	if got := families[0].GetMetric()[0].GetCounter().GetValue(); got != 2 {
		t.Errorf("%s = %v, want 2", families[0].GetName(), got)
	}
}
