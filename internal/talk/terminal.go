package talk

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// terminal is a ui for a person.
type terminal struct {
	file *os.File
	old  *term.State
	term *term.Terminal
	once sync.Once
	err  error
	size func()
}

// openTerminal takes the terminal over until close; complete is asked at each tab
// for what the line could become; pressed is told of every other key.
func openTerminal(in *os.File, out io.Writer, complete func(string) []string, pressed func(line string)) (ui, error) {
	fd := int(in.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("open terminal: %w", err)
	}
	t := &terminal{file: in, old: old}
	t.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	t.size = func() {
		if w, h, err := term.GetSize(fd); err == nil && w > 0 {
			_ = t.term.SetSize(w, h)
		}
	}
	t.term.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			pressed(line)
			return "", 0, false
		}
		return completed(line, pos, complete(line[:pos]))
	}
	return t, nil
}

// completed is the line after a tab: as much as all candidates have in common.
func completed(line string, pos int, candidates []string) (string, int, bool) {
	if len(candidates) == 0 {
		return "", 0, false
	}
	common := candidates[0]
	for _, c := range candidates[1:] {
		for !strings.HasPrefix(c, common) {
			common = common[:len(common)-1]
		}
	}
	if len(candidates) == 1 {
		common += " "
	}
	if len(common) <= pos {
		return "", 0, false
	}
	return common + line[pos:], len(common), true
}

func (t *terminal) readLine(ctx context.Context) (string, error) {
	t.size() // the window may have another size by now
	return await(ctx, t.term.ReadLine)
}

func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	t.term.SetPrompt(question)
	return t.readLine(ctx)
}

func (t *terminal) askSecret(ctx context.Context, question, _ string) (string, error) {
	return await(ctx, func() (string, error) { return t.term.ReadPassword(question) })
}

func (t *terminal) show(text string)   { _, _ = io.WriteString(t.term, text+"\n") }
func (t *terminal) setPrompt(p string) { t.term.SetPrompt(p) }
func (t *terminal) interactive() bool  { return true }

func (t *terminal) close() error {
	t.once.Do(func() {
		fd := int(t.file.Fd())
		t.err = term.Restore(fd, t.old)
	})
	return t.err
}
