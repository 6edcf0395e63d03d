package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/liao-im/liao/internal/config"
)

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, err := config.EnsureSecrets(dir, config.Secrets{})
	if err != nil {
		t.Fatalf("EnsureSecrets: %v", err)
	}
	for name, secret := range map[string]config.Secret{"code key": first.CodeKey, "pepper": first.Pepper} {
		if len(secret.Reveal()) < 43 {
			t.Errorf("%s has %d characters, want the 43 of 256 bits", name, len(secret.Reveal()))
		}
	}
	if first.CodeKey == first.Pepper {
		t.Error("the two secrets are the same")
	}
	again, err := config.EnsureSecrets(dir, config.Secrets{})
	if err != nil {
		t.Fatalf("EnsureSecrets again: %v", err)
	}
	if again != first {
		t.Error("the second start has other secrets than the first")
	}
	other, err := config.EnsureSecrets(t.TempDir(), config.Secrets{})
	if err != nil {
		t.Fatalf("EnsureSecrets elsewhere: %v", err)
	}
	if other.CodeKey == first.CodeKey || other.Pepper == first.Pepper {
		t.Error("two servers share a secret")
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("the directory holds %v, want secrets.yaml alone", left)
	}
}

// Not parallel: the umask is the process's.
func TestSecretsFileModeWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		before := syscall.Umask(umask)
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := config.EnsureSecrets(dir, config.Secrets{})
		syscall.Umask(before)
		if err != nil {
			t.Fatalf("umask %04o: EnsureSecrets: %v", umask, err)
		}
		info, err := os.Stat(filepath.Join(dir, "secrets.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("umask %04o: mode %04o, want 0600", umask, got)
		}
	}
}

func TestChosenSecretsStand(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	all := config.Secrets{CodeKey: "a", Pepper: "b"}
	got, err := config.EnsureSecrets(dir, all)
	if err != nil {
		t.Fatalf("EnsureSecrets: %v", err)
	}
	if got != all {
		t.Error("chosen secrets were replaced")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("stat %s = %v: nothing needed to be made", dir, err)
	}
	got, err = config.EnsureSecrets(dir, config.Secrets{Pepper: "b"})
	if err != nil {
		t.Fatalf("EnsureSecrets: %v", err)
	}
	if got.Pepper != "b" || got.CodeKey == "" {
		t.Error("EnsureSecrets must keep the one chosen and make the other")
	}
}

// Processes that start together must end with the same secrets.
func TestSecretsOfManyMakers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const makers = 16
	got := make([]config.Secrets, makers)
	var wg sync.WaitGroup
	for i := range makers {
		wg.Go(func() {
			var err error
			if got[i], err = config.EnsureSecrets(dir, config.Secrets{}); err != nil {
				t.Errorf("EnsureSecrets: %v", err)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if got[i] != got[0] {
			t.Fatalf("maker %d has other secrets than maker 0", i)
		}
	}
}

func TestKeptSecretsAreJudged(t *testing.T) {
	t.Parallel()
	const full = "secrets:\n  code_key: " + strong + "\n  pepper: " + strong + "\n"
	for _, test := range []struct {
		name string
		text string
		mode os.FileMode
		want string // empty: taken
	}{
		{"as made", full, 0o600, ""},
		{"read-only", full, 0o400, ""},
		{"for the group", full, 0o640, "chmod 600"},
		{"for everybody", full, 0o644, "chmod 600"},
		{"empty", "", 0o600, "lacks a secret"},
		{"one missing", "secrets.pepper: " + strong + "\n", 0o600, "lacks a secret"},
		{"a weak one", strings.Replace(full, strong, "123456", 1), 0o600, "secrets.yaml:2: secrets.code_key"},
		{"a foreign key", full + "data: x\n", 0o600, "unknown key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := filepath.Join(dir, "secrets.yaml")
			if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(name, test.mode); err != nil {
				t.Fatal(err)
			}
			_, err := config.EnsureSecrets(dir, config.Secrets{})
			if test.want == "" {
				if err != nil {
					t.Errorf("EnsureSecrets: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("EnsureSecrets = %v, want an error with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), strong) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestSecretsFileIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(dir, "secrets.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := config.EnsureSecrets(dir, config.Secrets{}); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("EnsureSecrets = %v, want a refusal", err)
	}
}
