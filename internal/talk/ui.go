package talk

import (
	"context"
	"errors"
	"strings"
	"unicode"
)

// ui is where lines come from and go to. Its method show may be called from any goroutine,
// the others from one.
type ui interface {
	// readLine waits for a line of input; io.EOF when there is no more.
	readLine(ctx context.Context) (string, error)
	// ask waits for the answer to a question.
	ask(ctx context.Context, question string) (string, error)
	// askSecret is ask for what must not be seen. name is the environment variable
	// that answers for a script.
	askSecret(ctx context.Context, question, name string) (string, error)
	// show prints one or more lines; what is being typed stays whole.
	show(text string)
	setPrompt(p string)
	// interactive is true if a person sits there.
	interactive() bool
	close() error
}

// errInterrupted ends a wait for input whose context ended.
var errInterrupted = errors.New("interrupted")

// input is a line that was read, or why there is none.
type input struct {
	line string
	err  error
}

// await runs read, but not longer than ctx. A read that goes on then is left to
// the end of the process: there is no way to call a terminal back.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	got := make(chan input, 1)
	go func() {
		line, err := read()
		got <- input{line, err}
	}()
	select {
	case i := <-got:
		return i.line, i.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// clean makes what somebody else wrote harmless for a terminal: control
// characters and those that turn the direction of writing are replaced. Line
// feeds and tabs stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r == unicode.ReplacementChar,
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// oneLine is clean for a place where only one line fits.
func oneLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(clean(s))
}
