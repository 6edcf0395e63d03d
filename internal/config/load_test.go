package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liao-im/liao/internal/config"
)

// strong is a secret that nothing refuses.
const strong = "5f1d0a9c7be64832a06f9d1e4c7b8a3350d2e6f41b9c87aa"

// load runs the whole way: a file liao.yaml with these lines if there are any,
// the environment, the command line.
func load(t *testing.T, yaml string, environ, args []string) (*config.Effective, error) {
	t.Helper()
	fs := flag.NewFlagSet("liao serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	loader := config.NewLoader(fs)
	if yaml != "" {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("liao.yaml", []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", "liao.yaml"}, args...)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return loader.Load(environ)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	e, err := load(t, "", nil, nil)
	if err != nil {
		t.Fatalf("Load of nothing: %v", err)
	}
	c := e.Config
	got := []any{
		c.Data, c.HTTP.Listen, c.Chat.Listen, c.Ops.Listen, c.Chat.Heartbeat, c.Store.Driver, c.Passwords.MemoryKiB,
		c.Limits.SendsPerSecond, c.Limits.SendBurst, c.Limits.OutboxBytes, c.Limits.HandshakesPerIP, c.Limits.ExemptLoopback,
	}
	want := []any{
		"./liao-data", "127.0.0.1:8080", "127.0.0.1:8090", "127.0.0.1:8099", 30 * time.Second, "sqlite", 19456,
		20, 60, 256 << 10, 64, true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if got := e.Source("http.listen"); got != "default" {
		t.Errorf("source of http.listen = %q, want default", got)
	}
}

func TestSourcesRise(t *testing.T) {
	const file = "limits:\n  sends_per_second: 1\n  send_burst: 2\n"
	env := []string{"LIAO_LIMITS_SENDS_PER_SECOND=3", "LIAO_LIMITS_REQUEST_BURST=4", "PATH=/bin"}
	for _, test := range []struct {
		name           string
		file           string
		env, args      []string
		key            string
		value          func(config.Config) int
		want           int
		wantFromSource string
	}{
		{"the default", "", nil, nil, "limits.send_burst", func(c config.Config) int { return c.Limits.SendBurst }, 60, "default"},
		{"the file above it", file, nil, nil, "limits.send_burst", func(c config.Config) int { return c.Limits.SendBurst }, 2, "liao.yaml:3"},
		{"a variable above the file", file, env, nil, "limits.sends_per_second", func(c config.Config) int { return c.Limits.SendsPerSecond }, 3, "env LIAO_LIMITS_SENDS_PER_SECOND"},
		{"a flag above a variable", file, env, []string{"--limits.sends_per_second", "5"}, "limits.sends_per_second", func(c config.Config) int { return c.Limits.SendsPerSecond }, 5, "flag --limits.sends_per_second"},
		{"0 for none", file, env, []string{"--limits.sends_per_second=0"}, "limits.sends_per_second", func(c config.Config) int { return c.Limits.SendsPerSecond }, 0, "flag --limits.sends_per_second"},
		{"a variable over the default", file, env, nil, "limits.request_burst", func(c config.Config) int { return c.Limits.RequestBurst }, 4, "env LIAO_LIMITS_REQUEST_BURST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := load(t, test.file, test.env, test.args)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			if got := test.value(e.Config); got != test.want {
				t.Errorf("%s = %d, want %d", test.key, got, test.want)
			}
			if got := e.Source(test.key); got != test.wantFromSource {
				t.Errorf("source of %s = %q, want %q", test.key, got, test.wantFromSource)
			}
		})
	}
}

func TestEveryKindOfValue(t *testing.T) {
	e, err := load(t, `
data: /srv/liao
insecure: true
http: {listen: "0.0.0.0:8080", public_url: https://chat.example.org/, trusted_proxies: [10.0.0.7, 10.1.2.3/16, "::1"]}
chat.listen: ""
chat:
  heartbeat: 1m30s
ops.token: `+strong+`
limits.outbox_bytes: 1 MiB
`, []string{"LIAO_HTTP_ALLOWED_ORIGINS=https://a.example.org, http://b.example.org:8000"}, []string{"--ops.pprof"})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	c := e.Config
	got := []any{c.Data, c.Insecure, c.HTTP, c.Chat.Listen, c.Chat.Heartbeat, c.Chat.WSPublicURL, c.Ops.Token.Reveal(), c.Ops.PProf, c.Limits.OutboxBytes}
	want := []any{"/srv/liao", true, config.HTTP{
		Listen: "0.0.0.0:8080", PublicURL: "https://chat.example.org",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")},
		AllowedOrigins: []string{"https://a.example.org", "http://b.example.org:8000"},
	}, "", 90 * time.Second, "wss://chat.example.org/v1/ws", strong, true, 1 << 20}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// What Write prints is a file that means the same, but for the secrets.
func TestWriteCanBeRead(t *testing.T) {
	file := fmt.Sprintf(`
http: {listen: "[::1]:8080", trusted_proxies: [10.0.0.0/8, "fd00::/8"]}
mail: {smtp_host: mail.example.org, from: "Liao's door <liao@example.org>", smtp_user: liao, smtp_password: %[1]s}
ops.token: %[1]s
log.audit_file: "a #strange: name"
`, strong)
	first, err := load(t, file, nil, []string{"--limits.outbox_bytes", "1000"})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	var printed strings.Builder
	if err := first.Write(&printed); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if strings.Contains(printed.String(), strong) {
		t.Fatalf("Write shows a secret:\n%s", printed.String())
	}
	for _, want := range []string{"# ops.token: (set)", "# store.dsn: (not set)", "# flag --limits.outbox_bytes", "# liao.yaml:4", "# default"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("Write does not print %q:\n%s", want, printed.String())
		}
	}
	second, err := load(t, printed.String(), []string{"LIAO_OPS_TOKEN=" + strong, "LIAO_MAIL_SMTP_PASSWORD=" + strong}, nil)
	if err != nil {
		t.Fatalf("Load of what Write printed: %v\n%s", err, printed.String())
	}
	if diff := cmp.Diff(first.Config, second.Config, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("configuration written and read (-first +second):\n%s", diff)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := load(t, "http:\n  listn: :80\nlimits:\n  send_burst: many\n", []string{"LIAO_CHAT_HEARTBEAT=soon"}, []string{"--store.driver=oracle"})
	var problems *config.Error
	if !errors.As(err, &problems) {
		t.Fatalf("Load = %v, want a *config.Error", err)
	}
	var got []string
	for _, p := range problems.Problems {
		got = append(got, p.Where+" "+p.Key)
	}
	want := []string{"liao.yaml:2 http.listn", "liao.yaml:4 limits.send_burst", "env LIAO_CHAT_HEARTBEAT chat.heartbeat", "flag --store.driver store.driver"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// A service that is called liao makes an orchestrator set variables that are
// none of ours.
func TestForeignVariablesPass(t *testing.T) {
	t.Parallel()
	env := []string{
		"LIAO_GATE=http://127.0.0.1:8080", "LIAO_TALK_PASSWORD=x",
		"LIAO_PORT=tcp://10.0.0.1:8080", "LIAO_PORT_8080_TCP_ADDR=10.0.0.1", "LIAO_SERVICE_HOST=10.0.0.1",
		"LIAO_CHAT_SERVICE_PORT_HTTP=80", "LIAO_CHAT_PORT=tcp://10.0.0.1:8090", "LIAO_BINARY=/bin/liao",
	}
	if _, err := load(t, "", env, nil); err != nil {
		t.Errorf("Load = %v, want no error", err)
	}
}

func TestConfigFileByVariable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(name, []byte("data: /srv/x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e, err := load(t, "", []string{"LIAO_CONFIG=" + name}, nil)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if e.Config.Data != "/srv/x" {
		t.Errorf("data = %q, want /srv/x", e.Config.Data)
	}
}

// Every key is named the same way everywhere and says what it is for.
func TestKeys(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, key := range config.Keys() {
		if key.Help == "" {
			t.Errorf("%s has no help", key.Name)
		}
		if want := "LIAO_" + strings.ToUpper(strings.ReplaceAll(key.Name, ".", "_")); key.Env != want {
			t.Errorf("%s has the variable %s, want %s", key.Name, key.Env, want)
		}
		if strings.HasSuffix(key.Name, ".") || seen[key.Name] {
			t.Errorf("%q: a key without a name, or twice", key.Name)
		}
		seen[key.Name] = true
		if key.Secret && key.Default != "" {
			t.Errorf("%s: a secret with a default", key.Name)
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d keys: the table was not read", len(seen))
	}
}
