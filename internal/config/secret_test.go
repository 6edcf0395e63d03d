package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/liao-im/liao/internal/config"
)

func TestSecretHidesItself(t *testing.T) {
	t.Parallel()
	const canary = "canary-7f3a"
	holder := struct {
		Token config.Secret
		List  []config.Secret
	}{canary, []config.Secret{canary}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
		fmt.Fprintf(&out, verb+"\n", holder)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		logger := slog.New(handler)
		logger.Info("start", "token", holder.Token, "all", holder)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		data, err := marshal(holder)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		out.Write(data)
	}
	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if bytes.Contains(out.Bytes(), []byte(shown)) {
			t.Errorf("%q is shown in\n%s", shown, out.String())
		}
	}
	if got := holder.Token.Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
}
