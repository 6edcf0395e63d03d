package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	for _, e := range slices.Backward(s.ends) {
		if err := e.stop(ctx); err != nil {
			all = append(all, fmt.Errorf("stop %s: %w", e.what, err))
		}
	}
	s.ends = nil
	return errors.Join(all...)
}
