package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// FileStore is a TokenStore and a Store in a directory of its own: the login, the
// progress and a log of sends, all readable by their owner only. One process may have
// it open at a time.
type FileStore struct {
	dir  string
	lock *os.File

	mu    sync.Mutex
	sends []Unsettled
	log   *os.File // one sendLine a line; what is settled is dropped when it is opened
	held  map[uint64]Held
	state stateJSON
}

// ErrInUse is returned by OpenFileStore if another process has the directory open.
var ErrInUse = errors.New("another process uses it")

const (
	loginFile = "login.json"
	stateFile = "state.json"
	sendsFile = "sends.log"
)

// stateJSON is the file of the progress.
type stateJSON struct {
	Epoch   string
	Cursor  string
	Partial bool
	Held    []Held
}

// sendLine is a send that came, or one that went.
type sendLine struct {
	Put  *Unsettled `json:"put,omitempty"`
	Drop *Unsettled `json:"drop,omitempty"` // Conv and Key alone
}

// OpenFileStore opens a directory and makes it if need be.
func OpenFileStore(dir string) (*FileStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s := &FileStore{dir: dir, lock: lock, held: make(map[uint64]Held)}
	if err := s.read(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Close lets another process open the directory.
func (s *FileStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.log != nil {
		err = s.log.Close()
		s.log = nil
	}
	return errors.Join(err, s.lock.Close())
}

// Dir is where the files are.
func (s *FileStore) Dir() string { return s.dir }

// LoadLogin is TokenStore's.
func (s *FileStore) LoadLogin() (Login, error) {
	var l Login
	err := s.readJSON(loginFile, &l)
	return l, err
}

// SaveLogin is TokenStore's.
func (s *FileStore) SaveLogin(l Login) error { return s.writeJSON(loginFile, l) }

// Forget removes the login and everything that belongs to its user.
func (s *FileStore) Forget() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sends, s.state = nil, stateJSON{}
	clear(s.held)
	for _, name := range []string{loginFile, stateFile} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget login: %w", err)
		}
	}
	return s.compact()
}

// Load is Store's.
func (s *FileStore) Load() (Kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := Kept{Sends: append([]Unsettled(nil), s.sends...)}
	k.Progress = Progress{Epoch: s.state.Epoch, Cursor: s.state.Cursor, Partial: s.state.Partial}
	for _, h := range s.held {
		k.Progress.Changed = append(k.Progress.Changed, h)
	}
	return k, nil
}

// PutSend is Store's.
func (s *FileStore) PutSend(u Unsettled) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(sendLine{Put: &u}); err != nil {
		return err
	}
	s.sends = append(s.sends, u)
	return nil
}

// DropSend is Store's.
func (s *FileStore) DropSend(conv uint64, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(conv, key)
	if len(s.sends) == 0 {
		return s.truncate()
	}
	return s.append(sendLine{Drop: &Unsettled{Conv: conv, Key: key}})
}

func (s *FileStore) drop(conv uint64, key string) {
	for i, one := range s.sends {
		if one.Conv == conv && one.Key == key {
			s.sends = append(s.sends[:i], s.sends[i+1:]...)
			return
		}
	}
}

// SaveProgress is Store's.
func (s *FileStore) SaveProgress(p Progress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Reset {
		clear(s.held)
	}
	for _, h := range p.Changed {
		s.held[h.ID] = h
	}
	s.state = stateJSON{Epoch: p.Epoch, Cursor: p.Cursor, Partial: p.Partial, Held: make([]Held, 0, len(s.held))}
	for _, h := range s.held {
		s.state.Held = append(s.state.Held, h)
	}
	return s.writeJSON(stateFile, s.state)
}

// read takes in what an earlier process left.
func (s *FileStore) read() error {
	if err := s.readJSON(stateFile, &s.state); err != nil {
		return err
	}
	for _, h := range s.state.Held {
		s.held[h.ID] = h
	}
	b, err := os.ReadFile(filepath.Join(s.dir, sendsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read sends: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20) // a send is at most 128 KiB
	for lines.Scan() {
		var l sendLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // it was being written when the process ended or the disk was full: never acknowledged
		}
		if l.Put != nil {
			s.sends = append(s.sends, *l.Put)
		}
		if l.Drop != nil {
			s.drop(l.Drop.Conv, l.Drop.Key)
		}
	}
	return s.compact()
}

// compact writes the log anew, with the sends that are not settled.
func (s *FileStore) compact() error {
	var b bytes.Buffer
	for i := range s.sends {
		line, err := json.Marshal(sendLine{Put: &s.sends[i]})
		if err != nil {
			return fmt.Errorf("write sends: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	if s.log != nil {
		_ = s.log.Close()
		s.log = nil
	}
	path := filepath.Join(s.dir, sendsFile)
	if err := writeFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("write sends: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the store's own directory
	if err != nil {
		return fmt.Errorf("open sends: %w", err)
	}
	s.log = f
	return nil
}

func (s *FileStore) append(l sendLine) error {
	if s.log == nil {
		return fmt.Errorf("write sends: %w", fs.ErrClosed)
	}
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write sends: %w", err)
	}
	_, err = s.log.Write(append(b, '\n'))
	if err == nil {
		err = s.log.Sync()
	}
	if err != nil {
		// Half a line would swallow the next one.
		return fmt.Errorf("write sends: %w", errors.Join(err, s.compact()))
	}
	return nil
}

// truncate empties the log. It need not be durable: what comes back is dropped again.
func (s *FileStore) truncate() error {
	if s.log == nil {
		return fmt.Errorf("write sends: %w", fs.ErrClosed)
	}
	if err := s.log.Truncate(0); err != nil {
		return fmt.Errorf("write sends: %w", err)
	}
	return nil
}

func (s *FileStore) readJSON(name string, into any) error {
	b, err := os.ReadFile(filepath.Join(s.dir, name)) //nolint:gosec // the store's own directory
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (s *FileStore) writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := writeFile(filepath.Join(s.dir, name), b); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeFile replaces a file: after a crash it has its old content or the new.
func writeFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the store's own directory
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
