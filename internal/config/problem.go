package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that an operator must change.
type Problem struct {
	Where string // liao.yaml:12, LIAO_CHAT_LISTEN, --chat, default
	Key   string // empty when it is about no single key
	Text  string // what is wrong, and what to write instead
}

// Error lists every problem that was found. It is what Load returns.
type Error struct {
	Problems []Problem
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		if p.Key == "" {
			lines = append(lines, p.Where+": "+p.Text)
			continue
		}
		lines = append(lines, p.Where+": "+p.Key+": "+p.Text)
	}
	return strings.Join(lines, "\n")
}

// problems gathers what is found on the way.
type problems []Problem

func (p *problems) add(where, key, format string, args ...any) {
	*p = append(*p, Problem{Where: where, Key: key, Text: fmt.Sprintf(format, args...)})
}

// err is nil when nothing was found.
func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	return &Error{Problems: *p}
}
