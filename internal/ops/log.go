package ops

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// NewLogger makes the process's logger: format is "text" or "json", level is
// "debug", "info", "warn" or "error". Times are in UTC. Each record is one line
// and one Write, whatever is in it.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("make logger: no level %q", level)
	}
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: utc}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("make logger: no format %q", format)
	}
}

// utc puts a record's time into UTC, so that logs of machines in several zones
// can be read side by side.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		return slog.Time(slog.TimeKey, a.Value.Time().UTC().Round(time.Microsecond))
	}
	return a
}
