package config

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what stands wherever a Secret would be shown.
const hidden = "(hidden)"

// Secret is a text that formats, logs and encodes as "(hidden)", so that it
// reaches an output only where somebody wrote Reveal.
type Secret string

// Reveal gives the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format hides the secret from every verb of package fmt, %d and %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides the secret from whoever asks a Stringer.
func (s Secret) String() string { return hidden }

// GoString hides the secret from whoever asks a GoStringer.
func (s Secret) GoString() string { return hidden }

// MarshalText hides the secret from encoders such as JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
