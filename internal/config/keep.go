package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretsFile is where the secrets that nobody chose are kept, in the data
// directory.
const secretsFile = "secrets.yaml"

// EnsureSecrets fills in the secrets that the configuration does not give. They
// are kept in the file secrets.yaml of the data directory, which is made, with
// mode 0600 whatever the umask and with 256 random bits for each secret, if it
// is not there; the directory is made with mode 0700. Processes that start
// together agree on one file. A file that others may read is refused, with the
// command that puts it right.
func EnsureSecrets(dataDir string, chosen Secrets) (Secrets, error) {
	if chosen.CodeKey != "" && chosen.Pepper != "" {
		return chosen, nil
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return Secrets{}, fmt.Errorf("make data directory: %w", err)
	}
	name := filepath.Join(dataDir, secretsFile)
	kept, err := readSecrets(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecrets(name); err != nil {
			return Secrets{}, fmt.Errorf("make %s: %w", name, err)
		}
		kept, err = readSecrets(name)
	}
	if err != nil {
		return Secrets{}, err
	}
	for _, s := range []struct{ chosen, kept *Secret }{
		{&chosen.CodeKey, &kept.CodeKey}, {&chosen.Pepper, &kept.Pepper},
	} {
		if *s.chosen == "" {
			*s.chosen = *s.kept
		}
		if *s.chosen == "" {
			return Secrets{}, fmt.Errorf("%s lacks a secret: restore the file from the backup that the data is from", name)
		}
	}
	return chosen, nil
}

// readSecrets reads and judges the file as strictly as a configuration.
func readSecrets(name string) (Secrets, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Secrets{}, fmt.Errorf("read secrets: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Secrets{}, fmt.Errorf("%s is no regular file", name)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Secrets{}, fmt.Errorf("%s holds secrets, and its mode %04o lets other users of the machine at them; run: chmod 600 %s", name, mode, name)
	}
	data, err := os.ReadFile(name) //nolint:gosec // in the data directory that the operator chose
	if err != nil {
		return Secrets{}, fmt.Errorf("read secrets: %w", err)
	}
	var (
		found problems
		keys  []Key
		c     Config
	)
	for _, key := range Keys() {
		if strings.HasPrefix(key.Name, "secrets.") {
			keys = append(keys, key)
		}
	}
	for _, value := range parseFile(name, data, keys, &found) {
		key, _ := find(keys, value.key)
		if err := key.set(&c, value.texts); err != nil {
			found.add(value.source, value.key, "%v", err)
		}
	}
	return c.Secrets, found.err()
}

// makeSecrets writes new secrets to a file of another name, flushes it and
// links it into place, so that nobody ever sees half a file and of two makers
// one wins.
func makeSecrets(name string) error {
	var b strings.Builder
	b.WriteString("# Made at first start. Keep it with the backups of this directory: without it\n" +
		"# no password can be checked and no code redeemed.\nsecrets:\n")
	for _, key := range []string{"code_key", "pepper"} {
		fmt.Fprintf(&b, "  %s: %s\n", key, newSecret())
	}
	file, err := os.CreateTemp(filepath.Dir(name), secretsFile+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // it has its other name by then
	if err := errors.Join(write(file, b.String()), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// write fills and flushes a new file. The mode is set because a umask may have
// taken even the owner's rights away.
func write(file *os.File, text string) error {
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return file.Sync()
}

// newSecret gives 256 random bits as text without characters that YAML reads
// in a way of its own.
func newSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // it never fails: the program ends first
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
