package talk

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
)

// script is a ui for a program. What it prints has a fixed form, and a word at
// the beginning of each line that says what it is.
type script struct {
	in  *bufio.Scanner
	env func(string) string

	mu  sync.Mutex
	out io.Writer
}

func newScript(in io.Reader, out io.Writer, env func(string) string) *script {
	s := &script{in: bufio.NewScanner(in), out: out, env: env}
	s.in.Buffer(nil, 64<<10) // a message has at most 16 KiB
	return s
}

func (s *script) readLine(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) {
		if !s.in.Scan() {
			if err := s.in.Err(); err != nil {
				return "", err
			}
			return "", io.EOF
		}
		return strings.TrimRight(s.in.Text(), "\r"), nil
	})
}

func (s *script) ask(ctx context.Context, question string) (string, error) {
	s.show("ask " + question)
	return s.readLine(ctx)
}

func (s *script) askSecret(ctx context.Context, question, name string) (string, error) {
	if v := s.env(name); v != "" {
		return v, nil
	}
	return s.ask(ctx, question)
}

func (s *script) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, text+"\n")
}

func (s *script) setPrompt(string)  {}
func (s *script) interactive() bool { return false }
func (s *script) close() error      { return nil }
