package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/liao-im/liao/internal/config"
)

// takeData takes the data folder for this process alone and returns the server's own
// secrets, which are made with a new installation. An installation that has lost them
// is refused: with new ones no password would be right any more.
func takeData(c *config.Config, done *stack) (config.Secrets, error) {
	unlock, err := lockData(c.Data)
	if err != nil {
		return config.Secrets{}, err
	}
	done.pushClose("lock", unlock)
	chosen := c.Secrets
	if c.Store.Driver == "sqlite" && (chosen.Pepper == "" || chosen.CodeKey == "") && exists(c.Data, sqliteFile) && !exists(c.Data, "secrets.yaml") {
		return config.Secrets{}, fmt.Errorf("%[1]s has a database but no secrets.yaml, and without its pepper no password can be checked: "+
			"bring the file back from a backup, or give secrets.pepper and secrets.code_key; to start anew, move %[1]s away", c.Data)
	}
	return config.EnsureSecrets(c.Data, chosen)
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

// lockData takes the data folder for this process alone, making it if there is
// none, and returns how to give it back. The lock ends with the process, however
// that ends. `liao user` does without: the database itself lets several in.
func lockData(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder is the operator's
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another liao is running on %s; stop it first, or choose another folder with --data", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f.Close, nil
}
