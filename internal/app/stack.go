package app

import (
	"context"
	"errors"
	"fmt"
)

// stack is what must be ended, in the order in which it was started.
type stack struct {
	ends []end
}

type end struct {
	what string
	stop func(context.Context) error
}

// push registers how the thing just made is ended.
func (s *stack) push(what string, stop func(context.Context) error) {
	s.ends = append(s.ends, end{what, stop})
}

// pushClose registers a Close without a context.
func (s *stack) pushClose(what string, closer func() error) {
	s.push(what, func(context.Context) error { return closer() })
}

// stop ends everything, the last made first, and goes on after failures.
func (s *stack) stop(ctx context.Context) error {
	var all []error
	for i := len(s.ends) - 1; i >= 0; i-- {
		if err := s.ends[i].stop(ctx); err != nil {
			all = append(all, fmt.Errorf("stop %s: %w", s.ends[i].what, err))
		}
	}
	s.ends = nil
	return errors.Join(all...)
}
