package security_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

type object = liaotest.Object

// TestSecretsAreFresh: two installations share no secret, each has 256 bits, and
// none can be read by others, whatever the umask.
func TestSecretsAreFresh(t *testing.T) {
	old := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(old) })
	seen := map[string]bool{}
	for range 2 {
		s := liaotest.Start(t, liaotest.Options{})
		file := filepath.Join(s.Data, "secrets.yaml")
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("secrets.yaml has mode %v, want 0600", info.Mode().Perm())
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			_, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			value = strings.Trim(value, `"'`)
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || len(raw) < 32 {
				if len(value) < 64 { // hex of 256 bits
					t.Errorf("secret of %d characters: want at least 256 bits", len(value))
				}
			}
			if seen[value] {
				t.Error("two installations share a secret")
			}
			seen[value] = true
			n++
		}
		if n == 0 {
			t.Error("secrets.yaml holds no secret")
		}
		err = filepath.WalkDir(s.Data, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v: others may read it", path, info.Mode().Perm())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestKnownSecretsAreRefused: nobody runs liao with a secret out of a manual.
func TestKnownSecretsAreRefused(t *testing.T) {
	for _, secret := range []string{
		"666666", "openIM123", "secret_wukongim", "a1234567", "123456", "changeme", "secret", "password", "admin",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "short",
	} {
		for _, key := range []string{"LIAO_SECRETS_CODE_KEY", "LIAO_SECRETS_PEPPER", "LIAO_OPS_TOKEN"} {
			cmd := exec.CommandContext(t.Context(), liaotest.Binary(t), "serve", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--chat", "127.0.0.1:0", "--ops", "127.0.0.1:0")
			cmd.Env = append(os.Environ(), key+"="+secret)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("%s=%s: liao started", key, secret)
			}
			if !strings.Contains(string(out), key) {
				t.Errorf("%s=%s: the refusal %q does not name the variable", key, secret, out)
			}
		}
	}
}

// TestDefaultStartListensWhereItSays: only the documented ports, all on loopback.
func TestDefaultStartListensWhereItSays(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	want := map[string]bool{
		strings.TrimPrefix(s.Gate, "http://"): true, s.Chat: true, strings.TrimPrefix(s.Ops, "http://"): true,
	}
	got := listening(t, s.PID())
	for addr := range got {
		if !want[addr] {
			t.Errorf("liao listens on %s, which is none of %v", addr, want)
		}
	}
	for addr := range want {
		if !got[addr] {
			t.Errorf("liao does not listen on %s", addr)
		}
	}
}

// listening reads the TCP addresses that a process listens on from /proc.
func listening(t *testing.T, pid int) map[string]bool {
	t.Helper()
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && strings.HasPrefix(link, "socket:[") {
			inodes[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = true
		}
	}
	out := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			field := strings.Fields(lines.Text())
			if len(field) < 10 || !inodes[field[9]] || field[3] != "0A" && !strings.HasPrefix(table, "udp") {
				continue
			}
			out[address(field[1])] = true
		}
		_ = f.Close()
	}
	return out
}

// address turns the kernel's little-endian "0100007F:1F90" into 127.0.0.1:8080; what
// is no IPv4 address stays as it is, and so matches nothing.
func address(s string) string {
	var a, b, c, d, port int
	if _, err := fmt.Sscanf(s, "%02X%02X%02X%02X:%04X", &d, &c, &b, &a, &port); err != nil || len(s) != 13 {
		return s
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", a, b, c, d, port)
}

// TestOperatorsAddress: pages that rebind DNS get nothing, and elsewhere than on
// loopback nobody does without the token.
func TestOperatorsAddress(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ask := func(path, host string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Ops+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for _, path := range []string{"/metrics", "/outbox", "/readyz", "/"} {
		for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example"} {
			if got := ask(path, host); got < 400 {
				t.Errorf("%s with Host %s: %d, want a refusal", path, host, got)
			}
		}
	}
	if got := ask("/metrics", "localhost"); got != 200 {
		t.Errorf("/metrics with Host localhost: %d, want 200", got)
	}
	if got := ask("/debug/pprof/", "localhost"); got != 404 {
		t.Errorf("pprof without being asked for: %d, want 404", got)
	}

	token := "kU3vP9xQ2mZ7rT5wY8bN4cF6hJ1dL0sAgEoIi_xTq"
	far := liaotest.New(t, liaotest.Options{Env: []string{"LIAO_OPS_TOKEN=" + token, "LIAO_INSECURE=true", "LIAO_MAIL_SMTP_HOST=127.0.0.1", "LIAO_MAIL_SMTP_TLS=none", "LIAO_MAIL_FROM=liao@example.org"}})
	port := far.Ops[strings.LastIndex(far.Ops, ":")+1:]
	far.Args = []string{"--ops", "0.0.0.0:" + port}
	far.Run()
	far.WaitReady()
	for path, want := range map[string]int{"/metrics": 401, "/outbox": 401, "/healthz": 200, "/readyz": 200} {
		a, err := liaotest.Do(t.Context(), http.MethodGet, far.Ops+path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != want {
			t.Errorf("on all addresses without the token, %s: %d, want %d", path, a.Status, want)
		}
	}
	if a, err := liaotest.Do(t.Context(), http.MethodGet, far.Ops+"/metrics", http.Header{"Authorization": {"Bearer " + token}}, nil); err != nil || a.Status != 200 {
		t.Errorf("with the token: %d, %v; want 200", a.Status, err)
	}
	if a, err := liaotest.Do(t.Context(), http.MethodGet, far.Ops+"/outbox", http.Header{"Authorization": {"Bearer " + token}}, nil); err != nil || a.Status != 404 {
		t.Errorf("/outbox elsewhere than on loopback: %d, %v; want 404", a.Status, err)
	}
}
