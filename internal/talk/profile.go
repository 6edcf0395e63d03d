package talk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/liao-im/liao/client"
)

const defaultGate = "http://127.0.0.1:8080"

// profile is what is remembered of an account besides what the SDK keeps.
type profile struct {
	Gate    string            `json:"gate"`
	Devices map[string]string `json:"devices"` // by handle: this device's id, to log in as the same one again

	changed bool
}

const profileFile = "profile.json"

// profilesDir is where the profiles are.
func profilesDir(flag string, env func(string) string) (string, error) {
	switch {
	case flag != "":
		return flag, nil
	case filepath.IsAbs(env("XDG_CONFIG_HOME")):
		return filepath.Join(env("XDG_CONFIG_HOME"), "liao"), nil
	case env("HOME") != "":
		return filepath.Join(env("HOME"), ".config", "liao"), nil
	}
	return "", errors.New("neither XDG_CONFIG_HOME nor HOME is set: say --dir")
}

// validProfile keeps a profile within its directory.
func validProfile(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
}

func openProfile(dir, name string) (*client.FileStore, error) {
	s, err := client.OpenFileStore(filepath.Join(dir, name))
	if errors.Is(err, client.ErrInUse) {
		return nil, fmt.Errorf("the profile %q is open in another liao talk; choose another one with --profile", name)
	}
	return s, err
}

func loadProfile(dir string) (profile, error) {
	p := profile{Devices: make(map[string]string)}
	b, err := os.ReadFile(filepath.Join(dir, profileFile)) //nolint:gosec // the profile's own directory
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read %s: %w", profileFile, err)
	}
	if p.Devices == nil {
		p.Devices = make(map[string]string)
	}
	return p, nil
}

func (p *profile) save(dir string) error {
	b, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return fmt.Errorf("write %s: %w", profileFile, err)
	}
	if err := os.WriteFile(filepath.Join(dir, profileFile), b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", profileFile, err)
	}
	p.changed = false
	return nil
}
